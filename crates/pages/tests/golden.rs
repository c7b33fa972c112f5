//! Holds hashes, types, manifest and form fields to what real wrangler 4.164.0 sent (`fixtures/wrangler-golden.jsonl`).

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pages::{Hasher, Links, Manifest, Origin, Release, Rules, deal, walk};
use serde_json::Value;

/// The requests of the first, cold deployment.
fn requests() -> Vec<Value> {
    let lines = include_str!("fixtures/wrangler-golden.jsonl");
    lines.lines().take(11).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn form_field<'a>(requests: &'a [Value], name: &str) -> &'a str {
    let form = requests.iter().find_map(|request| request["body"]["multipart"].as_array()).unwrap();
    form.iter().find(|part| part["name"] == name).unwrap()["text"].as_str().unwrap()
}

fn uploads(requests: &[Value]) -> Vec<Value> {
    let uploads = requests.iter().filter(|request| request["path"] == "/client/v4/pages/assets/upload");
    uploads.flat_map(|request| request["body"]["json"].as_array().unwrap().clone()).collect()
}

/// The site that wrangler deployed, rebuilt from what it sent.
fn site(requests: &[Value]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let manifest: BTreeMap<String, String> = serde_json::from_str(form_field(requests, "manifest")).unwrap();
    for (path, hash) in manifest {
        let upload = uploads(requests).into_iter().find(|upload| upload["key"] == hash.as_str()).unwrap();
        let path = root.path().join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, STANDARD.decode(upload["value"].as_str().unwrap()).unwrap()).unwrap();
    }
    for rules in ["_headers", "_redirects"] {
        fs::write(root.path().join(rules), form_field(requests, rules)).unwrap();
    }
    root
}

fn manifest_of(root: &tempfile::TempDir) -> Manifest {
    Hasher::new(2).manifest(walk(root.path(), Links::Anywhere, &[]).unwrap().files).unwrap()
}

#[test]
fn the_manifest_has_wranglers_pairs() {
    let requests = requests();
    let ours: BTreeMap<String, String> = serde_json::from_str(&manifest_of(&site(&requests)).json()).unwrap();
    let theirs: BTreeMap<String, String> = serde_json::from_str(form_field(&requests, "manifest")).unwrap();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 17);
}

#[test]
fn the_uploads_have_wranglers_keys_and_types_each_once() {
    let requests = requests();
    let manifest = manifest_of(&site(&requests));
    let missing = manifest.holding(&manifest.hashes());
    let ours: Vec<(String, String)> = deal(&missing)
        .iter()
        .flat_map(|batch| batch.assets().to_vec())
        .map(|asset| (asset.hash.to_string(), asset.content_type.to_owned()))
        .collect();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let theirs: BTreeSet<(String, String)> = uploads(&requests)
        .iter()
        .map(|upload| (text(&upload["key"]), text(&upload["metadata"]["contentType"])))
        .collect();
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(ours.into_iter().collect::<BTreeSet<_>>(), theirs);
}

#[test]
fn the_form_has_wranglers_fields_in_their_order() {
    let requests = requests();
    let root = site(&requests);
    let origin = Origin { branch: "main".to_owned(), commit_hash: None, commit_message: None, work_tree: None };
    let release = Release::new(&manifest_of(&root), origin, &Rules::read(root.path()).unwrap(), None, None);
    let body = String::from_utf8(release.form.encode("B")).unwrap();
    let ours: Vec<(&str, &str)> = body
        .split("--B")
        .filter_map(|part| part.trim_start_matches("\r\n").split_once("\r\n\r\n"))
        .map(|(headers, content)| (headers, content.strip_suffix("\r\n").unwrap()))
        .collect();
    let form = requests.iter().find_map(|request| request["body"]["multipart"].as_array()).unwrap();
    assert_eq!(ours.len(), form.len());
    for ((headers, content), theirs) in ours.iter().zip(form) {
        let expected: Vec<String> = theirs["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|header| format!("{}: {}", header[0].as_str().unwrap(), header[1].as_str().unwrap()))
            .collect();
        assert_eq!(*headers, expected.join("\r\n"));
        if theirs["name"] != "manifest" {
            assert_eq!(*content, theirs["text"].as_str().unwrap());
        }
    }
}

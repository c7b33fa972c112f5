//! Ours and real wrangler deploy the same tree to the stand-in, which must see the same of both.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use emulators::Cloudflare;
use emulators::http::{Request, parts};

use crate::support::{Step, peer};

/// The folder with wrangler and the Node that it wants, as `./check` installs them.
fn tools() -> Option<PathBuf> {
    Some(peer("wrangler")?.parent()?.to_owned())
}

/// What reached the service of one deployment: the form's parts in their order, and the uploaded items.
#[derive(Debug, PartialEq)]
struct Arrived {
    manifest: serde_json::Value,
    /// Name, file name, content.
    fields: Vec<(String, Option<String>, Vec<u8>)>,
    /// Key, content, type.
    uploads: BTreeSet<(String, String, String)>,
    /// Name and content of the parts of `_worker.bundle`.
    bundle: Vec<(String, Vec<u8>)>,
}

/// The parts of the form inside the form. Pages, too, reads its boundary from the first line.
fn inner(request: &Request, bundle: &[u8]) -> Vec<(String, Vec<u8>)> {
    let first = bundle[2..].split(|byte| *byte == b'\r').next().unwrap();
    let content_type = format!("multipart/form-data; boundary={}", String::from_utf8_lossy(first));
    let mut request = request.clone();
    request.headers = vec![("content-type".to_owned(), content_type)];
    request.body = bundle.to_vec();
    parts(&request).unwrap().into_iter().map(|part| (part.name, part.body)).collect()
}

fn arrived(requests: &[Request], project: &str) -> Arrived {
    let pattern = format!("POST *projects/{project}/deployments");
    let request = requests.iter().find(|request| request.matches(&pattern)).unwrap();
    let form = parts(request).unwrap();
    let manifest = form.iter().find(|part| part.name == "manifest").unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let uploads = requests.iter().filter(|request| request.matches("POST */assets/upload"));
    let items = uploads.flat_map(|request| request.json().as_array().unwrap().clone());
    let bundle = form.iter().find(|part| part.name == "_worker.bundle");
    Arrived {
        bundle: bundle.map(|part| inner(request, &part.body)).unwrap_or_default(),
        manifest: serde_json::from_slice(&manifest.body).unwrap(),
        fields: form
            .iter()
            .filter(|part| part.name != "manifest")
            .map(|part| (part.name.clone(), part.file_name.clone(), part.body.clone()))
            .collect(),
        uploads: items
            .map(|item| (text(&item["key"]), text(&item["value"]), text(&item["metadata"]["contentType"])))
            .collect(),
    }
}

/// A repository with the site `site`, whose files `fill` writes into its output; committed.
fn repository(fill: impl Fn(&Path)) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let dist = root.path().join("sites/site/dist");
    fs::create_dir_all(&dist).unwrap();
    fill(&dist);
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"];
        assert!(
            Command::new("git")
                .current_dir(root.path())
                .args(identity)
                .args(arguments)
                .output()
                .unwrap()
                .status
                .success()
        );
    };
    git(&["init", "-q", "-b", "work"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "--allow-empty", "-m", &format!("Subject\n\nBody é\n{}", "ü".repeat(300))]);
    root
}

/// Deploys `site` with both, each to a service of its own, and returns what arrived: theirs, ours.
fn both(root: &Path, extra: &[&str]) -> Option<(Arrived, Arrived)> {
    let programs = tools()?;
    let (theirs, ours) = (Cloudflare::start(), Cloudflare::start());
    theirs.project("site");
    ours.project("site");
    let site = root.join("sites/site");
    let done = Command::new(programs.join("wrangler"))
        .args(["pages", "deploy", "dist", "--project-name", "site"])
        .args(extra)
        .current_dir(&site)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("HOME", tempfile::tempdir().unwrap().path())
        .envs([("CI", "true"), ("WRANGLER_SEND_METRICS", "false"), ("CLOUDFLARE_API_TOKEN", theirs.token())])
        .env("CLOUDFLARE_API_BASE_URL", theirs.url())
        .env("CLOUDFLARE_ACCOUNT_ID", theirs.account())
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    // What wrangler leaves behind is not a part of the site.
    let _ = fs::remove_dir_all(site.join("node_modules"));
    let _ = fs::remove_dir_all(site.join(".wrangler"));
    let step = Step::new("pages-deploy-all").cloudflare(&ours).cloudflare_token(&ours);
    let step = step.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    step.cwd(root).args(["--project-name", "site", "--follow-outside", "--probe", "0"]).run().exits(0);
    Some((arrived(&theirs.requests(), "site"), arrived(&ours.requests(), "site")))
}

fn write(dist: &Path, files: &[(&str, &[u8])]) {
    for (path, content) in files {
        let path = dist.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

#[test]
fn a_tree_of_odd_names_arrives_alike() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("far.css"), "far").unwrap();
    let root = repository(|dist| {
        let every_byte: Vec<u8> = (0..=255).collect();
        let large: Vec<u8> = (0..700_000u32).map(|at| at.to_le_bytes()[1] ^ at.to_le_bytes()[0]).collect();
        write(
            dist,
            &[
                ("index.html", b"<h1>x</h1>"),
                ("IMG.PNG", &every_byte),
                ("large.bin", &large),
                ("LICENSE", b""),
                ("empty.txt", b""),
                ("html", b"root html"),
                ("sub/html", b"sub html"),
                (".html", b"dot html"),
                ("sub/.html", b"sub dot html"),
                ("x.", b"trailing dot"),
                ("..foo", b"two dots"),
                (".a.b", b"dots"),
                ("data.tar.gz", b"gz"),
                ("same-a.txt", b"same"),
                ("same-b.txt", b"same"),
                ("same.HTML", b"same"),
                ("caf\u{e9} \u{2603}.txt", b"nfc"),
                ("cafe\u{301}.txt", b"nfd"),
                ("a%b#c?d&e+f.txt", b"url"),
                ("quote\"s\\back.js", b"quote"),
                ("new\nline.css", b"newline"),
                (".well-known/security.txt", b"mail"),
                (".hidden/node_modules/x.js", b"kept"),
                ("node_modules/a/index.js", b"ignored"),
                ("sub/node_modules/a.js", b"ignored"),
                (".DS_Store", b"ignored"),
                ("sub/.DS_Store", b"ignored"),
                ("functions/a.txt", b"ignored"),
                ("sub/functions/a.ts", b"kept"),
                ("sub/_headers", b"kept"),
                ("Functions/x.rs", b"kept"),
                (".assetsignore", b"kept"),
                ("_headers", b"\xef\xbb\xbf/*\n  X-A: b\xff\r\n"),
                ("_redirects", b"/a /b 302\n"),
            ],
        );
        std::os::unix::fs::symlink("index.html", dist.join("link.htm")).unwrap();
        std::os::unix::fs::symlink("sub", dist.join("linked")).unwrap();
        std::os::unix::fs::symlink(outside.path(), dist.join("outside")).unwrap();
    });
    let Some((theirs, ours)) = both(root.path(), &["--branch", "work"]) else { return };
    assert_eq!(ours, theirs);
    assert!(ours.fields.iter().any(|(name, ..)| name == "commit_message"));
}

#[test]
fn a_configured_site_and_a_dirty_work_tree_arrive_alike() {
    let root = repository(|dist| {
        write(dist, &[("index.html", b"x"), ("_headers", b""), ("_routes.json", b"{}")]);
        let config = "name = \"other\"\npages_build_output_dir = \"./dist/\"\ncompatibility_date = \"2026-01-01\"\n";
        fs::write(dist.parent().unwrap().join("wrangler.toml"), config).unwrap();
    });
    fs::write(root.path().join("untracked"), "").unwrap();
    let Some((theirs, ours)) = both(root.path(), &[]) else { return };
    assert_eq!(ours, theirs);
    let names: Vec<&str> = ours.fields.iter().map(|(name, ..)| name.as_str()).collect();
    let expected =
        ["branch", "commit_message", "commit_hash", "commit_dirty", "wrangler_config_hash", "pages_build_output_dir"];
    assert_eq!(names, expected);
}

/// A bundle's metadata, and the name, type and content of its modules.
fn bundle(arrived: &Arrived) -> (serde_json::Value, Vec<(String, Vec<u8>)>) {
    let mut modules = arrived.bundle.clone().into_iter();
    let metadata = serde_json::from_slice(&modules.next().unwrap().1).unwrap();
    (metadata, modules.collect())
}

/// The fields, bundle left out.
fn plain(arrived: &Arrived) -> Vec<&(String, Option<String>, Vec<u8>)> {
    arrived.fields.iter().filter(|(name, ..)| name != "_worker.bundle").collect()
}

fn names(arrived: &Arrived) -> Vec<&str> {
    arrived.fields.iter().map(|(name, ..)| name.as_str()).collect()
}

/// As a set: wrangler's order of bindings means nothing.
fn sorted_bindings(mut metadata: serde_json::Value) -> serde_json::Value {
    if let Some(bindings) = metadata["bindings"].as_array_mut() {
        bindings.sort_by_key(ToString::to_string);
    }
    metadata
}

#[test]
fn a_prebuilt_worker_and_its_bindings_arrive_alike() {
    let root = repository(|dist| {
        let worker = b"export default { fetch() { return new Response('hi'); } };\n";
        let routes = b"{\"version\":1,\"include\":[\"/api/*\"],\"exclude\":[]}\n";
        write(dist, &[("index.html", b"x"), ("_worker.js", worker), ("_routes.json", routes)]);
        let config = r#"
            name = "other"
            pages_build_output_dir = "./dist/"
            compatibility_date = "2026-01-01"
            compatibility_flags = ["nodejs_compat"]
            placement = { mode = "smart" }
            limits = { cpu_ms = 5 }
            vars = { A = "b", C = { x = 1 } }
            kv_namespaces = [{ binding = "KV", id = "0123" }]
            r2_buckets = [{ binding = "R2", bucket_name = "files" }]
            d1_databases = [{ binding = "DB", database_id = "4567", database_name = "people" }]
            services = [{ binding = "S", service = "intake" }]
            ai = { binding = "AI" }
        "#;
        fs::write(dist.parent().unwrap().join("wrangler.toml"), config).unwrap();
    });
    let Some((theirs, ours)) = both(root.path(), &["--no-bundle"]) else { return };
    assert_eq!(names(&ours), names(&theirs));
    assert_eq!(plain(&ours), plain(&theirs));
    let (our_metadata, our_modules) = bundle(&ours);
    let (their_metadata, their_modules) = bundle(&theirs);
    assert_eq!(our_modules, their_modules);
    assert_eq!(sorted_bindings(our_metadata), sorted_bindings(their_metadata));
}

#[test]
fn a_worker_folder_arrives_with_the_same_modules() {
    let root = repository(|dist| {
        write(
            dist,
            &[
                ("index.html", b"x"),
                (
                    "_worker.js/index.js",
                    b"import a from './lib/a.js';\nexport default { fetch() { return new Response(a); } };\n",
                ),
                ("_worker.js/lib/a.js", b"export default 'a';\n"),
                ("_worker.js/b.mjs", b"export default 2;\n"),
                ("_worker.js/w.wasm", b"\0asm\x01\0\0\0"),
                ("_worker.js/t.txt", b"text"),
                ("_worker.js/x.bin", b"bin"),
                ("_worker.js/index.js.map", b"{}"),
            ],
        );
    });
    let Some((theirs, ours)) = both(root.path(), &["--branch", "work", "--no-bundle"]) else { return };
    assert_eq!(names(&ours), names(&theirs));
    assert_eq!(plain(&ours), plain(&theirs));
    let (_, mut our_modules) = bundle(&ours);
    let (metadata, their_modules) = bundle(&theirs);
    // wrangler gives the main module a random name and wraps it; every other module is compared as it is.
    let main = metadata["main_module"].as_str().unwrap();
    assert_eq!(our_modules.remove(0).0, "index.js");
    let others: Vec<_> = their_modules.into_iter().filter(|(name, _)| name != main && name != "index.js").collect();
    assert_eq!(our_modules, others);
}

#[test]
fn functions_are_compiled_by_the_sites_own_wrangler_and_arrive_alike() {
    let root = repository(|dist| {
        write(dist, &[("index.html", b"x")]);
        let functions = dist.parent().unwrap().join("functions/api");
        fs::create_dir_all(&functions).unwrap();
        fs::write(
            functions.join("[id].ts"),
            "export const onRequestGet = (context: any) => new Response(context.params.id);",
        )
        .unwrap();
        let config = "name = \"other\"\npages_build_output_dir = \"dist\"\ncompatibility_date = \"2026-01-01\"\nvars = { A = \"b\" }\n";
        fs::write(dist.parent().unwrap().join("wrangler.toml"), config).unwrap();
    });
    let Some((theirs, ours)) = both(root.path(), &[]) else { return };
    assert_eq!(names(&ours), names(&theirs));
    assert_eq!(plain(&ours), plain(&theirs));
    let (mut our_metadata, _) = bundle(&ours);
    let (mut their_metadata, _) = bundle(&theirs);
    for metadata in [&mut our_metadata, &mut their_metadata] {
        assert!(metadata["main_module"].is_string());
        metadata["main_module"] = serde_json::Value::Null;
    }
    assert_eq!(our_metadata, their_metadata);
}

//! Ours and real wrangler deploy the same tree to the stand-in, which must see the same of both.

use std::fs;
use std::path::Path;

use emulators::Cloudflare;

use super::arrived::{Arrived, Field, both, git, repository, tools, wrangler};
use crate::support::Step;

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
    let Some((theirs, ours)) = both(root.path(), &["--branch", "work"], &[]) else { return };
    assert_eq!(ours, theirs);
    assert!(ours.fields.iter().any(|field| field.name == "commit_message"));
}

#[test]
fn a_configured_site_and_a_dirty_work_tree_arrive_alike() {
    let root = repository(|dist| {
        write(dist, &[("index.html", b"x"), ("_headers", b""), ("_routes.json", b"{}")]);
        let config = "name = \"other\"\npages_build_output_dir = \"./dist/\"\ncompatibility_date = \"2026-01-01\"\n";
        fs::write(dist.parent().unwrap().join("wrangler.toml"), config).unwrap();
    });
    fs::write(root.path().join("untracked"), "").unwrap();
    let Some((theirs, ours)) = both::<&str>(root.path(), &[], &[]) else { return };
    assert_eq!(ours, theirs);
    let names: Vec<&str> = ours.fields.iter().map(|field| field.name.as_str()).collect();
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
fn plain(arrived: &Arrived) -> Vec<&Field> {
    arrived.fields.iter().filter(|field| field.name != "_worker.bundle").collect()
}

fn names(arrived: &Arrived) -> Vec<&str> {
    arrived.fields.iter().map(|field| field.name.as_str()).collect()
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
    let Some((theirs, ours)) = both(root.path(), &["--no-bundle"], &[]) else { return };
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
    let Some((theirs, ours)) = both(root.path(), &["--branch", "work", "--no-bundle"], &[]) else { return };
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
    let Some((theirs, ours)) = both::<&str>(root.path(), &[], &[]) else { return };
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

/// What wrangler does with the site in `root`, which it calls a success; and our error, which ends with `code`.
fn ours_refuses(root: &Path, code: i32) -> Option<(Cloudflare, String)> {
    let (programs, theirs, ours) = (tools()?, Cloudflare::start(), Cloudflare::start());
    theirs.project("site");
    ours.project("site");
    wrangler(&programs, &root.join("sites/site"), &theirs, &[""; 0]);
    let step = Step::new("pages-deploy-all").cloudflare(&ours).cloudflare_token(&ours).cwd(root);
    let seen = step.run().exits(code);
    assert_eq!(ours.deployments("site").len(), 0);
    Some((theirs, seen.messages("error").concat()))
}

#[test]
fn a_site_that_wrangler_would_blank_is_refused() {
    let root = repository(|dist| write(dist, &[("_headers", b"/*\n  X-A: b\n")]));
    let Some((theirs, said)) = ours_refuses(root.path(), 1) else { return };
    assert!(theirs.deployments("site")[0].manifest.is_empty());
    assert!(said.contains("is empty") && said.contains("blank the site"), "{said}");
}

#[test]
fn a_detached_head_is_no_branch_although_wrangler_takes_it_for_one() {
    let root = repository(|dist| write(dist, &[("index.html", b"x")]));
    git(root.path(), &["checkout", "-q", "--detach"]);
    let Some((theirs, said)) = ours_refuses(root.path(), 2) else { return };
    assert_eq!(theirs.deployments("site")[0].branch.as_deref(), Some("HEAD"));
    assert!(said.contains("help: name it with --branch"), "{said}");
}

/// The line `pages-deploy-detailed`, and the words in it that differ from one deployment to the other.
fn detailed(told: &str) -> (serde_json::Value, [String; 4]) {
    let lines = told.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut lines = lines.filter(|line| line["type"] == "pages-deploy-detailed");
    let (mut line, none) = (lines.next().unwrap(), lines.next());
    assert_eq!(none, None);
    let names = ["timestamp", "url", "deployment_id", "alias"];
    let words = names.map(|name| line[name].as_str().unwrap_or_default().to_owned());
    for (name, word) in names.into_iter().zip(&words) {
        if !word.is_empty() {
            line[name] = "a text".into();
        }
    }
    (line, words)
}

#[test]
fn wranglers_consumers_get_the_line_that_wrangler_writes() {
    let root = repository(|dist| write(dist, &[("index.html", b"x")]));
    for branch in ["main", "feature"] {
        let (Some(programs), theirs, ours) = (tools(), Cloudflare::start(), Cloudflare::start()) else { return };
        theirs.project("site");
        ours.project("site");
        let branch = format!("--branch={branch}");
        let (their_line, [their_time, ..]) =
            detailed(&wrangler(&programs, &root.path().join("sites/site"), &theirs, &[&branch]));
        let outside = tempfile::tempdir().unwrap();
        let path = outside.path().join("told.ndjson");
        let step = Step::new("pages-deploy-all").cloudflare(&ours).cloudflare_token(&ours).cwd(root.path());
        step.env("WRANGLER_OUTPUT_FILE_PATH", &path).arg(&branch).run().exits(0);
        let (mut our_line, [our_time, url, _, alias]) = detailed(&fs::read_to_string(path).unwrap());
        // wrangler knows an alias by its ending `.pages.dev`, which no stand-in's has.
        our_line.as_object_mut().unwrap().remove("alias");
        assert_eq!(our_line, their_line);
        let parsed =
            |time: &str| time.parse::<jiff::Timestamp>().is_ok() && time.len() == "2026-11-21T02:40:00.000Z".len();
        assert!(parsed(&our_time) && parsed(&their_time), "{our_time} {their_time}");
        assert!(
            url.contains(ours.deployments("site")[0].short_id()) && alias.is_empty() == (branch == "--branch=main")
        );
    }
}

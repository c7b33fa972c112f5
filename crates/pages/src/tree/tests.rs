use std::fs;
use std::path::Path;

use super::{FILE_LIMIT, Links, walk};

fn site(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for path in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    root
}

fn paths(root: &Path, links: Links<'_>) -> Vec<String> {
    walk(root, links, &[]).unwrap().files.into_iter().map(|file| file.path).collect()
}

fn refusal(root: &Path) -> String {
    walk(root, Links::Inside(root), &[]).unwrap_err().message
}

#[test]
fn what_wrangler_ignores_is_ignored_and_nothing_else() {
    let root = site(&[
        "index.html",
        "_headers",
        "_redirects",
        "_routes.json",
        "_worker.js",
        "functions/a.js",
        ".wrangler/x",
        ".DS_Store",
        "node_modules/a/index.js",
        ".git/config",
        "sub/_headers",
        "sub/functions/a.js",
        "sub/.wrangler/x",
        "sub/node_modules/x",
        "sub/.DS_Store",
        ".hidden/node_modules/x",
        ".hidden/deep/.DS_Store",
        "Functions/a.js",
        ".assetsignore",
    ]);
    assert_eq!(
        paths(root.path(), Links::Anywhere),
        [
            ".assetsignore",
            ".hidden/deep/.DS_Store",
            ".hidden/node_modules/x",
            "Functions/a.js",
            "index.html",
            "sub/.wrangler/x",
            "sub/_headers",
            "sub/functions/a.js",
        ]
    );
}

#[test]
fn every_file_over_the_limit_is_named() {
    let root = site(&["sub/x"]);
    let sized = |name: &str, size| fs::File::create(root.path().join(name)).unwrap().set_len(size).unwrap();
    sized("big.bin", FILE_LIMIT + 1);
    assert!(refusal(root.path()).ends_with("big.bin` is too large for Pages"));
    sized("sub/bigger.bin", FILE_LIMIT + 2);
    let said = refusal(root.path());
    assert!(said.contains("big.bin` (26214401 bytes), `") && said.contains("sub/bigger.bin` (26214402 bytes) are"));
    sized("big.bin", FILE_LIMIT);
    sized("sub/bigger.bin", FILE_LIMIT);
    assert_eq!(paths(root.path(), Links::Anywhere), ["big.bin", "sub/bigger.bin", "sub/x"]);
}

#[test]
fn every_file_that_looks_like_a_secret_is_named_unless_it_is_allowed() {
    let root = site(&["index.html", ".env.local", "sub/.dev.vars", ".well-known/x", "sub/.npmrc", "node_modules/.env"]);
    let walk = |allowed: &[&str]| {
        let allowed: Vec<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        walk(root.path(), Links::Anywhere, &allowed)
    };
    let fault = walk(&[]).unwrap_err();
    for name in ["/.env.local`", "/sub/.dev.vars`", "/sub/.npmrc` look like"] {
        assert!(fault.message.contains(name), "{}", fault.message);
    }
    assert!(fault.help.unwrap().contains("--allow-file"));
    let fault = walk(&[".env.local", ".npmrc"]).unwrap_err();
    assert!(fault.message.ends_with("/sub/.dev.vars` looks like a file with secrets, and would be public"));
    let walked = walk(&[".env.local", "sub/.dev.vars", ".npmrc"]).unwrap();
    assert_eq!(walked.files.len(), 5);
    assert_eq!((walked.left_out.count, walked.left_out.first), (1, vec!["node_modules/.env".to_owned()]));
}

#[test]
fn what_is_left_out_is_counted_with_the_first_three_names() {
    let names =
        ["node_modules/b/1.js", "node_modules/a/2.js", "node_modules/a/1.js", "node_modules/c", "sub/.DS_Store"];
    let root = site(&[&names[..], &["index.html", "_headers", "functions/api.js"]].concat());
    let left_out = walk(root.path(), Links::Anywhere, &[]).unwrap().left_out;
    assert_eq!(left_out.count, 6);
    assert_eq!(left_out.first, ["functions/api.js", "node_modules/a/1.js", "node_modules/a/2.js"]);
    // The functions of a site that publishes its whole folder are compiled.
    assert_eq!(walk(root.path(), Links::Inside(root.path()), &[]).unwrap().left_out.count, 5);
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::super::{Links, walk};
    use super::{paths, refusal, site};

    #[test]
    fn links_inside_the_site_are_followed() {
        let root = site(&["dist/index.html", "shared/a.css"]);
        symlink(root.path().join("shared"), root.path().join("dist/css")).unwrap();
        symlink("index.html", root.path().join("dist/home.htm")).unwrap();
        let seen = paths(&root.path().join("dist"), Links::Inside(root.path()));
        assert_eq!(seen, ["css/a.css", "home.htm", "index.html"]);
    }

    #[test]
    fn a_link_that_leads_outside_is_refused_unless_asked_for() {
        let (root, outside) = (site(&["index.html"]), site(&["secret"]));
        symlink(outside.path().join("secret"), root.path().join("key")).unwrap();
        let fault = walk(root.path(), Links::Inside(root.path()), &[]).unwrap_err();
        assert!(fault.message.contains("key` leads outside"), "{fault:?}");
        assert!(fault.help.unwrap().contains("--follow-outside"));
        assert_eq!(paths(root.path(), Links::Anywhere), ["index.html", "key"]);
    }

    #[test]
    fn a_broken_link_is_named_even_where_its_name_is_ignored() {
        let root = site(&["index.html"]);
        symlink("nowhere", root.path().join("_headers")).unwrap();
        assert!(refusal(root.path()).contains("_headers` leads nowhere"));
    }

    #[test]
    fn a_link_to_a_folder_above_is_a_loop() {
        let root = site(&["a/b/index.html"]);
        symlink(root.path().join("a"), root.path().join("a/b/up")).unwrap();
        assert!(refusal(root.path()).contains("up` leads back"));
    }

    #[test]
    fn a_name_that_is_not_utf8_is_shown() {
        let root = site(&["index.html"]);
        std::fs::write(root.path().join(OsStr::from_bytes(b"a\xff.html")), "x").unwrap();
        assert!(refusal(root.path()).contains("is not UTF-8"));
    }

    #[test]
    fn a_socket_is_refused_and_not_opened() {
        let root = site(&["index.html"]);
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("live")).unwrap();
        assert!(refusal(root.path()).contains("live` is neither a file nor a folder"));
    }
}

//! Holds the Cloudflare stand-in to the real client: wrangler deploys to it, and what it deployed is served.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr, reason = "a test's own surroundings")]

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use emulators::Cloudflare;
use emulators::http::Fault;

/// The folder with wrangler and the Node that it wants, as `./check` installs them.
fn tools() -> Option<PathBuf> {
    let named = std::env::var_os("DEPLOY_ACTION_TOOLS").map(PathBuf::from);
    let tools = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools"));
    let programs = tools.join("node_modules/.bin");
    if programs.join("wrangler").exists() {
        return Some(programs);
    }
    assert!(std::env::var_os("CI").is_none(), "wrangler is absent from {}: ./check installs it", tools.display());
    eprintln!("skipped: wrangler is absent from {}: ./check installs it", tools.display());
    None
}

fn wrangler(programs: &Path, cloudflare: &Cloudflare, site: &Path, project: &str) -> Output {
    Command::new(programs.join("wrangler"))
        .args(["pages", "deploy", "dist", "--branch", "main", "--project-name", project])
        .current_dir(site)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("HOME", site)
        .env("CI", "true")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CLOUDFLARE_API_BASE_URL", cloudflare.url())
        .env("CLOUDFLARE_ACCOUNT_ID", cloudflare.account())
        .env("CLOUDFLARE_API_TOKEN", cloudflare.token())
        .output()
        .unwrap()
}

fn site() -> tempfile::TempDir {
    let site = tempfile::tempdir().unwrap();
    let dist = site.path().join("dist");
    std::fs::create_dir_all(dist.join("sub")).unwrap();
    for (name, text) in [
        ("index.html", "<h1>hello</h1>"),
        ("sub/data.JSON", "{}"),
        ("café ☃.txt", "unicode"),
        ("same.txt", "unicode"),
        (".dotfile", ""),
        ("_headers", "/*\n  X-Deployed-By: wrangler\n"),
        ("_redirects", "/old /sub/data.JSON 301\n"),
    ] {
        std::fs::write(dist.join(name), text).unwrap();
    }
    site
}

/// Status, head and body of a GET; a `.localhost` name is always this machine.
fn get(url: &str) -> (u16, String, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let port: u16 = host.rsplit(':').next().unwrap().parse().unwrap();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
}

#[test]
fn wrangler_deploys_a_site_and_the_stand_in_serves_it() {
    let Some(programs) = tools() else { return };
    let cloudflare = Cloudflare::start();
    cloudflare.project("docs");
    let site = site();
    let done = wrangler(&programs, &cloudflare, site.path(), "docs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let deployments = cloudflare.deployments("docs");
    assert_eq!(deployments.len(), 1);
    assert!(deployments[0].production && deployments[0].succeeded());
    let paths: Vec<&str> = deployments[0].manifest.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/.dotfile", "/café ☃.txt", "/index.html", "/same.txt", "/sub/data.JSON"]);
    assert_eq!(cloudflare.live("docs"), Some(deployments[0].id.clone()));

    let address = format!("{}/", cloudflare.site("docs"));
    let (status, head, body) = get(&address);
    assert_eq!((status, body.as_str()), (200, "<h1>hello</h1>"));
    assert!(head.contains("x-deployed-by: wrangler"), "{head}");
    assert_eq!(get(&format!("{address}old")).0, 301);
    assert_eq!(get(&format!("{address}caf%C3%A9%20%E2%98%83.txt")).2, "unicode");
}

#[test]
fn wrangler_is_refused_where_the_real_service_refuses_it() {
    let Some(programs) = tools() else { return };
    let cloudflare = Cloudflare::start();
    let site = site();
    assert!(!wrangler(&programs, &cloudflare, site.path(), "absent").status.success());

    cloudflare.project("docs");
    cloudflare.fail("GET */upload-token", Fault::status(502));
    assert!(!wrangler(&programs, &cloudflare, site.path(), "docs").status.success());
    assert_eq!(cloudflare.deployments("docs").len(), 0);
}

//! A deployed site, opened in a real browser: types, encodings, rules and clean addresses are what a visitor's program makes of them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use emulators::Cloudflare;
use serde_json::{Value, json};

use super::honest;
use crate::support::{Step, peer};

/// Far more than it takes; a browser that hangs is ended.
const LIMIT: Duration = Duration::from_secs(90);

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="/css/gr%C3%BCn%20%231.css">
<pre id="seen"></pre>
<script>document.title = "an inline script ran"</script>
<script type="module" src="/js/h%C3%A4upt.mjs"></script>
"#;

/// Writes down what it finds. A module runs only under a JavaScript type, since the answers say `nosniff`.
const MODULE: &str = r#"
import { part } from "./teil.mjs";
const moved = await fetch("/old?x=1");
const about = await fetch("/about");
const absent = await fetch("/nowhere");
const data = await fetch("/data/%E2%98%83.json");
document.getElementById("seen").textContent = JSON.stringify({
  part,
  title: document.title,
  color: getComputedStyle(document.body).color,
  moved: [moved.redirected, new URL(moved.url).pathname + new URL(moved.url).search, await moved.text()],
  about: [about.status, await about.text()],
  absent: [absent.status, await absent.text()],
  header: data.headers.get("x-deployed"),
  data: await data.json(),
});
"#;

fn site(cloudflare: &Cloudflare) -> Step {
    cloudflare.project("docs");
    Step::new("pages-deploy-all")
        .cloudflare(cloudflare)
        .cloudflare_token(cloudflare)
        .env("GITHUB_REF_NAME", "main")
        .file("sites/docs/dist/index.html", PAGE)
        .file("sites/docs/dist/404.html", "not here")
        .file("sites/docs/dist/about.html", "about us")
        .file("sites/docs/dist/new/index.html", "moved here")
        .file("sites/docs/dist/css/gr\u{fc}n #1.css", "body { color: rgb(1, 2, 3) }")
        .file("sites/docs/dist/js/h\u{e4}upt.mjs", MODULE)
        .file("sites/docs/dist/js/teil.mjs", "export const part = 'caf\u{e9}';")
        .file("sites/docs/dist/data/\u{2603}.json", r#"{"snow": true}"#)
        .file("sites/docs/dist/_redirects", "/old /new/ 302\n")
        .file("sites/docs/dist/_headers", "/*\n  X-Deployed: yes\n  Content-Security-Policy: script-src 'self'\n")
}

/// The document at `address` after its scripts have run, as the browser prints it.
fn open(chromium: &Path, address: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                 --disable-component-update --disable-sync --disable-dev-shm-usage --virtual-time-budget=20000 --dump-dom";
    let child = Command::new(chromium)
        .args(flags.split_whitespace())
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(address)
        .env("HOME", profile.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    within(child)
}

fn within(mut child: Child) -> String {
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::read_to_string(&mut stdout).unwrap());
    let end = Instant::now() + LIMIT;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    reader.join().unwrap()
}

/// What the module wrote down.
fn seen(document: &str) -> Value {
    let text = document.split("<pre id=\"seen\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    serde_json::from_str(text.unwrap_or_default()).unwrap_or_else(|error| panic!("{error} in {document}"))
}

#[test]
fn a_browser_opens_what_was_deployed() {
    let Some(chromium) = peer("chromium") else { return };
    let cloudflare = Cloudflare::start();
    honest::run(&cloudflare, site(&cloudflare)).exits(0);
    let expected = json!({
        "part": "caf\u{e9}",
        // The policy forbids inline scripts.
        "title": "",
        "color": "rgb(1, 2, 3)",
        "moved": [true, "/new/?x=1", "moved here"],
        "about": [200, "about us"],
        "absent": [404, "not here"],
        "header": "yes",
        "data": {"snow": true},
    });
    assert_eq!(seen(&open(&chromium, &cloudflare.site("docs"))), expected);
    // Its own address serves the same, and so does a preview's branch.
    let step = site(&cloudflare).env("GITHUB_HEAD_REF", "Feature/\u{fc}");
    let document = honest::run(&cloudflare, step).exits(0).json();
    for address in ["url", "alias"] {
        let address = document["sites"][0][address].as_str().unwrap();
        assert_eq!(seen(&open(&chromium, address)), expected, "{address}");
    }
}

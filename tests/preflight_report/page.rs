//! `--format html`, opened from a file in a real browser, as a reader does.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{FAILED, PASSED, step};
use crate::support::{Browser, Seen};

/// What the browser is asked about the page.
const LOOK: &str = include_str!("page.js");

/// A page that stays on disk for the test.
struct Page {
    folder: tempfile::TempDir,
    seen: Seen,
}

impl Page {
    fn of(report: &str, code: i32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        let seen =
            step(["--rerun", "just pre-deploy", "--write"]).arg(format!("html={}", file.display())).stdin(report);
        let seen = seen.file("src/index.ts", "").run().exits(code);
        Self { folder, seen }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("report.html")
    }
}

/// Looks at the page in every width and scheme of colours, and checks what holds in all of them.
fn looks(browser: &Browser, page: &Page) -> Vec<Value> {
    let mut looks = Vec::new();
    let mut pictures = Vec::new();
    for (width, scheme) in [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")] {
        browser.requests();
        browser.open(&page.file(), width, scheme);
        let look = browser.run(LOOK);
        let name = format!("{width} {scheme}");
        assert_eq!(browser.requests(), [format!("file://{}", page.file().display())], "{name}");
        assert!(look["scrolls"].as_i64().unwrap() <= 0, "{name} scrolls: {}", look["wide"]);
        assert_eq!(look["wide"], json!([]), "{name}");
        assert!(look["fold"].as_f64().unwrap() > 0.0, "{name}: the verdict is below the fold");
        assert!(look["texts"].as_u64().unwrap() > 20, "{name}: {look}");
        assert!(look["worst"]["ratio"].as_f64().unwrap() >= 4.5, "{name}: {}", look["worst"]);
        assert_eq!(
            (&look["language"], &look["tables"], &look["focusable"]),
            (&json!("en"), &json!(true), &json!(true))
        );
        let levels: Vec<u64> = look["levels"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        assert!(levels[0] == 1 && levels[1..].iter().all(|level| *level > 1), "{name}: {levels:?}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{name}: {levels:?}");
        pictures.push(browser.screenshot());
        looks.push(look);
    }
    let text = |at: usize| looks[at]["text"].as_str().unwrap();
    assert!((1..4).all(|at| text(at) == text(0)), "a width or a scheme hides a text");
    assert_ne!(looks[0]["back"], looks[1]["back"], "the schemes do not differ");
    assert!(pictures[0] != pictures[1] && pictures[2] != pictures[3], "the schemes look the same");
    looks
}

#[test]
fn a_browser_shows_the_verdict_the_findings_and_the_critical_path_of_a_failed_run() {
    let Some(browser) = Browser::start() else { return };
    let page = Page::of(FAILED, 1);
    for look in looks(&browser, &page) {
        let text = look["text"].as_str().unwrap();
        for part in [
            "Failed: do not deploy",
            "2 of 10 checks failed",
            "src/index.ts:45:9",
            "Type 'string' is not assignable to type 'number'.",
            "could not connect to server",
            "just pre-deploy",
            "Critical path",
            "exit code 1",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(look["bars"].as_u64().unwrap() >= 10, "{look}");
        assert!(!look["critical"].as_array().unwrap().is_empty(), "{look}");
    }
    assert!(page.seen.stdout.contains("RESULT: FAILED"), "{}", page.seen.stdout);
}

#[test]
fn a_browser_shows_a_passed_run_and_one_made_of_hostile_text() {
    let Some(browser) = Browser::start() else { return };
    let page = Page::of(PASSED, 0);
    for look in looks(&browser, &page) {
        let text = look["text"].as_str().unwrap();
        assert!(text.contains("Ready to deploy") && text.contains("10 of 10 checks passed"), "{text}");
    }
    let evil = "<img src=http://127.0.0.1:9/x onerror=\"document.title='ran'\"></pre><script>document.title='ran'</script>\u{202e}";
    let long = "x".repeat(3000);
    let report = json!({"result": "failed", "stages": {evil: {"checks": [
        {"name": evil, "status": "failed", "error": format!("{evil}\n{long}"), "duration": 1.5},
        {"name": long, "status": "passed", "duration": 2.5}]}}});
    let page = Page::of(&report.to_string(), 1);
    for look in looks(&browser, &page) {
        let text = look["text"].as_str().unwrap();
        assert!(text.contains("onerror=\"document.title='ran'\"") && text.contains("⟨U+202E⟩"), "{text}");
    }
    assert_ne!(browser.run("return document.title"), "ran");
}

#[test]
fn without_scripts_the_page_says_the_same_and_its_folds_open() {
    let Some(browser) = Browser::start() else { return };
    let mut report: Value = serde_json::from_str(FAILED).unwrap();
    report["title"] = "No scripts".into();
    let page = Page::of(&report.to_string(), 1);
    browser.open(&page.file(), 1280, "light");
    let with = browser.run("return document.body.innerText");
    browser.scripts(false);
    browser.open(&page.file(), 1280, "light");
    browser.scripts(true);
    assert_eq!(browser.run("return document.body.innerText"), with);
    let html = std::fs::read_to_string(page.file()).unwrap();
    assert!(!html.contains("<script") && html.contains("<details"), "{html}");
}

#[test]
fn the_page_on_stdout_is_the_page_in_the_file_and_keeps_the_exit_code() {
    let page = Page::of(FAILED, 1);
    let printed =
        step(["--rerun", "just pre-deploy", "--format", "html"]).stdin(FAILED).file("src/index.ts", "").run().exits(1);
    // The time at which a report without times was read differs.
    let without_time = |page: &str| page.split("<dt>Started</dt>").next().unwrap().to_owned();
    assert_eq!(without_time(&printed.stdout), without_time(&std::fs::read_to_string(page.file()).unwrap()));
    assert!(printed.stdout.starts_with("<!doctype html>\n"));
}

//! What the job summary and the documents show of a run: addresses, each site's own time, the end of a failed build's log.

use emulators::Cloudflare;
use serde_json::Value;

use super::step;

fn site<'a>(document: &'a Value, name: &str) -> &'a Value {
    document["sites"].as_array().unwrap().iter().find(|site| site["site"] == name).unwrap()
}

#[test]
fn a_preview_is_shown_with_its_environment_and_the_address_of_its_branch() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).args(["--branch", "feature"]).run().exits(0);
    for project in ["docs", "shop"] {
        let row = seen.summary.lines().find(|line| line.starts_with(&format!("| ✅ | {project} |"))).unwrap();
        let short = cloudflare.deployments(project)[0].short_id().to_owned();
        for part in [&format!("{short}.{project}.localhost"), &format!("feature.{project}.localhost"), "preview, "] {
            assert!(row.contains(part), "{part}: {row}");
        }
    }
    let seen = step(&cloudflare).run().exits(0);
    assert!(seen.summary.contains("production, "), "{}", seen.summary);
}

#[test]
fn what_was_not_uploaded_is_not_counted_in_the_summary() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).run().exits(0);
    assert!(seen.summary.contains("1 uploaded"), "{}", seen.summary);
    let seen = step(&cloudflare).args(["--format", "json"]).run().exits(0);
    assert!(!seen.summary.contains("0 uploaded") && !seen.summary.contains("0 B"), "{}", seen.summary);
    // A program still reads the number.
    assert_eq!(site(&seen.json(), "docs")["uploaded"], 0);
}

#[test]
fn a_failed_builds_log_is_in_the_summary_and_each_site_is_listed_once() {
    let cloudflare = Cloudflare::start();
    let script = r#"{"scripts": {"build": "echo no such module >&2; echo token $NPM_TOKEN; exit 7"}}"#;
    let seen = step(&cloudflare)
        .file("sites/shop/package.json", script)
        .workflow_secret("NPM_TOKEN", "npm-5d1f8a2c7e")
        .args(["--build-env", "NPM_TOKEN", "--format", "json"])
        .run()
        .exits(1);
    let text = &seen.summary;
    assert!(text.contains("exit code 7") && text.contains("no such module\ntoken ***\n"), "{text}");
    let rows = |name: &str| text.lines().filter(|line| line.starts_with("| ") && line.contains(name)).count();
    assert_eq!((rows("docs |"), rows("shop |")), (1, 1), "{text}");
    assert!(seen.stderr.contains("shop │ no such module"), "{}", seen.stderr);
}

#[test]
fn each_site_has_the_times_of_its_own_phases() {
    let cloudflare = Cloudflare::start();
    let slow = r#"{"scripts": {"build": "sleep 2; mkdir -p dist; echo x > dist/index.html"}}"#;
    let seen = step(&cloudflare).file("sites/shop/package.json", slow).args(["--format", "json"]).run().exits(0);
    let document = seen.json();
    let seconds = |name: &str, key: &str| site(&document, name)[key].as_f64();
    let build = seconds("shop", "build_seconds").unwrap();
    assert!(build >= 2.0, "{document:#}");
    assert_eq!(seconds("docs", "build_seconds"), None);
    // What a site waits for another one is not in its time, but in the run's.
    assert!(seconds("docs", "duration_seconds").unwrap() < build, "{document:#}");
    assert!(document["duration_seconds"].as_f64().unwrap() >= build, "{document:#}");
    for name in ["docs", "shop"] {
        let phases = ["build_seconds", "upload_seconds", "deploy_seconds"].map(|key| seconds(name, key).unwrap_or(0.0));
        assert!((phases.iter().sum::<f64>() - seconds(name, "duration_seconds").unwrap()).abs() < 1e-6);
    }
    // The timeline has a bar for each of them; the one on the critical path is marked.
    let is_bar = |line: &&str| line.contains(" :done, ") || line.contains(" :active, ");
    let bars: Vec<&str> = seen.summary.lines().filter(is_bar).collect();
    assert_eq!(bars.len(), 2, "{}", seen.summary);
}

//! What must stay hidden is in no rendering, file or record, whether anything is published or not.

use super::step;
use crate::support::Step;

const SECRET: &str = "hunter2-secret";

/// Every rendering that can be written.
const FORMATS: [&str; 10] =
    ["text", "json", "jsonl", "html", "markdown", "junit", "ctrf", "sarif", "agent", "annotations"];

fn written(step: Step) -> Step {
    FORMATS.iter().fold(step, |step, format| step.arg("--write").arg(format!("{format}=w.{format}")))
}

fn leaks(read: impl Fn(&str) -> Option<String>) -> Vec<&'static str> {
    let holds = |format: &&&str| read(&format!("w.{format}")).unwrap().contains(SECRET);
    FORMATS.iter().filter(holds).copied().collect()
}

#[test]
fn a_registered_mask_is_in_no_file_and_no_summary_without_any_publishing_option() {
    let script = format!("echo '::add-mask::{SECRET}'; echo 'a.c:1:2: error: pw {SECRET}'; exit 1");
    let seen = written(step(["--format", "json"])).args(["--", "sh", "-c"]).arg(&script).run().exits(1);
    assert_eq!(leaks(|path| seen.read(path)), [""; 0]);
    assert!(!seen.summary.contains(SECRET) && !seen.stdout.contains(SECRET), "{}", seen.stdout);
    assert!(seen.stdout.contains("pw ***"), "{}", seen.stdout);
}

#[test]
fn a_variable_named_by_mask_env_is_in_no_record() {
    for format in ["text", "jsonl"] {
        let step = written(step(["--mask-env", "TOK", "--format", format])).env("TOK", SECRET);
        let seen = step.args(["--", "sh", "-c", "echo \"a.c:1:2: error: $TOK\"; exit 1"]).run().exits(1);
        assert_eq!(leaks(|path| seen.read(path)), [""; 0]);
        assert!(!seen.stdout.contains(SECRET), "{}", seen.stdout);
    }
}

#[test]
fn a_plan_prints_and_keeps_no_secret() {
    let plan = "[[stage]]\nname = \"a\"\n[[stage.check]]\nname = \"b\"\ninputs = [\"p.toml\"]\n\
        run = \"echo ::add-mask::$TOK; echo a.c:1:2: warning: pw $TOK\"\n";
    let arguments: Vec<String> = FORMATS.iter().map(|format| format!("--write {format}=w.{format}")).collect();
    let script =
        format!("preflight-report --plan p.toml --format jsonl {}; cat cache/*.json > kept", arguments.join(" "));
    let step = Step::script(&script).env("TOK", SECRET).env("PREFLIGHT_REPORT_CACHE_DIR", "cache");
    let seen = step.file("p.toml", plan).run().exits(0);
    assert_eq!(leaks(|path| seen.read(path)), [""; 0]);
    assert!(seen.stdout.contains("pw ***") && !seen.stdout.contains(SECRET), "{}", seen.stdout);
    let kept = seen.read("kept").unwrap();
    assert!(kept.contains("pw ***") && !kept.contains(SECRET), "{kept}");
}

#[test]
fn a_mask_of_a_green_job_is_not_needed_by_the_job_that_publishes() {
    let script = format!(
        "preflight-report --write jsonl=m.jsonl -- sh -c 'echo \"::add-mask::{SECRET}\"; echo \"a.c:1:2: warning: pw {SECRET}\"' >/dev/null 2>&1
        preflight-report --comment --check-run --preview m.jsonl"
    );
    let seen = Step::script(&script).run().exits(0);
    assert!(seen.stdout.contains("pw ") && !seen.stdout.contains(SECRET), "{}", seen.stdout);
    assert!(!seen.read("m.jsonl").unwrap().contains(SECRET));
}

#[test]
fn thousands_of_masks_all_count() {
    let script =
        "for i in $(seq -w 2000); do echo \"::add-mask::secret-value-$i\"; done; echo 'leak secret-value-1500'; exit 1";
    let seen = step(["--format", "json", "--", "sh", "-c", script]).run().exits(1);
    assert!(seen.stdout.contains("leak ***\\n") || seen.stdout.contains("leak ***\""), "{}", seen.stdout);
}

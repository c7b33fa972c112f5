//! Records of several jobs, shards and attempts of one workflow run.

use crate::support::Step;

const GOOD: &str = "<testsuite><testcase name=\"a\"/></testsuite>";
const BAD: &str = "<testsuite><testcase name=\"a\"><failure message=\"boom\"/></testcase></testsuite>";
const CLEAN: &str = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"ruff"}},"results":[]}]}"#;

fn script(text: &str) -> Step {
    let job =
        "job() { GITHUB_RUN_ATTEMPT=$1 preflight-report --no-summary --format jsonl $2 > $3 2>/dev/null || true; }\n";
    let step = Step::script(&format!("{job}{text}")).env("GITHUB_SHA", "5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718");
    step.file("good.xml", GOOD).file("bad.xml", BAD).file("clean.sarif", CLEAN)
}

#[test]
fn a_job_that_is_run_again_does_not_hide_another_one_that_failed() {
    for format in ["text", "agent", "markdown"] {
        let text = format!(
            "job 1 bad.xml unit.jsonl; job 2 clean.sarif lint.jsonl; preflight-report --format {format} unit.jsonl lint.jsonl"
        );
        let seen = script(&text).run().exits(1);
        assert!(seen.stdout.contains("boom"), "{}", seen.stdout);
    }
}

#[test]
fn the_job_that_failed_is_run_again_and_the_green_ones_stay() {
    let text = "job 1 unit=bad.xml unit.1; job 1 clean.sarif lint.1; job 2 unit=good.xml unit.2; \
        preflight-report --format agent unit.1 lint.1 unit.2";
    let seen = script(text).run().exits(0);
    assert_eq!(seen.stdout, "passed 2/2 checks, 1 test\n");
    let text = text.replace("--format agent", "--format text");
    let seen = script(&text).run().exits(0);
    assert!(seen.stdout.contains("attempt 1 of Checks: checks/unit is replaced by attempt 2"), "{}", seen.stdout);
}

#[test]
fn a_shard_of_which_nothing_came_is_missed_unless_the_report_is_about_one() {
    let records = |shard: &str| {
        let line = |event: &str| format!("{{\"v\":1,\"run\":\"c.1\",\"shard\":\"{shard}\",\"event\":{event}}}\n");
        line(r#""run_started","tool":"pages-deploy-all","plan":["sites/a"]"#)
            + &line(r#""check_finished","check":"sites/a","status":"passed""#)
            + &line(r#""run_finished","result":"passed""#)
    };
    let one = |arguments: &str| {
        Step::script(&format!("preflight-report --format agent {arguments}")).file("1", records("1/3")).run()
    };
    let seen = one("1").exits(3);
    assert!(seen.stdout.contains("shards 2/3, 3/3 of pages-deploy-all have not reported"), "{}", seen.stdout);
    one("--leg 1/3 1").exits(0);
    one("-- cat 1").exits(0);
    let all = Step::script("cat 1 2 3 | preflight-report");
    all.file("1", records("1/3")).file("2", records("2/3")).file("3", records("3/3")).run().exits(0);
}

//! `--write`: what is a file is replaced as a whole, what is none is written into, and a place that cannot be written loses no verdict.

use super::step;
use crate::support::Step;

const GOOD: &str = "<testsuite><testcase name=\"a\"/></testsuite>";
const BAD: &str = "<testsuite><testcase name=\"a\"><failure message=\"boom\"/></testcase></testsuite>";

#[test]
fn a_fifo_and_stdout_get_the_text_and_stay_what_they_are() {
    let script = "mkfifo pipe; cat pipe > read & \
        preflight-report --write json=pipe --write agent=/dev/stdout --format markdown a.xml > out; wait; cat read out; test -p pipe";
    let seen = Step::script(script).file("a.xml", GOOD).run().exits(0);
    assert!(seen.stdout.contains("\"kind\": \"preflight_report\""), "{}", seen.stdout);
    assert!(seen.stdout.contains("passed 1/1 checks, 1 test\n") && seen.stdout.contains("## ✅"), "{}", seen.stdout);
}

#[test]
fn a_link_is_followed_and_the_file_behind_it_keeps_its_mode() {
    let script = "mkdir there; echo old > there/file; chmod 600 there/file; ln -s there/file link; \
        preflight-report --write agent=link a.xml; stat -c '%F %a' link there/file; cat there/file";
    let seen = Step::script(script).file("a.xml", GOOD).run().exits(0);
    let end = "symbolic link 777\nregular file 600\npassed 1/1 checks, 1 test\n";
    assert!(seen.stdout.ends_with(end), "{}", seen.stdout);
}

#[test]
fn what_is_read_or_belongs_to_the_runner_is_not_replaced_and_nothing_runs() {
    let plan = "[[stage]]\nname = \"a\"\n[[stage.check]]\nname = \"b\"\nrun = \"touch ran\"\n";
    for (arguments, why) in [
        ("--write html=a.xml ./a.xml", "which is a report that is read"),
        ("--write html=a.xml -- touch ran", ""),
        ("--write html=r.xml --report '*.xml' -- touch ran", "which is a report of the command"),
        ("--write html=p.toml --plan p.toml", "which is the plan"),
        ("--write html=log --log log -- touch ran", "which is the file of --log"),
        ("--write html=x --write json=./x -- touch ran", "two `--write` name"),
        ("--write markdown=$GITHUB_STEP_SUMMARY -- touch ran", "the runner's file of GITHUB_STEP_SUMMARY"),
        ("--write html=a.xml/x -- touch ran", "cannot write `a.xml/x`"),
        ("--write html=. -- touch ran", "cannot write `.`"),
        ("--baseline no-such.json -- touch ran", "cannot read the baseline"),
    ] {
        let step = Step::script(&format!("touch log; preflight-report {arguments}"));
        let seen = step.file("a.xml", BAD).file("p.toml", plan).run();
        if why.is_empty() {
            assert_eq!((seen.code, seen.read("ran").is_some()), (0, true), "{}", seen.stderr);
            continue;
        }
        assert!(seen.code == 2 && seen.stderr.contains(why), "{arguments}: {} {}", seen.code, seen.stderr);
        assert!(seen.read("ran").is_none(), "{arguments}");
        assert_eq!(seen.read("a.xml").as_deref(), Some(BAD), "{arguments}");
    }
    let seen = step(["--to", "output", "--", "touch", "ran"]).plain().run().exits(2);
    assert!(seen.read("ran").is_none());
}

#[test]
fn a_place_that_cannot_be_written_in_the_end_loses_neither_the_verdict_nor_the_rest() {
    // The folder is taken away by the command.
    let run = |end: &str| {
        let script = format!("rm -r out; touch out; {end}");
        step(["--write", "html=out/x.html", "--write", "json=report.json", "--format", "agent", "--", "sh", "-c"])
            .arg(script)
            .file("out/old", "")
            .run()
    };
    for (end, code, first) in [("exit 1", 1, "failed 1/1 checks"), ("true", 2, "passed 1/1 checks")] {
        let seen = run(end).exits(code);
        assert!(seen.stdout.starts_with(first), "{}", seen.stdout);
        assert!(
            seen.messages("error").iter().any(|text| text.starts_with("cannot write `out/x.html`")),
            "{}",
            seen.stderr
        );
        let document: serde_json::Value = serde_json::from_str(&seen.read("report.json").unwrap()).unwrap();
        assert_eq!(document["exit_code"], code);
        assert!(!seen.summary.is_empty());
    }
    // A device that takes nothing, on a link of ours.
    let full = "ln -s /dev/full full; preflight-report --write json=full --format agent a.xml";
    let seen = Step::script(full).file("a.xml", BAD).run().exits(1);
    assert!(seen.stdout.starts_with("failed 1/1") && seen.stderr.contains("cannot write `full`"), "{}", seen.stderr);
    let seen = Step::script("preflight-report --write json=r.json a.xml >/dev/full").file("a.xml", GOOD).run().exits(2);
    assert!(seen.read("r.json").unwrap().contains("\"exit_code\": 2"));
}

#[test]
fn a_folder_that_is_not_there_is_made() {
    let seen = step(["--write", "agent=made/here/r.txt", "a.xml"]).file("a.xml", GOOD).run().exits(0);
    assert_eq!(seen.read("made/here/r.txt").as_deref(), Some("passed 1/1 checks, 1 test\n"));
}

#[test]
fn what_cannot_be_read_beside_a_command_does_not_hide_how_it_ended() {
    let seen = step(["--format", "agent", "no-such-*.xml", "--", "sh", "-c", "exit 1"]).run().exits(1);
    assert!(seen.stdout.starts_with("failed 1/1 checks: checks/sh exit code 1"), "{}", seen.stdout);
    assert!(seen.stderr.contains("cannot read `no-such-*.xml`"), "{}", seen.stderr);
    step(["no-such-*.xml", "--", "true"]).run().exits(2);
    let seen = step(["--format", "agent", "a.xml", "no-such.xml"]).file("a.xml", GOOD).run().exits(1);
    assert!(seen.stdout.contains("`no-such.xml` cannot be read: No such file"), "{}", seen.stdout);
    let seen = step(["--format", "agent", "--baseline", "base", "a.xml"]).file("a.xml", BAD).file("base", "{").run();
    assert!(seen.code == 1 && seen.stdout.starts_with("failed 1/1"), "{}{}", seen.stdout, seen.stderr);
}

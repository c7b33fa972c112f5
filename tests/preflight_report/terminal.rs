//! `preflight-report -- COMMAND` on a terminal, which `terminal.py` plays.

use serde_json::{Value, json};

use crate::support::Step;

/// Runs `command` on a terminal of 31 rows and 97 columns: everything that was written to it, and the exit code.
fn play(steps: &Value, command: &str) -> Option<(String, i64)> {
    let watched = Step::watch(|step| step, (31, 97), steps, command)?;
    assert!(watched.restored, "{}", watched.text);
    Some((watched.text, watched.code))
}

#[test]
fn the_command_keeps_its_colours_and_the_width_of_the_terminal_and_is_still_read() {
    let report = "<testsuite><testcase name=\"adds\"><failure message=\"boom\"/></testcase></testsuite>";
    let script = format!(
        "test -t 1 && test -t 2 && stty size <&1; printf \"\\033[31mred\\033[0m\\n\"; printf \"%s\\n\" '\"'\"'{report}'\"'\"'"
    );
    let command = format!("exec preflight-report --format agent -- sh -c '{script}'");
    let Some((text, code)) = play(&json!([]), &command) else { return };
    assert!(text.starts_with(&format!("31 97\n\u{1b}[31mred\u{1b}[0m\n{report}\n")), "{text:?}");
    assert!(text.contains("failed 1/1 checks: checks/sh adds: boom"), "{text}");
    assert_eq!(code, 1);
}

#[test]
fn the_command_learns_of_a_new_size() {
    let script = r#"echo ready; for turn in $(seq 200); do stty size <&2 | grep -q "^40 120" && echo grown && exit 0; sleep 0.05; done; exit 1"#;
    let command = format!("exec preflight-report --format agent -- sh -c '{script}'");
    let Some((text, code)) = play(&json!([["ready", { "resize": [40, 120] }]]), &command) else { return };
    assert!(text.contains("grown") && code == 0, "{text}");
}

#[test]
fn an_interrupt_from_the_keyboard_ends_the_command_and_the_report_is_written() {
    let command = "exec preflight-report --format agent -- sh -c 'echo ready; exec sleep 60'";
    let Some((text, code)) = play(&json!([["ready", { "type": "\u{3}" }]]), command) else { return };
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("failed 1/1 checks"), "{text}");
}

#[test]
fn what_is_typed_reaches_the_command() {
    let script =
        r#"printf "Go on? "; read -r answer; test "$answer" = yes; read -r again < /dev/tty; test "$again" = sure"#;
    let command = format!("exec preflight-report --format agent -- sh -ec '{script}'");
    let steps = json!([["Go on? ", { "type": "yes\r" }], ["yes", { "type": "sure\r" }]]);
    let Some((text, code)) = play(&steps, &command) else { return };
    assert!(text.contains("passed 1/1 checks"), "{text}");
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_command_that_handles_an_interrupt_from_the_keyboard_ends_the_run_all_the_same() {
    // It gets the signal once, from the terminal, and cleans up; what it started hears it too.
    let script = r#"n=0; trap "n=1\$n; echo heard \$n" INT; trap "exit 0" EXIT; echo ready; while [ $n = 0 ]; do sleep 0.05; done; sleep 0.3; echo cleaned"#;
    let command = format!("exec preflight-report --format json --write json=r.json -- sh -c '{script}'; cat r.json");
    let Some((text, code)) = play(&json!([["ready", { "type": "\u{3}" }]]), &command) else { return };
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("heard 10\n") && !text.contains("heard 110") && text.contains("cleaned"), "{text}");
    assert!(text.contains("\"exit_code\": 130"), "{text}");
}

#[test]
fn a_stop_from_the_keyboard_stops_the_run_and_going_on_goes_on() {
    let steps =
        json!([["ready", { "type": "\u{1a}" }], ["stopped 1", { "go_on": true }], ["awake", { "type": "hm\r" }]]);
    let script = r#"trap "printf awake" CONT; echo ready; until read -r word; do :; done; echo "got $word""#;
    let command = format!("exec preflight-report --format agent -- sh -c '{script}'");
    let Some(watched) = Step::watch(|step| step, (31, 97), &steps, &command) else { return };
    assert_eq!((watched.code, watched.stops, watched.restored), (0, 1, true), "{}", watched.text);
    assert!(watched.text.contains("got hm\n") && watched.text.contains("passed 1/1 checks"), "{}", watched.text);
}

#[test]
fn a_run_in_the_background_leaves_the_terminal_to_the_job_in_the_foreground() {
    let command = "preflight-report --format agent -- sh -c \"read -r x || echo nothing to read\" & wait $!; read -r y; echo got $y";
    let Some((text, code)) = play(&json!([["passed 1/1", { "type": "mine\r" }]]), &format!("set -m; {command}")) else {
        return;
    };
    assert!(text.contains("nothing to read") && text.contains("got mine"), "{text}");
    assert_eq!(code, 0, "{text}");
}

/// A plan of one check.
fn plan(keys: &str) -> String {
    format!("[[stage]]\nname = \"gate\"\n[[stage.check]]\nname = \"it\"\n{keys}\n")
}

#[test]
fn a_check_of_a_plan_has_no_terminal_to_ask() {
    let text = plan("run = \"read -r answer < /dev/tty\"\ntimeout = \"60s\"");
    let command = "exec preflight-report --plan preflight.toml --format agent";
    let with = |step: Step| step.file("preflight.toml", &text);
    let Some(watched) = Step::watch(with, (31, 97), &json!([]), command) else { return };
    assert!(watched.text.contains("/dev/tty: No such device or address"), "{}", watched.text);
    assert!(watched.code == 1 && !watched.text.contains("timeout"), "{}", watched.text);
}

#[test]
fn an_interrupt_from_the_keyboard_ends_the_checks_of_a_plan() {
    let text = plan("run = \"trap '' INT TERM; echo $$ > id; echo working; while :; do sleep 0.05; done\"");
    let steps = json!([["working", { "type": "\u{3}" }]]);
    let with = |step: Step| step.file("preflight.toml", &text);
    let Some(watched) = Step::watch(with, (31, 97), &steps, "exec preflight-report --plan preflight.toml") else {
        return;
    };
    assert_eq!((watched.code, watched.restored), (130, true), "{}", watched.text);
    let id = watched.seen.read("id").unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
    assert!(stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z ")), "the check still runs");
}

//! `preflight-report -- COMMAND` on a terminal, which `terminal.py` plays.

use serde_json::{Value, json};

use crate::support::{Step, peer};

/// Runs `command` on a terminal of 31 rows and 97 columns: everything that was written to it, and the exit code.
fn play(steps: &Value, command: &str) -> Option<(String, i64)> {
    let python = peer("python3")?;
    let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/secrets_env/terminal.py");
    let seen = Step::script("exec \"$0\" \"$@\"")
        .plain()
        .env("TERM", "xterm-256color")
        .arg(python)
        .args([driver, "31", "97", &steps.to_string(), "sh", "-c", command])
        .run()
        .exits(0);
    let told = seen.json();
    assert_eq!(told["undone"], json!([]), "{told:#}");
    Some((told["seen"].as_str().unwrap().replace("\r\n", "\n"), told["code"].as_i64().unwrap()))
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

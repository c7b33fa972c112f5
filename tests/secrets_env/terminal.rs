//! `secrets-env --redact -- COMMAND` on a terminal, which `terminal.py` plays, and the person before it.

use serde_json::{Value, json};

use super::{API_KEY, doppler};
use crate::support::{Step, Watched};

/// Runs `command` on a terminal of 31 rows and 97 columns while a person does as `steps` say; `None` without Python.
fn play(steps: &Value, command: &str) -> Option<Watched> {
    let doppler = doppler();
    Step::watch(|step| step.doppler(&doppler), (31, 97), steps, command)
}

/// The command that runs `script` redacted.
fn redacted(script: &str) -> String {
    format!("exec secrets-env --redact --except REGION -- sh -c '{script}'")
}

/// Stops the test unless the person saw `text`, and the command ended with `code` and left the terminal as it was.
#[track_caller]
fn shows(steps: &Value, command: &str, text: &str, code: i64) {
    if let Some(screen) = play(steps, command) {
        assert_eq!((screen.text.as_str(), screen.code, screen.restored), (text, code, true));
    }
}

#[test]
fn the_command_has_a_terminal_of_the_same_size_with_its_colours_and_without_the_secret() {
    let script = r#"test -t 0 && test -t 1 && test -t 2 && stty size && echo $TERM
        printf "\033[31m$API_KEY\033[0m\n"; echo "url $DB_URL" >&2; exit 7"#;
    let text = "31 97\nxterm-256color\n\u{1b}[31m***\u{1b}[0m\nurl ***\n";
    shows(&json!([]), &redacted(script), text, 7);
}

#[test]
fn a_terminal_that_changes_its_size_tells_the_command() {
    let script = r#"trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 0.05; done"#;
    shows(&json!([["ready", { "resize": [40, 120] }]]), &redacted(script), "ready\n40 120\n", 3);
}

#[test]
fn what_is_typed_reaches_the_command_and_a_prompt_is_seen_before_it() {
    let script =
        r#"printf "Go on? "; read answer; stty -echo; printf "Word? "; read word; stty echo; echo $answer $word"#;
    let steps = json!([["Go on? ", { "type": "yes\r" }], ["Word? ", { "type": "hm\r" }]]);
    shows(&steps, &redacted(script), "Go on? yes\nWord? yes hm\n", 0);
}

#[test]
fn a_program_that_reads_single_keys_gets_them() {
    let script = r#"stty raw -echo; printf ready; key=$(dd bs=1 count=1 2>/dev/null); stty sane; echo "<$key>""#;
    shows(&json!([["ready", { "type": "q" }]]), &redacted(script), "ready<q>\n", 0);
}

#[test]
fn interrupting_ends_the_command_with_130() {
    let steps = json!([["ready", { "type": "\u{3}" }]]);
    // In `read` a shell has no child that a signal could meet half-started; so below.
    shows(&steps, &redacted("echo ready; read never"), "ready\n^C", 130);
    shows(&steps, &redacted(r#"trap "echo; exit 4" INT; echo ready; read never"#), "ready\n^C\n", 4);
}

#[test]
fn stopping_gives_the_terminal_back_and_going_on_goes_on() {
    let steps =
        json!([["ready", { "type": "\u{1a}" }], ["stopped 1", { "go_on": true }], ["awake", { "type": "hm\r" }]]);
    // A shell that waits in `read` has no child that could be stopped half-started.
    let script = r#"trap "printf awake" CONT; echo ready; until read word; do :; done; echo "got $word""#;
    if let Some(screen) = play(&steps, &redacted(script)) {
        assert_eq!((screen.code, screen.stops, screen.restored), (0, 1, true), "{}", screen.text);
        assert!(screen.text.contains("got hm\n"), "{}", screen.text);
    }
}

#[test]
fn a_signal_to_the_supervisor_reaches_the_command_and_the_terminal_is_left_as_it_was() {
    let steps = json!([["ready", { "signal": "SIGTERM" }]]);
    let script = r#"trap "exit 9" TERM; echo ready; read never"#;
    shows(&steps, &redacted(script), "ready\n", 9);
    shows(&steps, &redacted("echo ready; read never"), "ready\n", 143);
}

#[test]
fn what_is_no_terminal_of_ours_is_none_of_the_commands() {
    let script = r#"test -t 1 && test ! -t 2 && echo "$API_KEY" >&2; echo "out $API_KEY""#;
    shows(&json!([]), &format!("({}) 2>err; cat err", redacted(script)), "out ***\n***\n", 0);
    // In a pipe, the keyboard reaches every program of it.
    let steps = json!([["ready", { "type": "\u{3}" }]]);
    let script = "read word; test ! -t 0 && test -t 1 && stty size <&1; echo $word ready; read never <&1";
    shows(&steps, &format!("echo all | {}", redacted(script)), "31 97\nall ready\n^C", 130);
}

#[test]
fn all_that_is_written_before_the_end_is_seen() {
    if let Some(screen) = play(&json!([]), &redacted("seq 1 30000; echo $API_KEY; exit 3")) {
        assert_eq!((screen.code, screen.text.lines().count()), (3, 30_001));
        assert!(screen.text.ends_with("30000\n***\n") && !screen.text.contains(API_KEY));
    }
}

#[test]
fn processes_that_are_left_on_the_commands_terminal_are_reported() {
    let text = "now\nsecrets-env: the processes that `sh` left running lose this terminal; redirect their output, or use \
                --no-redact\n";
    shows(&json!([]), &redacted("sleep 60 & echo now"), text, 0);
}

#[test]
fn a_killed_supervisor_takes_its_session_with_it() {
    // It ignores every signal that can be ignored.
    let script = r#"trap "" HUP INT TERM; echo id $$; echo ready; while :; do sleep 0.05; done"#;
    let Some(screen) = play(&json!([["ready", { "signal": "SIGKILL" }]]), &redacted(script)) else { return };
    assert_eq!(screen.code, 137);
    let id = screen.text.lines().next().unwrap().strip_prefix("id ").unwrap();
    let process = std::path::PathBuf::from(format!("/proc/{id}/stat"));
    // Ends when the kernel has carried it out; the test runner's own limit stops a failure.
    while std::fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::yield_now();
    }
}

//! What a host prints: whole, in order, in its own time, and without secrets.

use emulators::Sshd;

use super::fixtures::json;
use super::{command, host, step};
use crate::support::Seen;

/// The lines of a step, without the breaks of those that paused for 2 s before they ended: a machine may be that busy.
fn rejoined(sshd: &Sshd, seen: &Seen) -> String {
    seen.stderr.replace(&format!(" …\n127.0.0.1:{} │ ", sshd.port()), "")
}

#[test]
fn an_output_of_many_lines_is_whole_and_a_huge_line_is_cut_with_a_mark() {
    let Some(sshd) = Sshd::start() else { return };
    let seen =
        command(&sshd, "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done; printf open").run().exits(0);
    let text = rejoined(&sshd, &seen);
    assert_eq!(text.matches("│ line ").count(), 3000);
    assert!(text.contains("│ open\n"), "{text}");
    let seen = command(&sshd, "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after").run().exits(0);
    assert!(seen.stderr.contains("│ after\n"));
    // On a machine so busy that the line pauses for 2 s, its parts are shown.
    let parts = seen.stderr.matches(" …\n").count();
    assert!(seen.stderr.contains("bytes cut]") || parts > 0);
    assert!(seen.stderr.len() < 200_000 * (1 + parts), "{}", seen.stderr.len());
}

#[test]
fn fifty_steps_of_3000_lines_each_show_all_of_them_before_their_record() {
    let Some(sshd) = Sshd::start() else { return };
    let name = format!("127.0.0.1:{}", sshd.port());
    // Diagnostics are steps one after the other over one connection, and each announces itself when the one before has its record.
    let mut step = step(&sshd).arg(host(&sshd));
    for number in 1..=50 {
        let stream = if number % 2 == 0 { "" } else { " >&2" };
        step = step.args(["--diagnose", &format!("d{number}=seq -f 'line %.0f of d{number}' 3000{stream}")]);
    }
    let text = rejoined(&sshd, &step.args(["--", "exit 1"]).run().exits(1));
    for number in 1..=50 {
        let rest = text.split(&format!("{name}: diagnosis d{number}\n")).nth(1).unwrap();
        let lines: Vec<&str> = rest.lines().take_while(|line| line.contains('│')).collect();
        assert_eq!(lines.len(), 3000, "d{number}");
        assert_eq!(lines[2999], format!("{name} │ line 3000 of d{number}"));
    }
}

/// The warnings about output that is not known to be whole.
fn incomplete(seen: &Seen) -> usize {
    seen.messages("warning").iter().filter(|text| text.contains("output may be missing")).count()
}

#[test]
fn a_step_whose_end_marks_are_lost_keeps_its_code_and_is_reported_as_incomplete() {
    let Some(sshd) = Sshd::start() else { return };
    // The relays are the children of the loop, whose number the step knows. Both, and the one behind the step's stdout alone.
    for relays in ["pkill -KILL -P \"$PPID\" -x tee", "pkill -KILL -o -P \"$PPID\" -x tee"] {
        let script = format!("{relays}; exit 6");
        let seen = json(&sshd).args(["--", &script]).run().exits(1);
        assert_eq!(seen.json()["hosts"][0]["exit_code"], 6, "{relays}");
        assert_eq!(incomplete(&seen), 1, "{relays}: {}", seen.stderr);
    }
    let step = step(&sshd).args([&host(&sshd), "--format", "jsonl"]);
    let seen = step.args(["--", "pkill -KILL -P \"$PPID\" -x tee"]).run().exits(0);
    let finding = seen.records().into_iter().find(|record| record["event"] == "finding").unwrap();
    assert_eq!(finding["rule"], "output_incomplete");
    // A step that leaves the relays alone has its marks.
    assert_eq!(incomplete(&command(&sshd, "echo line").run().exits(0)), 0);
}

#[test]
fn a_secret_that_is_written_in_pieces_with_pauses_between_them_is_hidden() {
    let Some(sshd) = Sshd::start() else { return };
    let secret = "first-half-second-half-9f3c";
    let run = |script: &str| {
        let step = step(&sshd).workflow_secret("TOKEN", secret).args([&host(&sshd), "--env", "TOKEN", "--", script]);
        let seen = step.run().exits(0);
        let shown: Vec<String> = seen.stderr.lines().filter(|line| line.contains('│')).map(str::to_owned).collect();
        let shown = shown.concat();
        assert!(!shown.contains("half") && !shown.contains("9f3c") && shown.contains(" end"), "{script}: {shown}");
    };
    // Longer than it takes until an open line is shown.
    run("a=${TOKEN%second*}; printf 'token %s' \"$a\"; sleep 3; echo \"${TOKEN#$a} end\"");
    // Byte by byte, each one write, on both streams at once.
    run("i=0; while [ $i -lt ${#TOKEN} ]; do
  printf %s \"${TOKEN:$i:1}\"; printf %s \"${TOKEN:$i:1}\" >&2
  if [ $i -eq 13 ]; then sleep 3; fi
  i=$((i+1))
done; echo ' end'; echo ' end' >&2");
    // Where a long line is cut, and where a read of a pipe ends.
    run(
        "head -c 65530 /dev/zero | tr '\\0' x; echo \"$TOKEN\"; head -c 65520 /dev/zero | tr '\\0' x; printf '%s\\n%s end\\n' \"$TOKEN\" \"$TOKEN\"",
    );
}

#[test]
fn a_secret_in_the_last_words_of_a_check_is_hidden_wherever_they_are_reported() {
    let Some(sshd) = Sshd::start() else { return };
    // Step looks for the value in both streams, the annotations, the summary and the files.
    let check = "up=printf '401 for token %s' \"$TOKEN\"; false";
    let step = json(&sshd).workflow_secret("TOKEN", "s3cr3t-Tok3n-Zq81xx").args(["--env", "TOKEN", "--check", check]);
    let seen = step.args(["--check-timeout", "1s", "--check-interval", "1s", "--", "true"]).run().exits(1);
    assert_eq!(seen.json()["hosts"][0]["causes"][0], "up: 401 for token ***");
    assert!(seen.summary.contains("caused by: up: 401 for token"), "{}", seen.summary);
}

#[test]
fn a_failure_has_its_cause_and_its_cure_in_the_records_and_in_the_summary() {
    let Some(sshd) = Sshd::start() else { return };
    let step = step(&sshd).args([&host(&sshd), "--format", "jsonl", "--", "echo a\nnot-there-at-all ci"]);
    let seen = step.run().exits(1);
    let end = seen.records().into_iter().find(|record| record["event"] == "check_finished").unwrap();
    assert_eq!(end["data"]["causes"][0], "line 2: not-there-at-all ci");
    assert!(end["data"]["help"].as_str().unwrap().contains("set PATH"), "{end}");
    assert!(
        seen.summary.contains("line 2: not-there-at-all ci") && seen.summary.contains("set PATH"),
        "{}",
        seen.summary
    );
}

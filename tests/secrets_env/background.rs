//! What the command leaves behind, what becomes of it if we are killed, and what it inherits.

use std::path::Path;

use emulators::Doppler;

use super::API_KEY;
use crate::support::{Step, peer};

fn script(text: &str) -> Step {
    // The stand-in has to outlive the step that this returns.
    let doppler = Box::leak(Box::new(Doppler::start()));
    doppler.set("dev", "API_KEY", API_KEY);
    Step::script(text).doppler(doppler).plain()
}

/// A server that writes on both streams, waits for `go`, and writes again.
const SERVER: &str =
    "(echo begun; while [ ! -e go ]; do sleep 0.02; done; echo out $API_KEY; echo err $API_KEY >&2; echo >done) &";

#[test]
fn a_server_that_is_left_behind_keeps_its_output_and_it_is_redacted() {
    let command = format!("secrets-env --redact -- sh -c '{SERVER} echo front; exit 3' || echo ended $?; touch go");
    let seen = script(&command).run().exits(0);
    let mut lines: Vec<&str> = seen.stdout.lines().collect();
    assert_eq!(lines.pop(), Some("out ***"));
    lines.sort_unstable();
    assert_eq!(lines, ["begun", "ended 3", "front"]);
    assert_eq!(seen.stderr, "err ***\n");
}

/// Sets `drain` to the process that redacts for this step, by its runner's id.
const FIND_DRAIN: &str = r#"for it in /proc/[0-9]*; do
        if grep -qs 'redacts the output' $it/cmdline && grep -qszx "RUNNER_TRACKING_ID=$RUNNER_TRACKING_ID" $it/environ; then
            drain=$it
        fi
    done"#;

#[test]
fn the_process_that_goes_on_redacting_has_the_runners_id_and_no_token() {
    let look = r"tr '\0' '\n' <$drain/environ; readlink $drain/cwd";
    let command = format!("trap 'touch go' EXIT; secrets-env --redact -- sh -c '{SERVER}'; {FIND_DRAIN}; {look}");
    let id = format!("github_{}", std::process::id());
    let seen = script(&command).env("RUNNER_TRACKING_ID", &id).run().exits(0);
    let mut lines: Vec<&str> = seen.stdout.lines().filter(|line| !["begun", "out ***"].contains(line)).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["/", format!("RUNNER_TRACKING_ID={id}").as_str()]);
}

#[test]
fn a_secret_that_is_cut_by_the_commands_end_is_redacted_all_the_same() {
    let (start, end) = API_KEY.split_at(17);
    let server = format!("(printf \"key {start}\"; while [ ! -e go ]; do sleep 0.02; done; echo {end}) &");
    let seen = script(&format!("secrets-env --redact -- sh -c '{server}'; touch go")).run().exits(0);
    assert_eq!(seen.stdout, "key ***\n");
}

/// Waits until a process has ended; the test runner's own limit stops a failure.
fn ends(id: &str) {
    let process = Path::new("/proc").join(id.trim());
    while std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_supervisor_takes_the_whole_process_group_with_it() {
    // A grandchild that ignores every signal that can be ignored.
    let command = r#"secrets-env --redact -- sh -c '
        sh -c "trap \"\" HUP INT TERM; echo \$\$ >id; while :; do sleep 0.1; done" & wait' &
        until [ -s id ]; do sleep 0.02; done; kill -KILL $!; cat id"#;
    ends(&script(command).run().exits(0).stdout);
}

#[test]
fn if_the_drain_is_killed_the_processes_that_it_serves_end_too() {
    let server = r#"sh -c "echo \$\$ >id; exec sleep 60" & until [ -s id ]; do sleep 0.02; done"#;
    let command =
        format!("secrets-env --redact -- sh -c '{server}'; {FIND_DRAIN}; kill -KILL ${{drain#/proc/}}; cat id");
    let id = format!("github_{}_killed", std::process::id());
    ends(&script(&command).env("RUNNER_TRACKING_ID", id).run().exits(0).stdout);
}

#[test]
fn both_streams_keep_their_order_in_one_pipe_and_in_one_file() {
    let count = r"for i in $(seq 300); do if [ $((i % 2)) = 0 ]; then echo $i; else echo $i >&2; fi; done";
    let expected: String = (1..=300).map(|number| number.to_string() + "\n").collect();
    let piped = format!("secrets-env --redact -- sh -c '{count}' 2>&1 | cat");
    assert_eq!(script(&piped).run().exits(0).stdout, expected);
    let filed = format!("secrets-env --redact -- sh -c '{count}' >log 2>&1; cat log");
    assert_eq!(script(&filed).run().exits(0).stdout, expected);
    // Two files stay two, and so do two opens of one file.
    let apart = "secrets-env --redact -- sh -c 'echo out; echo err >&2' >>log 2>other; cat log; echo -; cat other";
    assert_eq!(script(apart).run().exits(0).stdout, "out\n-\nerr\n");
}

#[test]
fn signals_that_were_ignored_stay_ignored_and_others_do_not() {
    // SIGCHLD too: without care, the system would not report how the command ended.
    let Some(python) = peer("python3") else { return };
    let start = "import os, signal, sys\n\
                 signal.signal(signal.SIGPIPE, signal.SIG_DFL); signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n\
                 for name in sys.argv[1].split(): signal.signal(getattr(signal, name), signal.SIG_IGN)\n\
                 os.execvp(sys.argv[2], sys.argv[2:])";
    let own = "import signal; print(*[it.name for it in [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, \
               signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD] if int(open(\"/proc/self/status\").read().split(\"SigIgn:\")[1]\
               .split()[0], 16) >> (it - 1) & 1 and it.name not in (\"SIGPIPE\",)], sep=\" \")";
    for mode in ["--redact", "--no-redact"] {
        for ignored in ["", "SIGINT", "SIGHUP SIGUSR1", "SIGHUP SIGINT SIGQUIT SIGTERM SIGUSR1 SIGCHLD"] {
            let command = format!(
                "exec {} -c '{start}' '{ignored}' secrets-env {mode} -- {} -c '{own}'",
                python.display(),
                python.display()
            );
            assert_eq!(script(&command).run().exits(0).stdout, format!("{ignored}\n"), "{mode}");
        }
        // Python ignores SIGPIPE itself, so a shell looks.
        let pipe = |before: &str| {
            let look = format!("{before} secrets-env {mode} -- grep SigIgn /proc/self/status");
            let text = script(&look).run().exits(0).stdout;
            u64::from_str_radix(text.trim().rsplit('\t').next().unwrap(), 16).unwrap() >> 12 & 1
        };
        assert_eq!((pipe("trap '' PIPE;"), pipe("")), (1, 0), "{mode}");
    }
}

#[test]
fn an_interrupt_that_was_ignored_ends_neither_us_nor_the_command() {
    let command = r"(trap '' INT; exec secrets-env --redact -- sh -c 'echo >ready; until [ -e go ]; do sleep 0.02; done; exit 4') &
        until [ -e ready ]; do sleep 0.02; done; kill -INT $!; touch go; wait $! || echo ended $?";
    assert_eq!(script(command).run().exits(0).stdout, "ended 4\n");
}

#[test]
fn the_supervisors_environment_and_memory_are_closed_to_the_same_user() {
    // An ordinary user, as root may read everything.
    let user = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    let command = format!(
        r#"[ $(id -u) != 0 ] || as="{user}"
        cd /; $as secrets-env --redact -- sh -c 'cat /proc/$PPID/environ /proc/$PPID/maps; echo no: $?' 2>/dev/null"#
    );
    let seen = script(&command).run().exits(0);
    assert_eq!(seen.stdout, "no: 1\n");
}

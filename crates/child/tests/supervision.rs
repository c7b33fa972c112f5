//! Real programs under supervision.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test, as its functions do")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use child::{Child, Ended, Insist, Job, OutputMode, ProcessEnd, Signal, Stopped, Stream};
use deadline::Deadline;

/// Longer than any test takes.
const NEVER: &str = "600";

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::null());
    command
}

fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Runs `script` to its end; what it wrote on each stream.
fn run(script: &str, output: OutputMode) -> (Ended, Vec<u8>, Vec<u8>) {
    on_a_runtime(async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let child = Child::start(shell(script), output).unwrap();
        let ended = child.wait(std::future::pending(), |stream, bytes| match stream {
            Stream::Stdout => out.extend_from_slice(bytes),
            Stream::Stderr => err.extend_from_slice(bytes),
        });
        (ended.await.unwrap(), out, err)
    })
}

#[test]
fn output_arrives_byte_for_byte_on_its_stream() {
    let script = r"printf 'a\r\n\000\377b'; printf 'e\n' >&2; exit 3";
    let (ended, out, err) = run(script, OutputMode::Separate);
    assert_eq!((ended.status, ended.stopped, ended.output_held), (ProcessEnd::Code(3), None, false));
    assert_eq!((out.as_slice(), err.as_slice()), (&b"a\r\n\0\xffb"[..], &b"e\n"[..]));
}

#[test]
fn joined_streams_keep_the_order_of_their_lines() {
    let (_, out, err) = run("for i in 1 2 3; do echo o$i; echo e$i >&2; done", OutputMode::Joined);
    assert_eq!((String::from_utf8(out).unwrap().as_str(), err.len()), ("o1\ne1\no2\ne2\no3\ne3\n", 0));
}

#[test]
fn more_output_than_a_pipe_holds_arrives_whole() {
    let (ended, out, _) = run("head -c 3000000 /dev/zero", OutputMode::Separate);
    assert_eq!((ended.status, out.len()), (ProcessEnd::Code(0), 3_000_000));
}

/// The step between of the test below, which starts it with SIGPIPE ignored and waits for what it prints.
#[cfg(target_os = "linux")]
#[test]
fn the_signals_that_a_child_ignores() {
    if std::env::args().any(|word| word == "--nocapture") {
        let _ = run("trap - HUP; grep SigIgn /proc/self/status >&2", OutputMode::Inherited);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_sigpipe_that_was_ignored_at_the_start_stays_ignored() {
    let mask = |before: &str| {
        let step = format!("{before}; exec \"$0\" --exact the_signals_that_a_child_ignores --nocapture");
        let test = std::env::current_exe().unwrap();
        let output = Command::new("/bin/sh").args(["-c", &step]).arg(test).output().unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        let mask = printed.lines().find_map(|line| line.split("SigIgn:").nth(1)).unwrap().trim().to_owned();
        u64::from_str_radix(&mask, 16).unwrap()
    };
    // SIGPIPE is 13, SIGINT 2; a shell's background job, which this test may be a part of, has SIGINT ignored from the start.
    let (pipe, interrupt) = (1 << 12, 1 << 1);
    assert_eq!(mask(":") & pipe, 0);
    assert_eq!(mask("trap '' PIPE INT") & (pipe | interrupt), pipe | interrupt);
}

#[test]
fn a_missing_program_is_an_error_at_the_start() {
    let error = on_a_runtime(async { Child::start(Command::new("/no/such/program"), OutputMode::Joined).err() });
    assert_eq!(error.unwrap().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_signal_is_distinguished_from_an_exit_code() {
    let (ended, _, _) = run("kill -SEGV $$", OutputMode::Joined);
    assert_eq!((ended.status, ended.status.shell_code()), (ProcessEnd::Signal(11), 139));
}

#[test]
fn a_background_process_is_left_alone_and_does_not_delay_the_end() {
    let (ended, out, _) = run(&format!("sleep {NEVER} & echo $!"), OutputMode::Joined);
    assert_eq!((ended.status, ended.output_held), (ProcessEnd::Code(0), true));
    let id: i32 = String::from_utf8(out).unwrap().trim().parse().unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it still runs");
}

/// Stops `script` once it has written something; how it ended and all that it wrote.
fn stopped(script: &str, grace: Duration) -> (Ended, String) {
    on_a_runtime(async {
        let (begun, mut is_begun) = tokio::sync::mpsc::unbounded_channel();
        let mut all = Vec::new();
        let stop = async {
            is_begun.recv().await;
            Signal::Terminate
        };
        let child = Child::start(shell(script), OutputMode::Joined).unwrap().grace(grace);
        let ended = child.wait(stop, |_, bytes| {
            all.extend_from_slice(bytes);
            begun.send(()).unwrap();
        });
        (ended.await.unwrap(), String::from_utf8(all).unwrap())
    })
}

#[test]
fn a_stopped_program_may_clean_up_and_so_may_what_it_started() {
    // The shell itself ends at once; its child takes its time.
    let script = "trap 'exit 7' TERM; \
                  sh -c 'trap \"sleep 0.1; echo cleaned; exit 0\" TERM; echo up; while :; do sleep 0.01; done' & wait; wait";
    let (ended, all) = stopped(script, Duration::from_mins(1));
    assert_eq!((ended.status, ended.stopped), (ProcessEnd::Code(7), Some(Stopped::By(Signal::Terminate))));
    assert!(all.ends_with("cleaned\n"), "{all}");
}

#[test]
fn a_program_that_ignores_the_signal_is_killed_with_its_group() {
    let script = format!("trap '' INT TERM; echo up; sleep {NEVER}");
    let (ended, _) = stopped(&script, Duration::ZERO);
    assert_eq!((ended.status, ended.output_held), (ProcessEnd::Signal(9), false));
}

#[test]
fn a_second_request_kills_at_once_or_passes_another_signal_on() {
    let ended = |script: String, second: Insist| {
        on_a_runtime(async {
            let (begun, mut is_begun) = tokio::sync::mpsc::unbounded_channel();
            let stop = async {
                is_begun.recv().await;
                Signal::Terminate
            };
            let child = Child::start(shell(&script), OutputMode::Joined).unwrap();
            let child = child.grace(Duration::from_mins(10)).on_second(async move {
                // After the first signal: it is ready at once, but looked at only while the program cleans up.
                second
            });
            child.wait(stop, |_, _| begun.send(()).unwrap()).await.unwrap().status
        })
    };
    let deaf = format!("trap '' TERM; echo up; sleep {NEVER}");
    assert_eq!(ended(deaf, Insist::Kill), ProcessEnd::Signal(9));
    let half_deaf = "trap '' TERM; trap 'exit 5' INT; echo up; while :; do sleep 0.01; done".to_owned();
    assert_eq!(ended(half_deaf, Insist::Signal(Signal::Interrupt)), ProcessEnd::Code(5));
}

#[test]
fn a_timeout_stops_the_program() {
    let ended = on_a_runtime(async {
        let deadline = Deadline::after(Duration::from_millis(1));
        let child = Child::start(shell(&format!("sleep {NEVER}")), OutputMode::Joined).unwrap();
        child.timeout(Some(deadline)).wait(std::future::pending(), |_, _| ()).await.unwrap()
    });
    assert_eq!((ended.status, ended.stopped), (ProcessEnd::Signal(15), Some(Stopped::TimedOut)));
}

#[test]
fn dropping_a_program_kills_its_group() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    on_a_runtime(async {
        let mut command = shell(&format!("sleep {NEVER} & sleep {NEVER}"));
        command.stdin(writer);
        drop(Child::start(command, OutputMode::Inherited).unwrap());
    });
    // The end of the file comes when the last process that inherited the other end has ended.
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

/// This test's own binary, started once more as a supervisor that is killed.
fn ends_with_its_supervisor(test: &str, job: Job) {
    const ROLE: &str = "CHILD_TEST_SUPERVISOR";
    #[expect(clippy::disallowed_methods, reason = "the test's binary reads its part from its environment")]
    let mut variables = std::env::vars_os();
    if variables.any(|(name, _)| name == ROLE) {
        on_a_runtime(async {
            let script = format!("trap '' INT TERM HUP; sleep {NEVER} & echo up; wait");
            let child = Child::start_as(job, shell(&script), OutputMode::Inherited).unwrap();
            child.wait(std::future::pending(), |_, _| ()).await.unwrap();
        });
        return;
    }
    let mut supervisor = Command::new(std::env::current_exe().unwrap());
    supervisor.args(["--exact", test, "--nocapture"]);
    let mut supervisor = supervisor.env(ROLE, "1").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut output = BufReader::new(supervisor.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("up") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "it ended before its program began");
    }
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    // The end of the file comes when the last process that inherited the stream has ended.
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn a_group_ends_with_a_supervisor_that_is_killed() {
    ends_with_its_supervisor("a_group_ends_with_a_supervisor_that_is_killed", Job::Background);
}

#[test]
fn a_session_ends_with_a_supervisor_that_is_killed() {
    ends_with_its_supervisor("a_session_ends_with_a_supervisor_that_is_killed", Job::Session);
}

#[test]
fn a_program_in_its_own_session_has_no_terminal_and_is_stopped_with_its_group() {
    let script = "trap '' TERM; sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.01; done' & \
                  (: < /dev/tty) 2>/dev/null && echo terminal; wait; wait";
    let ended = on_a_runtime(async {
        let (begun, mut is_begun) = tokio::sync::mpsc::unbounded_channel();
        let mut all = Vec::new();
        let stop = async {
            is_begun.recv().await;
            Signal::Terminate
        };
        let child = Child::start_as(Job::Session, shell(script), OutputMode::Joined).unwrap();
        let ended = child.grace(Duration::from_millis(100)).wait(stop, |_, bytes| {
            all.extend_from_slice(bytes);
            begun.send(()).unwrap();
        });
        (ended.await.unwrap(), String::from_utf8(all).unwrap())
    });
    // Nothing of the group is left: its output is closed.
    assert_eq!((ended.0.status, ended.0.output_held, ended.1.as_str()), (ProcessEnd::Signal(9), false, "up\n"));
}

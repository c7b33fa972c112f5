//! Shows and publishes the report, in the order that the exit code asks for.

use cli::{Console, Exit};
use report::{Policy, Verdict};
use run::StopReason;

use crate::args::Args;
use crate::emit::Emission;
use crate::finish;
use crate::publish::Publishing;
use crate::read::Reading;

/// Makes the report of everything that was read, shows it, publishes it, and hands over the step's outputs. Returns how the process
/// ends, which is also the exit code in the report. A run that a signal has `stopped` publishes nothing.
///
/// If publishing is required, its outcome is a part of what is shown, so it comes first. Otherwise the report does not wait for GitHub.
///
/// What cannot be written, or read beside the reports, makes the exit code worse and stops nothing else.
///
/// # Errors
/// The event loop cannot be started.
pub(crate) fn conclude(
    publishing: &Publishing<'_>,
    reading: &mut Reading,
    policy: &Policy,
    stopped: Option<StopReason>,
    args: &Args,
    console: &Console,
) -> anyhow::Result<Exit> {
    let mut report = finish::report(args, reading, policy, console);
    let interrupted = matches!(stopped, Some(StopReason::Signal(_)));
    if interrupted {
        publishing.interrupted();
    }
    let unread = publishing.prepare(&mut report, args.title().is_some(), interrupted, |path| {
        finish::baseline(path, args, policy, console)
    });
    let mut emission = Emission::new(args, console, unread.into_iter().chain(reading.unread.take()).collect());
    reading.records.iter_mut().for_each(|record| publishing.masks.hide_record(record));
    let is_first = publishing.is_required() && !interrupted;
    let mut comment = None;
    let mut exit = end(report.result(), stopped, None);
    if is_first {
        comment = publishing.publish(&report)?;
        exit = end(report.result(), stopped, publishing.exit());
    }
    emission.worsen(&mut report, Some(exit));
    let preview = publishing.preview(&report).filter(|_| !interrupted);
    emission.all(&mut report, reading, preview.as_deref());
    if !is_first && !interrupted {
        comment = publishing.publish(&report)?;
    }
    let exit = emission.end(&report, comment.as_deref());
    if !publishing.is_preview() {
        args.notice.send(&report, interrupted, console);
    }
    Ok(exit)
}

/// How the process ends: the worst of the verdict, what stopped the run, and what `--require-publish` asks for.
fn end(verdict: Verdict, stopped: Option<StopReason>, publishing: Option<Exit>) -> Exit {
    let verdict = match verdict {
        Verdict::Passed => Exit::Success,
        Verdict::Failed => Exit::Failed,
        Verdict::Incomplete => Exit::Incomplete,
    };
    Exit::worst([Some(verdict), stopped.map(StopReason::exit), publishing].into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use child::Signal;
    use cli::Exit;
    use report::Verdict;
    use run::StopReason;

    use super::end;

    #[test]
    fn a_signal_decides_the_exit_code_and_a_deadline_is_no_better_than_the_verdict() {
        let signal = |signal| Some(StopReason::Signal(signal));
        for (verdict, stopped, publishing, expected) in [
            (Verdict::Passed, None, None, Exit::Success),
            (Verdict::Failed, None, Some(Exit::Temporary), Exit::Failed),
            (Verdict::Failed, None, Some(Exit::Permission), Exit::Permission),
            (Verdict::Failed, signal(Signal::Interrupt), None, Exit::Interrupted),
            (Verdict::Incomplete, signal(Signal::Hangup), None, Exit::Terminated),
            (Verdict::Failed, Some(StopReason::Deadline), None, Exit::Failed),
            (Verdict::Passed, Some(StopReason::Deadline), None, Exit::Incomplete),
        ] {
            assert_eq!(end(verdict, stopped, publishing), expected);
        }
    }
}

//! Shows and publishes the report, in the order that the exit code asks for.

use cli::{Console, Exit};
use report::{Policy, Verdict};
use run::StopReason;

use crate::args::Args;
use crate::publish::Publishing;
use crate::read::Reading;
use crate::{emit, finish};

/// Makes the report of everything that was read, shows it, publishes it, and hands over the step's outputs. Returns how the process
/// ends. An interrupted run (`stopped`) publishes nothing.
///
/// If publishing is required, its outcome is a part of what is shown, so it comes first. Otherwise the report does not wait for GitHub.
///
/// # Errors
/// Stdout or a file cannot be written, or the baseline cannot be read.
pub(crate) fn conclude(
    publishing: &Publishing<'_>,
    reading: &mut Reading,
    policy: &Policy,
    stopped: Option<StopReason>,
    args: &Args,
    console: &Console,
) -> anyhow::Result<Exit> {
    let mut report = finish::report(args, reading, policy, console);
    publishing.prepare(&mut report, args.title().is_some(), |path| finish::baseline(path, args, policy, console))?;
    if stopped.is_some() {
        publishing.interrupted();
        let exit = emit::all(&report, reading, None, args, console)?;
        emit::step_outputs(&report, None, args, console)?;
        return Ok(exit);
    }
    let preview = publishing.preview(&report);
    let mut comment = None;
    if publishing.is_required() {
        comment = publishing.publish(&report)?;
        if let Some(exit) = publishing.exit() {
            // A failed check is worse than 75, and 77 is worse than a failed check.
            let worst = Exit::worst([exit, of_verdict(report.result())]);
            report.exit_code = (worst == exit).then_some(exit.code());
        }
    }
    let exit = emit::all(&report, reading, preview.as_deref(), args, console)?;
    if !publishing.is_required() {
        comment = publishing.publish(&report)?;
    }
    emit::step_outputs(&report, comment.as_deref(), args, console)?;
    Ok(exit)
}

fn of_verdict(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Passed => Exit::Success,
        Verdict::Failed => Exit::Failed,
        Verdict::Incomplete => Exit::Incomplete,
    }
}

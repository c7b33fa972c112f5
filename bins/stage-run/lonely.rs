//! A command that is a check by itself: an undo, a hook of the run, an `always` stage.

use cli::Exit;
use report::{Event, Reason, Status};
use serde_json::Map;

use crate::context::Context;
use crate::stage::{self, Done};
use crate::step::{self, Command};

/// Whether a command may run though the journal does not know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Its start has to be on the disk.
    First,
    /// It runs in any case: a full disk must not keep the firewall open.
    IfPossible,
}

/// Runs a command that is a check by itself.
pub(crate) async fn run(context: &Context<'_>, command: &Command<'_>, recorded: Recorded) -> Done {
    let begun = std::time::Instant::now();
    // If this cannot be written, nor can the step's start, which decides.
    context.happened(vec![(Event::CheckStarted { check: command.check.to_owned(), name: None }, Map::new())]);
    context
        .reporter
        .record(Event::CheckStarted { check: command.check.to_owned(), name: Some(command.name.to_owned()) });
    let ended = match recorded {
        Recorded::First => step::run(context, command).await,
        Recorded::IfPossible => step::run_anyway(context, command).await,
    };
    let mut done = Done::not_run(command.check, command.name, Status::Passed, Reason::new("", ""));
    done.duration = begun.elapsed();
    done.reason = ended.result.reason(command.step);
    done.exit = ended.result.exit();
    done.exit_code = ended.result.exit_code();
    done.last = Some(ended);
    if done.exit != Exit::Success {
        done.status = Status::Failed;
    }
    let event = stage::finished(command.check, &done);
    context.happened(vec![(event.clone(), Map::new())]);
    context.reporter.record(event);
    done
}

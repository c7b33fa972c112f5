//! A command that is a check by itself: an undo, a hook of the run, an `always` stage.

use cli::Exit;
use report::{Event, Reason, Status};
use serde_json::Map;

use crate::context::Context;
use crate::stage::{self, Done};
use crate::step::{self, Command};

/// Runs a command that is a check by itself. Whether the journal takes it does not matter any more.
pub(crate) async fn run(context: &Context<'_>, command: &Command<'_>) -> Done {
    let begun = std::time::Instant::now();
    let _ = context.journal(vec![(Event::CheckStarted { check: command.check.to_owned(), name: None }, Map::new())]);
    context
        .reporter
        .record(Event::CheckStarted { check: command.check.to_owned(), name: Some(command.name.to_owned()) });
    let ended = match step::run(context, command).await {
        Ok(ended) => Ok(ended),
        // A full disk must not keep the firewall open.
        Err(fault) => step::rehearse(context, command).await.map_err(|_same| fault),
    };
    let mut done = Done::not_run(command.check, command.name, Status::Passed, Reason::new("", ""));
    done.duration = begun.elapsed();
    match ended {
        Ok(ended) => {
            done.reason = ended.result.reason(command.step);
            done.exit = ended.result.exit();
            done.exit_code = ended.result.exit_code();
            done.last = Some(ended);
        }
        Err(fault) => (done.reason, done.exit) = (Some(Reason::new("not_started", fault.message)), Exit::Failed),
    }
    if done.exit != Exit::Success {
        done.status = Status::Failed;
    }
    let event = stage::finished(command.check, &done);
    let _ = context.journal(vec![(event.clone(), Map::new())]);
    context.reporter.record(event);
    done
}

//! The newest run of a plan and target, and whether a process of it still lives.

use fault::{Fault, Result};
use journal::History;
use serde_json::Value;

use crate::decide::Refusal;
use crate::folder::{RunFolder, Runs};
use crate::group;
use crate::history::RunHistory;
use crate::loaded::Loaded;

/// A run that is there.
#[derive(Debug)]
pub(crate) struct Newest {
    pub(crate) folder: RunFolder,
    pub(crate) history: RunHistory,
    /// As it was read.
    pub(crate) records: History,
}

/// The newest run, if there is one.
///
/// # Errors
/// Its journal cannot be read.
pub(crate) fn find(loaded: &Loaded) -> Result<Option<Newest>> {
    let Some(folder) = Runs::new(&loaded.root, &loaded.key).newest() else { return Ok(None) };
    let records = journal::history(&folder.journal()).map_err(|fault| {
        let path = folder.path.display();
        let advice =
            format!("move `{path}` away: stage-run then no longer knows what that run did, and a new one can start");
        if fault.kind == fault::Kind::Usage { fault.help(advice) } else { fault }
    })?;
    Ok(Some(Newest { history: RunHistory::of(&records), folder, records }))
}

impl Newest {
    /// The stage and the processes that still run, of a run whose `stage-run` is gone.
    pub(crate) fn survivors(&self) -> Option<(String, Vec<String>)> {
        let (round, facts) = self.history.open_step()?;
        let number = u32::try_from(facts.get("group").and_then(Value::as_u64)?).ok()?;
        let was = facts.get("process").and_then(Value::as_str).unwrap_or_default();
        // A step that ended by itself may have left a daemon behind, which may go on.
        if round.last().is_some_and(|step| step.end.is_some()) {
            return None;
        }
        let left = group::survivors(number, was);
        (!left.is_empty()).then(|| (round.check.clone(), left))
    }

    /// Refuses while a process of the run lives.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`], naming the process.
    pub(crate) fn refuse_survivors(&self) -> Result<()> {
        self.survivors().map_or(Ok(()), |(check, left)| {
            Err(Fault::temporary(format!(
                "`{check}` of run {} still runs, though its stage-run is gone",
                self.folder.name()
            ))
            .cause(left.join(", "))
            .help("wait until it has ended; it was sent SIGINT, and is killed when its grace is over"))
        })
    }
}

impl Refusal {
    /// Why nothing runs, for people.
    pub(crate) fn fault(&self, run: Option<&Newest>, loaded: &Loaded) -> Fault {
        let command = &loaded.command;
        let name = run.map(|run| run.folder.name()).unwrap_or_default();
        match self {
            Self::NothingToResume { passed: false } => {
                Fault::usage("there is no run to go on with").help(format!("start one: {command}"))
            }
            Self::NothingToResume { passed: true } => {
                Fault::usage(format!("run {name} has passed: there is nothing to go on with")).help(format!("start a new one: {command}"))
            }
            Self::HalfDone(stage) => Fault::usage(format!("stage `{stage}` of run {name} is half done"))
                .cause("it began, and nobody knows how far it came")
                .help(format!(
                    "look at what it did, then run it again by name ({command} --from {stage}), or undo the run ({command} --undo); \
                     `again = true` in the plan lets it run again by itself"
                )),
            Self::Changed { stage, what } => {
                let option = if *what == "its undo" { "--undo=anyway" } else { "--resume=anyway" };
                Fault::usage(format!("stage `{stage}` is not what it was in run {name}: {what} changed"))
                    .help(format!("use {option} if that does not matter, or start a new run"))
            }
            Self::Gone(stage) => Fault::usage(format!("stage `{stage}` began in run {name}, and the plan no longer has it"))
                .help("put it back into the plan, or use --undo=anyway to leave it as it is"),
        }
    }
}

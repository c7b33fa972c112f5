//! `--status`: how far the newest run came, from its journal, without an effect.

use std::fmt::Write as _;

use cli::{Console, Exit};
use fault::{Fault, Result};
use report::Verdict;
use serde_json::{Value, json};

use crate::args::{Args, Format};
use crate::history::Standing;
use crate::loaded::Loaded;
use crate::lock;
use crate::newest::{self, Newest};

/// What the newest run is as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overall {
    Running,
    Passed,
    Failed,
    Undone,
    Pending,
}

/// The newest run, as it is shown.
struct Status<'a> {
    loaded: &'a Loaded,
    newest: &'a Newest,
    standings: Vec<(String, Standing)>,
    overall: Overall,
    /// The check whose processes still run, and those processes.
    survivors: Option<(String, Vec<String>)>,
    holder: Option<String>,
    /// What always runs at the end and did not.
    missed: Vec<&'a str>,
}

/// Prints how far the newest run came.
///
/// # Errors
/// Its journal cannot be read.
pub(crate) fn status(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    let folder = lock::folder(console)?;
    // The lock first: a supervisor that holds it now has a stage that is still alive below, or has just ended.
    let holder = loaded.own_locks().find_map(|name| lock::is_held(&folder, name));
    let is_orphaned = holder.is_some() && loaded.own_locks().any(|name| lock::is_orphaned(&folder, name));
    let Some(newest) = newest::find(loaded)? else {
        return Err(Fault::usage(format!("no run of {} is on record", loaded.title()))
            .help(format!("start one: {}", loaded.command)));
    };
    let survivors = newest.survivors().or_else(|| {
        let check = newest.history.open_step().map(|(round, _)| round.check.clone())?;
        is_orphaned.then(|| (check, vec!["its supervisor".to_owned()]))
    });
    let standings: Vec<(String, Standing)> = loaded
        .plan
        .stages
        .iter()
        .filter(|stage| newest.history.promises(&stage.id))
        .map(|stage| (stage.name.clone(), newest.history.stage(&stage.id).standing))
        .collect();
    let overall = overall(&newest, &standings, survivors.is_some() || holder.is_some());
    let is_over = newest.history.result.is_some() || overall == Overall::Running || newest.history.undone;
    let always = loaded.plan.always.iter().filter(|one| !newest.history.has_ended(&format!("always/{}", one.id)));
    let missed = if is_over { Vec::new() } else { always.map(|one| one.name.as_str()).collect() };
    let status = Status { loaded, newest: &newest, standings, overall, survivors, holder, missed };
    console.print(match args.format {
        Format::Text => status.text(),
        Format::Json | Format::Jsonl => format!("{}\n", status.document(console)),
    })?;
    Ok(match overall {
        Overall::Passed => Exit::Success,
        Overall::Failed | Overall::Undone => Exit::Failed,
        Overall::Running | Overall::Pending => Exit::Incomplete,
    })
}

fn word(overall: Overall) -> &'static str {
    match overall {
        Overall::Running => "running",
        Overall::Passed => "passed",
        Overall::Failed => "failed",
        Overall::Undone => "undone",
        Overall::Pending => "unfinished",
    }
}

fn overall(newest: &Newest, standings: &[(String, Standing)], runs: bool) -> Overall {
    let is = |wanted: &[Standing]| standings.iter().any(|(_, standing)| wanted.contains(standing));
    if runs {
        Overall::Running
    } else if newest.history.result == Some(Verdict::Passed) {
        Overall::Passed
    } else if is(&[Standing::NotClean]) {
        Overall::Failed
    } else if is(&[Standing::HalfDone, Standing::ReadyDue]) {
        Overall::Pending
    } else if newest.history.undone && newest.history.result.is_some() && is(&[Standing::Undone]) {
        Overall::Undone
    } else if is(&[Standing::Failed]) || newest.history.result == Some(Verdict::Failed) {
        Overall::Failed
    } else {
        Overall::Pending
    }
}

impl Status<'_> {
    /// The line that goes on. It never deploys again what is being undone.
    fn next(&self) -> Option<String> {
        let command = &self.loaded.command;
        let stages = || self.loaded.plan.stages.iter();
        let standing = |id: &str| self.newest.history.stage(id).standing;
        if matches!(self.overall, Overall::Passed | Overall::Running | Overall::Undone) {
            return None;
        }
        if self.newest.history.undone || stages().any(|stage| standing(&stage.id) == Standing::NotClean) {
            return Some(format!("{command} --undo --yes"));
        }
        let stuck = stages().find(|stage| standing(&stage.id) == Standing::HalfDone && !stage.again);
        Some(stuck.map_or_else(|| format!("{command} --resume"), |stage| format!("{command} --from {}", stage.id)))
    }

    fn document(&self, console: &Console) -> Value {
        let stages: Vec<Value> =
            self.standings.iter().map(|(name, standing)| json!({ "name": name, "status": standing.words() })).collect();
        json!({
            "schema_version": 1, "tool": console.tool(), "run": self.newest.folder.name(), "title": self.loaded.title(),
            "status": word(self.overall), "stages": stages, "torn": self.newest.history.torn, "next": self.next(),
            "running": self.survivors.as_ref().map(|(_, left)| left), "always_missed": self.missed, "error": null,
        })
    }

    fn text(&self) -> String {
        let width = self.standings.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let mut text = format!("{}, run {}: {}\n", self.loaded.title(), self.newest.folder.name(), word(self.overall));
        for (name, standing) in &self.standings {
            let _ = writeln!(text, "  {name:width$}  {}", standing.words());
        }
        for name in &self.missed {
            let _ = writeln!(text, "did not run, though it always runs at the end: {name}");
        }
        if let Some((check, left)) = &self.survivors {
            let _ = writeln!(text, "still running, of `{check}`: {}", left.join(", "));
        }
        if let Some(holder) = &self.holder {
            let _ = writeln!(text, "the lock is held by {holder}");
        }
        if self.newest.history.torn {
            text += "the journal's last line was cut short: the process or the machine died while it was written\n";
        }
        if let Some(next) = self.next() {
            let _ = writeln!(text, "go on: {next}");
        }
        text
    }
}

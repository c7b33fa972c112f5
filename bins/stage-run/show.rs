//! `--list` and `--status`: what there is and how far it came, without an effect.

use std::fmt::Write as _;

use cli::{Console, Exit};
use fault::Result;
use report::Verdict;
use serde_json::{Value, json};

use crate::args::{Args, Format};
use crate::history::Standing;
use crate::loaded::Loaded;
use crate::newest::{self, Newest};

/// The first line of a command, marked if there are more.
pub(crate) fn first_line(script: &str) -> String {
    let mut lines = script.trim().lines();
    let first = lines.next().unwrap_or_default().to_owned();
    if lines.next().is_some() { first + " …" } else { first }
}

/// Prints the stages.
///
/// # Errors
/// Stdout takes nothing.
pub(crate) fn list(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    let stages = &loaded.plan.stages;
    let text = match args.format {
        Format::Json => {
            let list: Vec<Value> = stages
                .iter()
                .map(|stage| {
                    json!({
                        "id": stage.id, "name": stage.name, "run": stage.run, "plan": stage.plan, "undo": stage.undo,
                        "ready": stage.ready, "destroys": stage.destroys, "again": stage.again,
                        "when": stage.when.as_ref().map(ToString::to_string),
                    })
                })
                .collect();
            let always: Vec<Value> = loaded
                .plan
                .always
                .iter()
                .map(|one| json!({ "id": one.id, "name": one.name, "run": one.run }))
                .collect();
            let document = json!({ "schema_version": 1, "tool": console.tool(), "title": loaded.title(), "stages": list, "always": always, "error": null });
            format!("{document}\n")
        }
        Format::Jsonl => {
            let lines = stages.iter().map(|stage| format!("{}\n", json!({ "stage": stage.id, "run": stage.run })));
            lines.collect::<Vec<_>>().concat()
        }
        Format::Text => {
            let width = stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or_default();
            let mut text = format!("{}\n", loaded.title());
            for stage in stages {
                let _ = writeln!(text, "  {:width$}  {}", stage.name, first_line(&stage.run));
                for (name, script) in [("ready", &stage.ready), ("plan", &stage.plan), ("undo", &stage.undo)] {
                    if let Some(script) = script {
                        let _ = writeln!(text, "  {:width$}    {name}: {}", "", first_line(script));
                    }
                }
                if let Some(when) = &stage.when {
                    let _ = writeln!(text, "  {:width$}    when: {when}", "");
                }
            }
            for always in &loaded.plan.always {
                let _ = writeln!(text, "  {:width$}  {} (always)", always.name, first_line(&always.run));
            }
            text
        }
    };
    console.print(text)?;
    Ok(Exit::Success)
}

/// What the newest run is as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overall {
    Running,
    Passed,
    Failed,
    Pending,
}

/// Prints how far the newest run came.
///
/// # Errors
/// Its journal cannot be read.
pub(crate) fn status(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    let Some(newest) = newest::find(loaded, args)? else {
        return Err(
            fault::Fault::usage(format!("no run of {} is on record", loaded.title())).help("start one: stage-run")
        );
    };
    let survivors = newest.survivors();
    let holder = crate::lock::is_held(&crate::lock::folder(console)?, &loaded.locks[0]);
    let standings: Vec<(String, Standing)> = loaded
        .plan
        .stages
        .iter()
        .filter(|stage| newest.history.promises(&stage.id))
        .map(|stage| (stage.name.clone(), newest.history.stage(&stage.id).standing))
        .collect();
    let overall = overall(&newest, &standings, survivors.is_some() || holder.is_some());
    let next = next(&newest, loaded, overall);
    let text = match args.format {
        Format::Text => {
            text(loaded, &newest, &standings, overall, survivors.as_ref(), holder.as_deref(), next.as_deref())
        }
        Format::Json | Format::Jsonl => {
            let stages: Vec<Value> =
                standings.iter().map(|(name, standing)| json!({ "name": name, "status": standing.words() })).collect();
            let document = json!({
                "schema_version": 1, "tool": console.tool(), "run": newest.folder.name(), "title": loaded.title(),
                "status": word(overall), "stages": stages, "torn": newest.history.torn, "next": next,
                "running": survivors.as_ref().map(|(_, left)| left), "error": null,
            });
            format!("{document}\n")
        }
    };
    console.print(text)?;
    Ok(match overall {
        Overall::Passed => Exit::Success,
        Overall::Failed => Exit::Failed,
        Overall::Running | Overall::Pending => Exit::Incomplete,
    })
}

fn word(overall: Overall) -> &'static str {
    match overall {
        Overall::Running => "running",
        Overall::Passed => "passed",
        Overall::Failed => "failed",
        Overall::Pending => "unfinished",
    }
}

fn overall(newest: &Newest, standings: &[(String, Standing)], runs: bool) -> Overall {
    let is = |wanted: &[Standing]| standings.iter().any(|(_, standing)| wanted.contains(standing));
    if runs {
        Overall::Running
    } else if newest.history.result == Some(Verdict::Passed) {
        Overall::Passed
    } else if is(&[Standing::HalfDone, Standing::ReadyDue]) {
        Overall::Pending
    } else if is(&[Standing::Failed, Standing::NotClean]) || newest.history.result == Some(Verdict::Failed) {
        Overall::Failed
    } else {
        Overall::Pending
    }
}

fn next(newest: &Newest, loaded: &Loaded, overall: Overall) -> Option<String> {
    if matches!(overall, Overall::Passed | Overall::Running) {
        return None;
    }
    let stuck = loaded.plan.stages.iter().find(|stage| {
        let standing = newest.history.stage(&stage.id).standing;
        matches!(standing, Standing::HalfDone | Standing::NotClean) && !stage.again
    });
    Some(stuck.map_or_else(|| "stage-run --resume".to_owned(), |stage| format!("stage-run --from {}", stage.id)))
}

fn text(
    loaded: &Loaded,
    newest: &Newest,
    standings: &[(String, Standing)],
    overall: Overall,
    survivors: Option<&(String, Vec<String>)>,
    holder: Option<&str>,
    next: Option<&str>,
) -> String {
    let width = standings.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let mut text = format!("{}, run {}: {}\n", loaded.title(), newest.folder.name(), word(overall));
    for (name, standing) in standings {
        let _ = writeln!(text, "  {name:width$}  {}", standing.words());
    }
    if let Some((check, left)) = survivors {
        let _ = writeln!(text, "still running, of `{check}`: {}", left.join(", "));
    }
    if let Some(holder) = holder {
        let _ = writeln!(text, "the lock is held by {holder}");
    }
    if newest.history.torn {
        text += "the journal's last line was cut short: the process or the machine died while it was written\n";
    }
    if let Some(next) = next {
        let _ = writeln!(text, "go on: {next}");
    }
    text
}

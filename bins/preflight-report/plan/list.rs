//! `--list` and `--dry-run`: the plan, for people and for pipes.

use std::fmt::Write as _;

use cli::{Console, Exit};
use fault::Result;
use plan::{Check, Need, Order, Stage};
use serde_json::{Value, json};

use super::load::Loaded;
use crate::args::{Args, Format};

/// Prints the checks: one per line, its id and what it runs, separated by a tab; as JSON the whole plan.
///
/// # Errors
/// Stdout cannot be written.
pub(super) fn list(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    let text = if args.format == Format::Json {
        document(loaded).to_string() + "\n"
    } else {
        loaded.chosen().map(|(_, check)| line(&format!("{}\t{}", check.id, check.action.shown()))).collect()
    };
    console.print(text)?;
    Ok(Exit::Success)
}

/// Prints what would run, stage by stage.
///
/// # Errors
/// Stdout cannot be written.
pub(super) fn dry_run(loaded: &Loaded, args: &Args, console: &Console) -> Result<Exit> {
    if args.format == Format::Json {
        console.print(document(loaded).to_string() + "\n")?;
        return Ok(Exit::Success);
    }
    let mut text = String::new();
    for (at, stage) in loaded.plan.stages.iter().enumerate() {
        let checks: Vec<_> = loaded.chosen().filter(|(_, check)| check.stage == at).collect();
        if checks.is_empty() {
            continue;
        }
        text += &line(&format!("{}: {}", stage.name, when(loaded, at, stage)));
        for (number, check) in checks {
            text += &line(&format!("  {}: {}", check.id, what(check, loaded.holds[number])));
        }
    }
    console.print(text)?;
    Ok(Exit::Success)
}

fn line(text: &str) -> String {
    runner::foreign::line("", text.as_bytes()) + "\n"
}

/// When a stage starts, and how its checks run.
fn when(loaded: &Loaded, at: usize, stage: &Stage) -> String {
    let starts = match &stage.needs {
        None if at == 0 => "at once".to_owned(),
        None => format!("after {} has ended", loaded.plan.stages[at - 1].id),
        Some(needs) if needs.is_empty() => "at once".to_owned(),
        Some(needs) => {
            format!("after {} passed", needs.iter().map(|need| name(loaded, *need)).collect::<Vec<_>>().join(", "))
        }
    };
    let order = if stage.order == Order::Sequence { ", one check after the other" } else { "" };
    starts + order
}

fn name(loaded: &Loaded, need: Need) -> &str {
    match need {
        Need::Stage(stage) => &loaded.plan.stages[stage].id,
        Need::Check(check) => &loaded.plan.checks[check].id,
    }
}

fn what(check: &Check, holds: bool) -> String {
    if let Some(when) = check.when.as_ref().filter(|_| !holds) {
        return format!("skipped, because `{when}` is false");
    }
    let mut text = check.action.shown();
    let mut remarks = Vec::new();
    remarks.extend(check.dir.as_ref().map(|dir| format!("in {dir}")));
    remarks.extend(check.timeout.map(|limit| format!("at most {}", cli::shown(limit))));
    if check.retries > 0 {
        remarks.push(report::verdict::count(check.retries.into(), "more attempt"));
    }
    if !check.required {
        remarks.push("not required".to_owned());
    }
    if !remarks.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, " ({})", remarks.join(", "));
    }
    text
}

fn document(loaded: &Loaded) -> Value {
    let stages = loaded.plan.stages.iter().enumerate().map(|(at, stage)| {
        let checks = loaded.chosen().filter(|(_, check)| check.stage == at).map(|(number, check)| {
            json!({
                "id": check.id,
                "name": check.name,
                "command": check.action.shown(),
                "required": check.required,
                "when": check.when.as_ref().map(ToString::to_string),
                "runs": loaded.holds[number],
                "timeout_seconds": check.timeout.map(|limit| limit.as_secs_f64()),
                "retries": check.retries,
                "report": check.report,
                "inputs": check.inputs,
                "prevents": check.prevents,
            })
        });
        json!({
            "id": stage.id,
            "name": stage.name,
            "needs": stage.needs.as_ref().map(|needs| needs.iter().map(|need| name(loaded, *need)).collect::<Vec<_>>()),
            "order": if stage.order == Order::Sequence { "sequence" } else { "parallel" },
            "checks": checks.collect::<Vec<_>>(),
        })
    });
    json!({ "schema_version": 1, "title": loaded.plan.title, "stages": stages.collect::<Vec<_>>() })
}

//! `--list`: the stages and their commands.

use std::fmt::Write as _;

use cli::{Console, Exit};
use fault::Result;
use serde_json::{Value, json};

use crate::args::{Args, Format};
use crate::loaded::Loaded;

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

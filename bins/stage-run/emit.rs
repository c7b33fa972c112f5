//! The result of a run, printed once: a line per stage, why it failed, where its log is, the line that goes on.

use std::fmt::Write as _;

use cli::Exit;
use fault::Fault;
use report::Status;
use runner::foreign;
use serde_json::{Value, json};

use crate::args::{Args, Format};
use crate::context::Context;
use crate::ran::Ran;
use crate::stage::Done;

/// What there is to print.
pub(crate) struct Result<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) ran: &'a Ran,
    pub(crate) exit: Exit,
    /// The line that goes on.
    pub(crate) next: Option<String>,
    /// Why the run could not go on.
    pub(crate) broken: Option<&'a Fault>,
}

/// Prints the result and writes the job summary.
pub(crate) fn result(result: &Result<'_>, args: &Args) {
    let console = result.context.console;
    // The lines before the result are written first.
    result.context.relays.borrow_mut().clear();
    let mut report = result.context.reporter.finish();
    report.exit_code = Some(result.exit.code());
    report.rerun.clone_from(&result.next);
    console.summary(&args.shared, |room| report::markdown(&report, room));
    let text = match args.format {
        Format::Jsonl => String::new(),
        Format::Text => text(result),
        Format::Json => format!("{}\n", document(result)),
    };
    let _ = console.print_or_warn(text);
    if let Some(fault) = result.broken {
        let _ = cli::report_fault(console, fault, false);
    }
}

fn text(result: &Result<'_>) -> String {
    let (ran, context) = (result.ran, result.context);
    let all = || ran.stages.iter().chain(&ran.others);
    let width = all().map(|done| label(done).chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for done in all() {
        let time = if done.last.is_some() { cli::shown(done.duration) } else { String::new() };
        let why = done.reason.as_ref().filter(|reason| !reason.text.is_empty());
        let why = why.map(|reason| foreign::line("", reason.text.as_bytes())).unwrap_or_default();
        let line = format!("{:9}  {:width$}  {time:>6}  {why}", word(done), label(done));
        text += line.trim_end();
        text.push('\n');
    }
    for name in &ran.pending {
        let _ = writeln!(text, "{:9}  {name}", "pending");
    }
    let failed = all().filter(|done| done.status == Status::Failed);
    for (done, last) in failed.filter_map(|done| Some((done, done.last.as_ref()?))) {
        text.push('\n');
        for line in &last.tail {
            let gutter = format!("{} | ", done.name);
            text += &foreign::line(&gutter, line);
            text.push('\n');
        }
        // The logs of a dry run are gone when it has ended.
        if context.keeps() {
            let _ = writeln!(text, "log: {}", shown_path(&last.log, context));
        }
    }
    if ran.others.iter().any(|done| done.id.starts_with("undo/") && done.status == Status::Failed) {
        let left: Vec<&str> =
            ran.others.iter().filter(|done| done.status != Status::Passed).map(|done| done.name.as_str()).collect();
        let _ = writeln!(text, "\nfailed and not clean: left are {}", left.join(", "));
    }
    if let Some(next) = &result.next {
        let _ = writeln!(text, "\ngo on: {next}");
    }
    text
}

/// `infra`, `undo of infra`, `close the firewall`.
fn label(done: &Done) -> String {
    if done.id.starts_with("undo/") {
        format!("undo of {}", done.name)
    } else if done.id.starts_with("hooks/") {
        format!("the run's `{}`", done.name)
    } else {
        done.name.clone()
    }
}

fn word(done: &Done) -> &'static str {
    match done.status {
        Status::Passed if done.id.starts_with("undo/") => "undone",
        Status::Failed if done.reason.as_ref().is_some_and(|reason| reason.code == crate::history::HALF_DONE) => {
            "half done"
        }
        status => status.name(),
    }
}

/// The path as a person types it: relative, if it is below the current folder.
fn shown_path(path: &std::path::Path, context: &Context<'_>) -> String {
    let here = std::env::current_dir().unwrap_or_else(|_| context.loaded.folder.clone());
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

fn document(result: &Result<'_>) -> Value {
    let (ran, context) = (result.ran, result.context);
    let item = |done: &Done| {
        json!({
            "id": done.id, "name": done.name, "status": done.status, "reason": done.reason, "exit_code": done.exit_code,
            "duration_seconds": (done.duration.as_secs_f64() * 1000.0).round() / 1000.0,
            "log": done.last.as_ref().filter(|_| context.keeps()).map(|last| last.log.display().to_string()),
        })
    };
    let error = result.broken.cloned().or_else(|| failure(ran, result.exit)).map(|fault| cli::error_document(&fault));
    json!({
        "schema_version": 1, "tool": context.console.tool(), "run": context.folder.name(), "title": context.loaded.title(),
        "exit_code": result.exit.code(), "duration_seconds": (context.reporter.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        "stages": ran.stages.iter().map(item).collect::<Vec<_>>(), "others": ran.others.iter().map(item).collect::<Vec<_>>(),
        "pending": ran.pending, "next": result.next, "error": error,
    })
}

fn failure(ran: &Ran, exit: Exit) -> Option<Fault> {
    if exit == Exit::Success {
        return None;
    }
    let failed = ran.stages.iter().chain(&ran.others).find(|done| done.status == Status::Failed)?;
    let fault = Fault::failed(format!("stage `{}` did not pass", failed.name));
    Some(match &failed.reason {
        Some(reason) => fault.cause(reason.text.clone()),
        None => fault,
    })
}

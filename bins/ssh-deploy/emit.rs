//! The end of a run: the result on stdout, the job summary, the annotations, the exit code.

use cli::{Console, Exit};
use report::{Report, Status};
use runner::command::{Annotation, Level};
use serde_json::{Value, json};
use ssh::Target;

use crate::args::{Args, Format};
use crate::log::{Host, Log, hosts, seconds};
use crate::stop::StopReason;

/// Reports the result in every form that was asked for.
pub(crate) fn finish(
    log: Log<'_>,
    targets: &[Target],
    signal: Option<StopReason>,
    args: &Args,
    console: &Console,
) -> Exit {
    let (ends, mut report) = log.finish();
    let exit = match signal {
        Some(signal) => signal.exit(),
        None => exit_of(&ends),
    };
    report.exit_code = Some(exit.code());
    let text = match args.format {
        Format::Text => text(targets, &ends),
        Format::Json => format!("{}\n", report::neutral(&json(targets, &ends, &report, exit).to_string())),
        // A deploy has no matrix; `list` refuses the format without --list.
        Format::Jsonl | Format::Matrix => String::new(),
    };
    let _ = console.print_or_warn(text);
    annotate(targets, &ends, console);
    if !targets.is_empty() {
        console.summary(&args.shared, |room| report::markdown(&report, room));
    }
    exit
}

/// The exit code without a signal. 75 and 77 promise that nothing was changed: once a host was, every failure is 1.
fn exit_of(ends: &[Host]) -> Exit {
    let worst = Exit::worst(ends.iter().filter_map(|host| host.end.as_ref()).map(|(result, _)| result.exit));
    let changed = ends.iter().any(|host| host.changed);
    if changed && matches!(worst, Exit::Temporary | Exit::Permission) { Exit::Failed } else { worst }
}

/// One line per host, then the count.
fn text(targets: &[Target], ends: &[Host]) -> String {
    let width = targets.iter().map(|target| target.name.chars().count()).max().unwrap_or(0);
    let line = |(target, host): (&Target, &Host)| {
        let (result, elapsed) = host.end.as_ref()?;
        let why = result
            .reason
            .as_ref()
            .map_or_else(|| format!("in {:.1} s", elapsed.as_secs_f64()), |reason| reason.text.clone());
        Some(format!("{:width$}  {:9}  {why}\n", target.name, result.status.name()))
    };
    let lines: String = targets.iter().zip(ends).filter_map(line).collect();
    let count = |status: Status| {
        ends.iter().filter(|host| host.end.as_ref().is_some_and(|(end, _)| end.status == status)).count()
    };
    let counts =
        [Status::Passed, Status::Failed, Status::Cancelled, Status::Skipped].map(|status| (count(status), status));
    let unreachable = ends.iter().filter(|host| host.is_unreachable()).count();
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, status)| format!("{count} {}", status.name()))
        .chain((unreachable > 0).then(|| format!("{unreachable} not deployed")))
        .collect();
    if ends.is_empty() { String::new() } else { format!("{lines}{}: {}\n", hosts(ends.len()), counts.join(", ")) }
}

fn json(targets: &[Target], ends: &[Host], report: &Report, exit: Exit) -> Value {
    let host = |(target, host): (&Target, &Host)| {
        let (result, elapsed) = host.end.as_ref()?;
        let check = report.checks().map(|(_, check)| check).find(|check| check.name() == target.name);
        let mut value = json!(check.map(|check| check.data.clone()).unwrap_or_default());
        value["host"] = json!(target.address.host.as_str());
        value["port"] = json!(target.address.port);
        value["name"] = json!(target.name);
        value["status"] = json!(result.status);
        value["reason"] = json!(result.reason);
        value["causes"] = json!(result.causes);
        value["help"] = json!(result.help);
        value["exit_code"] = json!(result.exit_code);
        value["duration_seconds"] = json!(seconds(*elapsed));
        Some(value)
    };
    json!({
        "schema_version": 1,
        "tool": "ssh-deploy",
        "result": if ends.is_empty() { report::Verdict::Passed } else { report.result() },
        "exit_code": exit.code(),
        "duration_seconds": report.duration_seconds,
        "hosts": targets.iter().zip(ends).filter_map(host).collect::<Vec<_>>(),
    })
}

/// One error per host that failed.
fn annotate(targets: &[Target], ends: &[Host], console: &Console) {
    let failures = targets.iter().zip(ends).filter_map(|(target, host)| {
        let (result, _) = host.end.as_ref().filter(|(result, _)| result.status == Status::Failed)?;
        let why = result.reason.as_ref().map_or("failed", |reason| &reason.text);
        let mut lines = vec![format!("{}: {why}", target.name)];
        lines.extend(result.causes.iter().map(|cause| format!("  caused by: {cause}")));
        lines.extend(result.help.iter().map(|help| format!("  help: {help}")));
        Some(lines.join("\n"))
    });
    let failures: Vec<String> = failures.collect();
    let annotations: Vec<Annotation> =
        failures.iter().map(|message| Annotation::new(Level::Error, console.tool(), message)).collect();
    console.annotate(&annotations);
}

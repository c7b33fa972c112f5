//! The end of a run: the result on stdout, the errors, the job summary, the exit code.

use std::time::Duration;

use cli::{Console, Exit};
use fault::{Fault, Kind};
use live::{End, Item, Noted, State};
use report::{Reason, Report};
use run::StopReason;
use serde_json::{Value, json};

use crate::args::{Args, Format};
use crate::log::{Log, seconds, status};
use crate::waits::Wait;

/// How many lines of evidence an error quotes.
const QUOTED: usize = 3;

/// Reports the result in every form that was asked for.
pub(crate) fn finish(
    log: &Log<'_>,
    waits: &[Wait],
    stopped: Option<StopReason>,
    args: &Args,
    console: &Console,
) -> Exit {
    for item in waits.iter().flat_map(|wait| wait.watch.items()).filter(|item| item.over.is_none()) {
        let last = item.tally.last().map_or("not looked at yet".to_owned(), |look| log.clean(&look.what));
        log.record(item, None, Some(Reason::new("interrupted", format!("interrupted; the last look: {last}"))));
    }
    let report = log.finish();
    let items = || waits.iter().flat_map(|wait| wait.watch.items().iter().map(move |item| (wait, item)));
    let faults: Vec<Fault> = items().filter_map(|(wait, item)| fault(log, wait, item)).collect();
    let exit = match stopped {
        Some(reason) => reason.exit(),
        None => Exit::worst(items().map(|(_, item)| exit_of(item))),
    };
    let text = match args.format {
        Format::Text => results(items().map(|(_, item)| item)),
        Format::Json => {
            let targets: Vec<Value> = items().map(|(wait, item)| target(log, wait, item)).collect();
            format!("{}\n", report::neutral(&document(&report, &targets, &faults, exit, console).to_string()))
        }
        Format::Jsonl => String::new(),
    };
    let _ = console.print_or_warn(text);
    for fault in &faults {
        // The document has the error already.
        let _ = cli::report_fault(console, fault, false);
    }
    console.summary(&args.shared, |room| report::markdown(&report, room));
    exit
}

/// What a live target is called for good, one line each: only an image has such a name.
fn results<'a>(items: impl Iterator<Item = &'a Item>) -> String {
    let live = items.filter(|item| item.over.as_ref().is_some_and(|over| over.end == End::Live));
    let results = live.filter_map(|item| item.tally.last()?.result.as_ref());
    results.map(|result| format!("{result}\n")).collect::<Vec<_>>().concat()
}

fn exit_of(item: &Item) -> Exit {
    match item.over.as_ref().map(|over| over.end) {
        Some(End::Live) => Exit::Success,
        Some(End::Failed) => Exit::Failed,
        Some(End::Usage) => Exit::Usage,
        Some(End::Incomplete) | None => Exit::Incomplete,
        Some(End::Unreachable) => Exit::Temporary,
        Some(End::Denied) => Exit::Permission,
    }
}

/// The error of a target that is not live.
fn fault(log: &Log<'_>, wait: &Wait, item: &Item) -> Option<Fault> {
    let (wanted, name) = (&wait.wanted, &item.name);
    let Some(over) = &item.over else {
        let last = item.tally.last().map_or("no look was made".to_owned(), |look| log.clean(&look.what));
        let text = format!("interrupted while waiting for {wanted} on {name}");
        return Some(Fault::incomplete(text).cause(format!("the last look: {last}")));
    };
    let why = log.clean(&over.why);
    let time = cli::shown(Duration::from_secs(over.at.as_secs()));
    let (kind, message) = match over.end {
        End::Live => return None,
        End::Failed => (Kind::Failed, format!("{wanted} is not live on {name}: {why}")),
        End::Usage => (Kind::Usage, format!("{name} cannot be looked at: {why}")),
        End::Incomplete => (Kind::Incomplete, format!("{wanted} is not live on {name} after {time}: {why}")),
        End::Unreachable => (Kind::Temporary, format!("{name} could not be looked at in {time}: {why}")),
        End::Denied => (Kind::Permission, format!("not permitted to look at {name}: {why}")),
    };
    let evidence = item.tally.last().map(|look| &look.evidence[..]).unwrap_or_default();
    let failures = item.tally.failures().map(|failure| &failure.text);
    let mut causes: Vec<String> =
        failures.chain(evidence).map(|line| log.clean(line)).filter(|line| !why.contains(line.as_str())).collect();
    causes.dedup();
    let fault = causes.into_iter().take(QUOTED).fold(Fault::new(kind, message), Fault::cause);
    Some(match help(over.code) {
        Some(help) => fault.help(help),
        None => fault,
    })
}

/// What to do about it, by the stable word.
fn help(code: &str) -> Option<&'static str> {
    Some(match code {
        "no_revision" => "check where the revision is with --json, --from-header or --text",
        "not_permitted" => "send a credential with --send-header NAME=VARIABLE",
        "no_such_name" => "check the name, or give DNS more time with --grace",
        "no_route" => "check that this machine has IPv4 or IPv6, as the address needs",
        _ => return None,
    })
}

fn document(report: &Report, targets: &[Value], faults: &[Fault], exit: Exit, console: &Console) -> Value {
    json!({
        "schema_version": 1,
        "tool": console.tool(),
        "result": report.result(),
        "exit_code": exit.code(),
        "duration_seconds": report.duration_seconds,
        "targets": targets,
        "error": faults.first().map(cli::error_document),
    })
}

fn target(log: &Log<'_>, wait: &Wait, item: &Item) -> Value {
    let over = item.over.as_ref();
    let reason = over.filter(|over| over.end != End::Live);
    json!({
        "name": item.name,
        "kind": wait.kind,
        "wanted": wait.wanted,
        "url": wait.url,
        "status": status(over.map(|over| over.end)),
        "reason": reason.map(|over| Reason::new(over.code, log.clean(&over.why))),
        "exit_code": exit_of(item).code(),
        "duration_seconds": seconds(over.map_or(log.elapsed(), |over| over.at)),
        "result": item.tally.last().and_then(|look| look.result.as_ref()),
        "look_count": item.tally.looks(),
        "proof_count": item.tally.proofs().map_or(0, |(count, _)| count),
        "live_after_seconds": item.tally.proofs().map(|(_, since)| seconds(since)),
        "looks": item.looks.iter().map(|noted| look(log, noted)).collect::<Vec<_>>(),
    })
}

fn look(log: &Log<'_>, noted: &Noted) -> Value {
    let look = &noted.look;
    let clean = |lines: &[String]| lines.iter().map(|line| log.clean(line)).collect::<Vec<_>>();
    json!({
        "at_seconds": seconds(look.at),
        "until_seconds": seconds(noted.until),
        "count": noted.count,
        "live": look.state == State::Live,
        "code": look.code,
        "what": log.clean(&look.what),
        "evidence": clean(&look.evidence),
        "failures": look.failures.iter().map(|failure| log.clean(&failure.text)).collect::<Vec<_>>(),
    })
}

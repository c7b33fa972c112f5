//! Checks that a config has the required names, without reading any value.

use cli::{Console, Exit};
use fault::{Fault, Result};
use report::{Event, Reason, Recorder, Report, Screen, Status, Style, Verdict};
use serde_json::Map;

use crate::args::Args;
use crate::format::Format;
use crate::gather;

/// Checks the names and prints the result, as text or as records for `preflight-report`.
pub(crate) fn run(args: &Args, console: &Console) -> anyhow::Result<Exit> {
    if !matches!(args.output.format, Format::Text | Format::Jsonl) {
        return Err(Fault::usage("--check-names prints no secrets").help("use --format text or --format jsonl").into());
    }
    let required: Vec<&str> = args.check_names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let (place, names) = gather::names(args, console)?;
    let run = console.context().run_key().unwrap_or_else(|| "local".to_owned());
    let mut recorder = Recorder::new(run, None, jiff::Timestamp::now);
    record(&mut recorder, &required, &names, &place);
    let report = recorder.report();
    console.summary(&args.shared, |room| report::markdown(&report, room));
    write(&recorder, &report, args.output.format, console)?;
    Ok(if report.result() == Verdict::Passed { Exit::Success } else { Exit::Failed })
}

/// Records one check per name.
fn record(recorder: &mut Recorder, required: &[&str], names: &[String], place: &str) {
    let id = |name: &str| format!("secrets/{name}");
    recorder.record(Event::RunStarted {
        tool: Some("secrets-env".to_owned()),
        title: Some("Secrets".to_owned()),
        plan: required.iter().map(|name| id(name)).collect(),
    });
    let mut result = Verdict::Passed;
    for name in required {
        let reason = (!names.iter().any(|known| known == name)).then(|| {
            let near = fault::nearest(name, names.iter().map(String::as_str));
            let hint = near.map(|near| format!("; it has {near}")).unwrap_or_default();
            Reason::new("secret_missing", format!("not in {place}{hint}"))
        });
        let status = if reason.is_some() { Status::Failed } else { Status::Passed };
        if reason.is_some() {
            result = Verdict::Failed;
        }
        let (duration_seconds, url, exit_code, data) = (None, None, None, Map::new());
        recorder.record(Event::CheckFinished {
            check: id(name),
            status,
            duration_seconds,
            reason,
            url,
            exit_code,
            data,
        });
    }
    recorder.record(Event::RunFinished { result, duration_seconds: None });
}

fn write(recorder: &Recorder, report: &Report, format: Format, console: &Console) -> Result<()> {
    let text = if format == Format::Jsonl {
        let line = |record| serde_json::to_string(record).map(|line| line + "\n");
        let lines: std::result::Result<Vec<String>, _> = recorder.records().iter().map(line).collect();
        lines.map_err(|error| Fault::usage("the records cannot be written").cause(error.to_string()))?.concat()
    } else {
        let screen = if console.stdout_is_terminal() { Screen::Terminal } else { Screen::Other };
        report::text(report, Style::of(console.environment(), screen))
    };
    console.print(text)
}

//! Reads dbt's `run_results.json` and the lines of `--log-format json`.

use report::{Level, Nature};
use serde::Deserialize;

use crate::{Claim, Diagnostic, Item, Json, Location, Outcome, Reader, Sink, Test, Unreadable, places};

/// Whether a document is `run_results.json`.
pub(crate) fn is_results(json: &Json<'_>) -> bool {
    json.has(&["metadata", "results"])
        && (json.has(&["elapsed_time"]) || json.raw("metadata").is_some_and(|text| text.contains("dbt_")))
}

/// Whether a value is a line of the log.
pub(crate) fn is_log(json: &Json<'_>) -> bool {
    json.has(&["info"]) && json.raw("info").is_some_and(|info| Json::new(info).has(&["level", "msg", "name"]))
}

/// The reader of `run_results.json`.
#[derive(Debug, Default)]
pub(crate) struct Results;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    status: String,
    unique_id: String,
    message: Option<String>,
    execution_time: Option<f64>,
}

impl Reader for Results {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let document: Document = json.read()?;
        sink.tool("dbt");
        for entry in &document.results {
            let outcome = match entry.status.as_str() {
                "success" | "pass" | "warn" | "reused" | "no-op" => Outcome::Passed,
                "skipped" => Outcome::Skipped,
                _ => Outcome::Failed,
            };
            let found = |level| {
                let message = entry.message.as_deref().unwrap_or(&entry.status);
                failure(level, message)
            };
            if entry.status == "warn" {
                let mut warning = found(Level::Warning);
                warning.message = format!("{}: {}", entry.unique_id, warning.message);
                sink.finding(warning);
            }
            let failure = (outcome == Outcome::Failed).then(|| found(Level::Error));
            sink.test(Test { name: &entry.unique_id, outcome, seconds: entry.execution_time, failure });
        }
        Ok(())
    }
}

/// The place is in brackets: `Runtime Error in model x (models/x.sql)`.
fn failure(level: Level, text: &str) -> Diagnostic {
    let text = &*crate::source::without_escapes(text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut found = Diagnostic::new(level, lines.iter().take(2).copied().collect::<Vec<_>>().join(": ")).detail(text);
    found.locations = places::in_text(text);
    for inner in text.split('(').skip(1).filter_map(|rest| rest.split_once(')')).map(|(inner, _)| inner) {
        if inner.contains('/') && places::is_file(inner) && !inner.contains(' ') {
            found.locations.extend(Location::new(inner, None, None));
        }
    }
    found
}

/// The reader of the log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    tests: u64,
    /// The program reported that there was nothing to do.
    is_idle: bool,
}

#[derive(Deserialize)]
struct Line {
    info: Info,
    #[serde(default)]
    data: serde_json::Value,
}

#[derive(Deserialize)]
struct Info {
    level: String,
    msg: String,
    name: String,
}

impl Reader for Log {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let Line { info, data } = json.read()?;
        self.is_idle |= info.name == "NothingToDo";
        let node = data.get("node_info").and_then(|node| node.get("unique_id")).and_then(serde_json::Value::as_str);
        let status = data.get("status").and_then(serde_json::Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let is_result =
            matches!(info.name.as_str(), "LogTestResult" | "LogModelResult" | "LogSeedResult" | "LogSnapshotResult");
        if let Some(node) = node.filter(|_| is_result) {
            self.tests += 1;
            let outcome = match info.level.as_str() {
                "error" => Outcome::Failed,
                _ if status.starts_with("skip") => Outcome::Skipped,
                _ => Outcome::Passed,
            };
            let failure = (outcome == Outcome::Failed).then(|| failure(Level::Error, &info.msg));
            let seconds = data.get("execution_time").and_then(serde_json::Value::as_f64);
            sink.test(Test { name: node, outcome, seconds, failure });
        } else if info.level == "error" {
            sink.finding(failure(Level::Error, &info.msg));
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        sink.tool("dbt");
        let nature = if self.tests > 0 || self.is_idle { Nature::Tests } else { Nature::Outcome };
        sink.claim(Claim::Nature(nature));
        Ok(())
    }
}

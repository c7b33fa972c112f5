//! Reads Rust's JSON lines: cargo's `--message-format json` and libtest's (also nextest's) `--format json`.

use std::collections::HashSet;

use report::Level;
use serde::Deserialize;

use crate::{Diagnostic, Item, Json, Location, Outcome, Reader, Sink, Test, Unreadable, places};

/// Whether a value is a message of cargo's.
pub(crate) fn is_cargo(json: &Json<'_>) -> bool {
    json.has(&["reason"]) && (json.has(&["package_id"]) || json.has(&["message"]) || json.has(&["success"]))
}

/// Whether a value is an event of libtest's.
pub(crate) fn is_libtest(json: &Json<'_>) -> bool {
    json.has(&["type", "event"])
        && matches!(json.string("type").as_deref(), Some("suite" | "test" | "bench" | "report"))
}

/// The reader of cargo's messages.
#[derive(Debug, Default)]
pub(crate) struct Cargo {
    /// What was reported: a program and its tests report the same.
    seen: HashSet<String>,
    errors: u64,
    success: Option<bool>,
}

#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    message: Option<Message>,
    success: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "message")]
    text: String,
    level: String,
    code: Option<Code>,
    #[serde(default)]
    spans: Vec<Span>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: i64,
    column_start: i64,
    #[serde(default)]
    is_primary: bool,
}

impl Reader for Cargo {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let message: CargoMessage = json.read()?;
        self.success = message.success.or(self.success);
        if let Some(found) = message.message.filter(|_| message.reason == "compiler-message") {
            self.report(found, sink);
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        sink.tool("cargo");
        if self.success == Some(false) && self.errors == 0 {
            sink.finding(Diagnostic::error("the build failed without an error of the compiler"));
        }
        if self.success.is_none() {
            return Err(Unreadable::new("it is cut off: `build-finished` is missing"));
        }
        Ok(())
    }
}

impl Cargo {
    fn report(&mut self, message: Message, sink: &mut dyn Sink) {
        let level = match message.level.as_str() {
            "warning" => Level::Warning,
            level if level.starts_with("error") => Level::Error,
            _ => return,
        };
        // `aborting due to 2 previous errors`, `2 warnings emitted`
        let is_summary =
            message.spans.is_empty() && (level == Level::Warning || message.text.starts_with("aborting due to"));
        let rendered = message.rendered.unwrap_or_default();
        if is_summary || !self.seen.insert(format!("{}\0{rendered}", message.text)) {
            return;
        }
        self.errors += u64::from(level == Level::Error);
        let mut found = Diagnostic::new(level, message.text).rule(message.code.map(|code| code.code));
        found.detail = crate::source::without_escapes(&rendered).into_owned();
        let mut spans = message.spans;
        spans.sort_by_key(|span| !span.is_primary);
        let places = spans
            .iter()
            .filter_map(|span| Location::new(span.file_name.as_str(), Some(span.line_start), Some(span.column_start)));
        found.locations = places.collect();
        sink.finding(found);
    }
}

/// The reader of libtest's events.
#[derive(Debug, Default)]
pub(crate) struct Libtest {
    /// A suite failed without a failing test.
    has_failure: bool,
    began: HashSet<String>,
    /// How many suites began and have not ended.
    open: u64,
}

#[derive(Deserialize)]
struct Event {
    r#type: String,
    #[serde(rename = "event")]
    what: String,
    #[serde(default)]
    name: String,
    exec_time: Option<f64>,
    stdout: Option<String>,
    message: Option<String>,
    reason: Option<String>,
}

impl Reader for Libtest {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let event: Event = json.read()?;
        match event.r#type.as_str() {
            "test" | "bench" => self.test(&event, sink),
            "suite" if event.what == "started" => self.open += 1,
            "suite" if event.what == "ok" => self.open = self.open.saturating_sub(1),
            "suite" if event.what == "failed" => {
                self.open = self.open.saturating_sub(1);
                if !std::mem::take(&mut self.has_failure) {
                    sink.finding(Diagnostic::error("the suite failed without a failing test"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        sink.tool("cargo-test");
        for name in std::mem::take(&mut self.began) {
            let failure = Some(Diagnostic::error("it began and did not end"));
            sink.test(Test { name: &name, outcome: Outcome::Failed, seconds: None, failure });
        }
        if self.open > 0 { Err(Unreadable::new("it is cut off: a suite began and did not end")) } else { Ok(()) }
    }
}

impl Libtest {
    fn test(&mut self, event: &Event, sink: &mut dyn Sink) {
        let outcome = match event.what.as_str() {
            "started" => {
                self.began.insert(event.name.clone());
                return;
            }
            "ok" => Outcome::Passed,
            "ignored" => Outcome::Skipped,
            "failed" => Outcome::Failed,
            // `timeout` is a warning that a test takes long.
            _ => return,
        };
        self.began.remove(&event.name);
        // nextest names attempts: `crate::bin$path#2`.
        let (name, attempt) = event.name.rsplit_once('#').filter(|(_, number)| number.parse::<u32>().is_ok()).unzip();
        let outcome = if attempt.is_some() && outcome == Outcome::Passed { Outcome::Flaky } else { outcome };
        self.has_failure |= outcome == Outcome::Failed;
        let failure = (outcome == Outcome::Failed).then(|| event.failure());
        sink.test(Test { name: name.unwrap_or(&event.name), outcome, seconds: event.exec_time, failure });
    }
}

impl Event {
    fn failure(&self) -> Diagnostic {
        let text = self.stdout.as_deref().unwrap_or_default();
        let text = &*crate::source::without_escapes(text);
        // The line behind `panicked at` is the message.
        let mut lines = text.lines();
        let panicked = lines.find(|line| line.contains("panicked at "));
        let panic = panicked.and_then(|_| lines.next()).map(str::trim).filter(|line| !line.is_empty());
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        let message = self.message.as_deref().or(panic).or(first).or(self.reason.as_deref()).unwrap_or("failed");
        let mut found = Diagnostic::error(message).detail(text);
        found.locations = places::in_text(panicked.unwrap_or_default());
        found.locations.extend(places::in_text(message));
        found.locations.extend(places::in_text(text));
        found
    }
}

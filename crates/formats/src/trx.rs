//! Reads TRX, the results of `dotnet test`.

use crate::{Diagnostic, Item, Outcome, Reader, Sink, TEXT, Test, Unreadable, places};

/// The reader of one document.
#[derive(Debug, Default)]
pub(crate) struct Trx {
    result: Option<Entry>,
    /// The element whose text is read.
    inside: Inside,
    /// The whole run's outcome, and whether a test failed.
    outcome: String,
    has_failure: bool,
    /// An error of the run: its text.
    run_error: Option<String>,
}

#[derive(Debug, Default)]
struct Entry {
    name: String,
    outcome: String,
    seconds: Option<f64>,
    message: String,
    stack: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Nothing,
    Message,
    Stack,
    RunInfo,
}

impl Reader for Trx {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        match item {
            Item::Open("UnitTestResult", attributes) => {
                // Rows of a data-driven test are nested; each row is a separate test.
                self.finish(sink);
                self.result = Some(Entry {
                    name: attributes.get("testName").unwrap_or_default(),
                    outcome: attributes.get("outcome").unwrap_or_default(),
                    seconds: attributes.get("duration").as_deref().and_then(duration),
                    ..Entry::default()
                });
            }
            Item::Open("ResultSummary", attributes) => self.outcome = attributes.get("outcome").unwrap_or_default(),
            Item::Open("RunInfo", attributes) if attributes.get("outcome").as_deref() == Some("Error") => {
                self.run_error = Some(String::new());
                self.inside = Inside::RunInfo;
            }
            Item::Open("Message", _) if self.result.is_some() => self.inside = Inside::Message,
            Item::Open("StackTrace", _) if self.result.is_some() => self.inside = Inside::Stack,
            Item::Text(text) => self.text(text),
            Item::Close("UnitTestResult") => self.finish(sink),
            Item::Close("RunInfo") => {
                self.inside = Inside::Nothing;
                if let Some(text) = self.run_error.take() {
                    sink.finding(Diagnostic::error(text.trim()));
                }
            }
            Item::Close("Message" | "StackTrace") => self.inside = Inside::Nothing,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        self.finish(sink);
        sink.tool("dotnet-test");
        if matches!(self.outcome.as_str(), "Failed" | "Error" | "Aborted" | "Timeout") && !self.has_failure {
            sink.finding(Diagnostic::error(format!("the run ended as {}, but no test failed", self.outcome)));
        }
        Ok(())
    }
}

impl Trx {
    fn text(&mut self, text: &str) {
        let kept = match (self.inside, &mut self.result, &mut self.run_error) {
            (Inside::Message, Some(result), _) => &mut result.message,
            (Inside::Stack, Some(result), _) => &mut result.stack,
            (Inside::RunInfo, _, Some(error)) => error,
            _ => return,
        };
        let room = TEXT.saturating_sub(kept.len());
        kept.push_str(&text[..text.floor_char_boundary(room)]);
    }

    fn finish(&mut self, sink: &mut dyn Sink) {
        let Some(result) = self.result.take() else { return };
        let outcome = match result.outcome.as_str() {
            "Passed" | "PassedButRunAborted" | "Completed" | "Warning" => Outcome::Passed,
            "Failed" | "Error" | "Timeout" | "Disconnected" | "InProgress" => Outcome::Failed,
            _ => Outcome::Skipped,
        };
        self.has_failure |= outcome == Outcome::Failed;
        let failure = (outcome == Outcome::Failed).then(|| {
            let message = result.message.trim();
            let mut found = Diagnostic::error(if message.is_empty() { "failed" } else { message });
            found.locations = places::in_text(&format!("{}\n{message}", result.stack));
            found.detail(result.stack.trim_end())
        });
        sink.test(Test { name: &result.name, outcome, seconds: result.seconds, failure });
    }
}

/// `00:00:00.0170545`
fn duration(text: &str) -> Option<f64> {
    let mut parts = text.splitn(3, ':').map(|part| part.parse::<f64>().ok());
    Some(parts.next()?? * 3600.0 + parts.next()?? * 60.0 + parts.next()??)
}

//! Reads OpenTelemetry spans in JSON as `dagger check` exports them: spans that are checks, and tests of test runners.

use serde::Deserialize;
use serde_json::Value;

use crate::{Diagnostic, Item, Json, Outcome, Reader, Sink, Test, Unreadable, places};

/// Whether a value is an export of spans.
pub(crate) fn is_one(json: &Json<'_>) -> bool {
    json.has(&["resourceSpans"])
}

/// The reader of exports.
#[derive(Debug, Default)]
pub(crate) struct Otlp;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    #[serde(default)]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    #[serde(default)]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    #[serde(default)]
    start_time_unix_nano: Value,
    #[serde(default)]
    end_time_unix_nano: Value,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    message: Option<String>,
}

impl Reader for Otlp {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let export: Export = json.read()?;
        let scopes = export.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).for_each(|span| span.report(sink));
        Ok(())
    }
}

impl Span {
    fn report(&self, sink: &mut dyn Sink) {
        let (name, outcome) = if let Some(name) = self.text("dagger.io/check.name") {
            sink.tool("dagger");
            // A span without an end is sent when it begins.
            let passed = self.attribute("dagger.io/check.passed").and_then(|value| value.get("boolValue")?.as_bool());
            let Some(passed) = passed else { return };
            (name, if passed { Outcome::Passed } else { Outcome::Failed })
        } else if let Some(name) = self.text("test.case.name") {
            let outcome = match self.text("test.case.result.status").unwrap_or_default() {
                "pass" => Outcome::Passed,
                "skip" | "skipped" => Outcome::Skipped,
                "" => return,
                _ => Outcome::Failed,
            };
            (name, outcome)
        } else {
            return;
        };
        let failure = (outcome == Outcome::Failed).then(|| {
            let message = self.status.message.as_deref().filter(|text| !text.trim().is_empty()).unwrap_or("failed");
            let mut found = Diagnostic::error(message);
            found.locations = places::in_text(message);
            found
        });
        sink.test(Test { name, outcome, seconds: self.seconds(), failure });
    }

    fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.attribute(key)?.get("stringValue")?.as_str()
    }

    fn seconds(&self) -> Option<f64> {
        // Nanoseconds of 64 bits, which JSON has as a string.
        let time = |value: &Value| value.as_str().map_or_else(|| value.as_f64(), |text| text.parse().ok());
        let seconds = (time(&self.end_time_unix_nano)? - time(&self.start_time_unix_nano)?) / 1e9;
        (seconds >= 0.0).then_some(seconds)
    }
}

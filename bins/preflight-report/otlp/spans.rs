//! What was received: the spans that are checks or tests, a bounded number of them, as JSON.

use std::collections::HashMap;

use report::verdict::count;
use serde_json::{Value, json};

use super::messages::{Export, Span};

/// Attributes that make a span a check or a test, and those that carry its outcome.
const CHECK: &str = "dagger.io/check.name";
const CHECK_PASSED: &str = "dagger.io/check.passed";
const TEST: &str = "test.case.name";
const TEST_STATUS: &str = "test.case.result.status";

/// The most spans that are kept, and how many more of those that failed: a failure must not get lost behind what passed.
const KEPT: usize = 100_000;
const KEPT_FAILED: usize = 10_000;
/// The longest text of a span.
const TEXT: usize = 4096;
/// Spans in one line of the document, which is read line by line.
const LINE: usize = 500;

/// The spans of one command.
#[derive(Debug, Default)]
pub(super) struct Collected {
    spans: Vec<Kept>,
    places: HashMap<(Vec<u8>, Vec<u8>), usize>,
    /// Checks and tests beyond what is kept.
    left_out: u64,
    /// Exports that could not be read or are too large.
    refused: u64,
}

/// What a report needs of a span.
#[derive(Debug)]
struct Kept {
    is_check: bool,
    name: String,
    passed: Option<bool>,
    result: Option<String>,
    message: String,
    begin: u64,
    end: u64,
}

/// What an [`super::Endpoint`] received until it was closed.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Spans that are checks or tests as JSON lines; blank if there are none.
    pub(crate) document: Vec<u8>,
    /// What was not read, one sentence each.
    pub(crate) notes: Vec<String>,
}

impl Collected {
    /// Takes the checks and tests of an export.
    pub(super) fn add(&mut self, export: Export) {
        let scopes = export.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            if let Some(kept) = Kept::of(&span) {
                self.keep((span.trace_id, span.span_id), kept);
            }
        }
    }

    pub(super) fn refuse(&mut self) {
        self.refused += 1;
    }

    fn keep(&mut self, id: (Vec<u8>, Vec<u8>), span: Kept) {
        if let Some(at) = self.places.get(&id) {
            // A live exporter sends a span when it begins and again when it ends.
            if span.end > 0 || span.has_outcome() {
                self.spans[*at] = span;
            }
            return;
        }
        let room = if span.has_failed() { KEPT + KEPT_FAILED } else { KEPT };
        if self.spans.len() >= room {
            self.left_out += 1;
            return;
        }
        // An exporter that numbers nothing sends each span once.
        if !id.1.is_empty() && id.0.len() + id.1.len() <= 64 {
            self.places.insert(id, self.spans.len());
        }
        self.spans.push(span);
    }

    /// The document, and what is missing in it.
    pub(super) fn finish(self) -> Received {
        let mut document = Vec::new();
        for some in self.spans.chunks(LINE) {
            let spans: Vec<Value> = some.iter().map(Kept::json).collect();
            let line = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
            document.extend_from_slice(line.to_string().as_bytes());
            document.push(b'\n');
        }
        let mut notes = Vec::new();
        let unfinished: Vec<&str> = self
            .spans
            .iter()
            .filter(|span| span.is_check && !span.has_outcome())
            .map(|span| span.name.as_str())
            .collect();
        if !unfinished.is_empty() {
            let named = unfinished[..unfinished.len().min(5)].join(", ");
            let number = count(unfinished.len() as u64, "check");
            notes.push(format!("{number} began and sent no outcome: {named}"));
        }
        if self.left_out > 0 {
            notes.push(format!("{} beyond the first {KEPT} not counted", count(self.left_out, "span")));
        }
        if self.refused > 0 {
            notes.push(format!("{} of spans could not be read", count(self.refused, "export")));
        }
        Received { document, notes }
    }
}

impl Kept {
    fn of(span: &Span) -> Option<Self> {
        let (is_check, name) = match (span.text(CHECK), span.text(TEST)) {
            (Some(name), _) => (true, name),
            (None, Some(name)) => (false, name),
            (None, None) => return None,
        };
        Some(Self {
            is_check,
            name: cut(name),
            passed: span.truth(CHECK_PASSED),
            result: span.text(TEST_STATUS).map(cut),
            message: span.status.as_ref().map(|status| cut(&status.message)).unwrap_or_default(),
            begin: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
        })
    }

    fn has_outcome(&self) -> bool {
        if self.is_check { self.passed.is_some() } else { self.result.is_some() }
    }

    fn has_failed(&self) -> bool {
        if self.is_check {
            self.passed == Some(false)
        } else {
            !matches!(self.result.as_deref(), Some("pass" | "skip" | "skipped") | None)
        }
    }

    fn json(&self) -> Value {
        let mut attributes = vec![json!({
            "key": if self.is_check { CHECK } else { TEST },
            "value": { "stringValue": self.name },
        })];
        attributes.extend(self.passed.map(|passed| json!({ "key": CHECK_PASSED, "value": { "boolValue": passed } })));
        attributes.extend(
            self.result.as_ref().map(|result| json!({ "key": TEST_STATUS, "value": { "stringValue": result } })),
        );
        json!({
            "startTimeUnixNano": self.begin.to_string(),
            "endTimeUnixNano": self.end.to_string(),
            "attributes": attributes,
            "status": { "message": self.message },
        })
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT)].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Collected, KEPT};

    fn export(spans: &[serde_json::Value]) -> super::Export {
        serde_json::from_value(json!({"resourceSpans":[{"scopeSpans":[{"spans":spans}]}]})).unwrap()
    }

    fn check(id: usize, passed: Option<bool>) -> serde_json::Value {
        let mut attributes = vec![json!({"key":"dagger.io/check.name","value":{"stringValue":format!("c{id}")}})];
        attributes.extend(passed.map(|passed| json!({"key":"dagger.io/check.passed","value":{"boolValue":passed}})));
        json!({"traceId":"t","spanId":format!("{id:016x}"),"endTimeUnixNano": if passed.is_some() {"5"} else {"0"},"attributes":attributes})
    }

    #[test]
    fn a_span_that_is_sent_again_at_its_end_counts_once_and_one_without_an_end_is_named() {
        let mut collected = Collected::default();
        collected.add(export(&[check(1, None), check(2, None), json!({"spanId":"x","attributes":[]})]));
        collected.add(export(&[check(1, Some(true))]));
        let received = collected.finish();
        let text = String::from_utf8(received.document).unwrap();
        assert_eq!(text.matches("check.name").count(), 2, "{text}");
        assert_eq!(text.matches("\"boolValue\":true").count(), 1, "{text}");
        assert_eq!(received.notes, ["1 check began and sent no outcome: c2"]);
    }

    #[test]
    fn a_failure_is_kept_where_no_more_passes_are() {
        let mut collected = Collected::default();
        for from in (0..=KEPT).step_by(1000) {
            let spans: Vec<_> = (from..from + 1000).map(|id| check(id, Some(true))).collect();
            collected.add(export(&spans));
        }
        collected.add(export(&[check(1_000_000, Some(false))]));
        let received = collected.finish();
        assert_eq!(received.notes, ["1000 spans beyond the first 100000 not counted"]);
        assert!(String::from_utf8(received.document).unwrap().contains("c1000000"));
    }
}

//! Reads CTRF, the Common Test Report Format.

use serde::Deserialize;

use crate::{Claim, Diagnostic, Item, Json, Location, Outcome, Reader, Sink, Test, Unreadable, places};

/// Whether a document is CTRF.
pub(crate) fn is_one(json: &Json<'_>) -> bool {
    json.string("reportFormat").as_deref() == Some("CTRF")
        || json.raw("results").is_some_and(|results| Json::new(results).has(&["tool", "summary", "tests"]))
}

/// The reader of one document.
#[derive(Debug, Default)]
pub(crate) struct Ctrf;

#[derive(Deserialize)]
struct Document {
    results: Results,
}

#[derive(Deserialize)]
struct Results {
    tool: Tool,
    summary: Summary,
    #[serde(default)]
    tests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
}

#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    tests: u64,
    #[serde(default)]
    failed: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    status: String,
    duration: Option<f64>,
    message: Option<String>,
    trace: Option<String>,
    #[serde(default)]
    flaky: Option<bool>,
    file_path: Option<String>,
    line: Option<i64>,
}

impl Reader for Ctrf {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let Document { results } = json.read()?;
        sink.tool(&results.tool.name);
        let mut failed = 0;
        for test in &results.tests {
            let outcome = test.outcome();
            failed += u64::from(outcome == Outcome::Failed);
            let failure = (outcome == Outcome::Failed).then(|| test.failure());
            sink.test(Test { name: &test.name, outcome, seconds: test.duration.map(|time| time / 1000.0), failure });
        }
        let summary = &results.summary;
        if results.tests.is_empty() && summary.tests + summary.failed > 0 {
            sink.claim(Claim::Totals { tests: summary.tests.max(summary.failed), failures: summary.failed });
        } else if summary.failed > 0 && failed == 0 {
            // Playwright's reporter writes a test that was expected to fail as passed.
            let count = summary.failed;
            sink.finding(Diagnostic::error(format!(
                "the summary counts {count} failed, but no test in the report failed"
            )));
        }
        Ok(())
    }
}

impl Entry {
    fn outcome(&self) -> Outcome {
        match self.status.as_str() {
            "passed" if self.flaky == Some(true) => Outcome::Flaky,
            "passed" => Outcome::Passed,
            "failed" => Outcome::Failed,
            _ => Outcome::Skipped,
        }
    }

    fn failure(&self) -> Diagnostic {
        let trace = self.trace.as_deref().unwrap_or_default();
        let message = self.message.as_deref().filter(|message| !message.trim().is_empty()).unwrap_or(trace);
        let clean = crate::source::without_escapes;
        let mut found = Diagnostic::error(if message.is_empty() { "failed".into() } else { clean(message) });
        found.detail = clean(trace).into_owned();
        let file = self.file_path.as_deref().unwrap_or_default();
        let own = Location::new(file, self.line, None);
        found.locations.extend(own.clone().filter(|own| own.line.is_some()));
        let mut stack = places::in_text(&format!("{message}\n{trace}"));
        stack.sort_by_key(|place| file.is_empty() || !file.ends_with(&place.path));
        found.locations.extend(stack);
        found.locations.extend(own);
        found
    }
}

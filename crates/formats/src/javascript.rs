//! Reads the JSON of JavaScript's test runners: jest and vitest (one shape), mocha, Playwright.

use std::collections::HashSet;

use report::Nature;
use serde::Deserialize;

use crate::{Claim, Diagnostic, Item, Json, Location, Outcome, Reader, Sink, Test, Unreadable, places};

/// Whether a document is jest's or vitest's.
pub(crate) fn is_jest(json: &Json<'_>) -> bool {
    json.has(&["testResults"]) && (json.has(&["numTotalTests"]) || json.has(&["success"]))
}

/// Whether a document is mocha's.
pub(crate) fn is_mocha(json: &Json<'_>) -> bool {
    json.has(&["stats", "tests", "failures"])
}

/// Whether a document is Playwright's.
pub(crate) fn is_playwright(json: &Json<'_>) -> bool {
    json.has(&["config", "suites"]) && (json.has(&["errors"]) || json.has(&["stats"]))
}

/// The reader of jest's and vitest's documents.
#[derive(Debug, Default)]
pub(crate) struct Jest;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JestDocument {
    #[serde(default)]
    test_results: Vec<JestFile>,
    #[serde(default)]
    num_runtime_error_test_suites: Option<u64>,
    success: Option<bool>,
    #[serde(default)]
    num_failed_tests: u64,
    #[serde(default)]
    was_interrupted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JestFile {
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    assertion_results: Vec<Assertion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assertion {
    #[serde(default)]
    full_name: String,
    #[serde(default)]
    title: String,
    status: String,
    duration: Option<f64>,
    invocations: Option<u64>,
    #[serde(default)]
    failure_messages: Option<Vec<String>>,
    location: Option<Position>,
}

#[derive(Deserialize)]
struct Position {
    line: Option<i64>,
    column: Option<i64>,
}

impl Reader for Jest {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let document: JestDocument = json.read()?;
        sink.tool(if document.num_runtime_error_test_suites.is_some() { "jest" } else { "vitest" });
        let (mut has_failure, mut has_tests) = (false, false);
        for file in &document.test_results {
            let has_failed_test = file.assertion_results.iter().any(|assertion| assertion.status == "failed");
            file.assertion_results.iter().for_each(|assertion| assertion.report(&file.name, sink));
            // A file that cannot be loaded has no test; a hook that failed may have none that failed.
            if file.status == "failed" && !has_failed_test {
                sink.finding(file.failure());
            }
            has_failure |= has_failed_test || file.status == "failed";
            has_tests |= !file.assertion_results.is_empty();
        }
        if document.was_interrupted {
            sink.finding(Diagnostic::error("the run was interrupted before its end"));
        } else if !has_failure && (document.num_failed_tests > 0 || has_tests && document.success == Some(false)) {
            sink.finding(Diagnostic::error("the report states that the run failed, but none of its tests failed"));
        }
        Ok(())
    }
}

impl JestFile {
    fn failure(&self) -> Diagnostic {
        let text = self.message.as_deref().unwrap_or_default();
        let own = |line: &&str| !line.is_empty() && !line.starts_with('●');
        let first = text.lines().map(str::trim).find(own).unwrap_or("the file failed without a failing test");
        let file = self.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let mut found = Diagnostic::error(format!("{file}: {first}")).detail(text);
        let marked = text.lines().find_map(|line| line.trim_start().strip_prefix("> ")?.split_once(" |"));
        let marked = marked.and_then(|(row, _)| row.trim().parse().ok());
        found.locations.extend(Location::new(self.name.as_str(), marked, None).filter(|place| place.line.is_some()));
        found.locations.extend(places::in_text(text));
        found.locations.extend(Location::new(self.name.as_str(), None, None));
        found
    }
}

impl Assertion {
    fn report(&self, file: &str, sink: &mut dyn Sink) {
        let messages = self.failure_messages.as_deref().unwrap_or_default();
        let repeated = self.invocations.is_some_and(|invocations| invocations > 1) || !messages.is_empty();
        let outcome = match self.status.as_str() {
            "passed" if repeated => Outcome::Flaky,
            "passed" => Outcome::Passed,
            "failed" => Outcome::Failed,
            _ => Outcome::Skipped,
        };
        let name = if self.full_name.is_empty() { &self.title } else { &self.full_name };
        let failure = (outcome == Outcome::Failed).then(|| self.failure(file, messages));
        sink.test(Test { name, outcome, seconds: self.duration.map(|time| time / 1000.0), failure });
    }

    fn failure(&self, file: &str, messages: &[String]) -> Diagnostic {
        let text = messages.iter().map(String::as_str).find(|text| !text.trim().is_empty()).unwrap_or_default();
        let text = &*crate::source::without_escapes(text);
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("failed");
        let mut found = Diagnostic::error(first).detail(text);
        let stack = places::in_text(text);
        let own: Vec<_> = stack.iter().filter(|place| place.path == file).cloned().collect();
        let position = self.location.as_ref();
        let case = Location::new(file, position.and_then(|at| at.line), position.and_then(|at| at.column));
        found.locations = own;
        found.locations.extend(case.clone().filter(|place| place.line.is_some()));
        found.locations.extend(stack);
        found.locations.extend(case);
        found
    }
}

/// The reader of mocha's documents.
#[derive(Debug, Default)]
pub(crate) struct Mocha;

#[derive(Deserialize)]
struct MochaDocument {
    #[serde(default)]
    stats: MochaStats,
    #[serde(default)]
    tests: Vec<MochaTest>,
    #[serde(default)]
    failures: Vec<MochaTest>,
    #[serde(default)]
    pending: Vec<MochaTest>,
}

#[derive(Deserialize, Default)]
struct MochaStats {
    #[serde(default)]
    failures: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MochaTest {
    #[serde(default)]
    full_title: String,
    #[serde(default)]
    title: String,
    file: Option<String>,
    duration: Option<f64>,
    current_retry: Option<u64>,
    #[serde(default)]
    err: MochaError,
}

#[derive(Deserialize, Default)]
struct MochaError {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    stack: Option<String>,
}

impl Reader for Mocha {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let document: MochaDocument = json.read()?;
        sink.tool("mocha");
        let key = |test: &MochaTest| (test.full_title.clone(), test.file.clone());
        let failed: HashSet<_> = document.failures.iter().map(key).collect();
        let pending: HashSet<_> = document.pending.iter().map(key).collect();
        let known: HashSet<_> = document.tests.iter().map(key).collect();
        for test in &document.tests {
            let has_error = test.err.message.is_some() || test.err.stack.is_some();
            let outcome = if failed.contains(&key(test)) && (has_error || !pending.contains(&key(test))) {
                Outcome::Failed
            } else if pending.contains(&key(test)) {
                Outcome::Skipped
            } else if test.current_retry.is_some_and(|retry| retry > 0) {
                Outcome::Flaky
            } else {
                Outcome::Passed
            };
            test.report(outcome, sink);
        }
        // A hook that failed is no test.
        document
            .failures
            .iter()
            .filter(|test| !known.contains(&key(test)))
            .for_each(|hook| hook.report(Outcome::Failed, sink));
        if document.failures.is_empty() && document.stats.failures > 0 {
            let count = document.stats.failures;
            sink.finding(Diagnostic::error(format!("the report counts {count} failed, but holds no failure")));
        }
        Ok(())
    }
}

impl MochaTest {
    fn report(&self, outcome: Outcome, sink: &mut dyn Sink) {
        let failure = (outcome == Outcome::Failed).then(|| {
            let stack = self.err.stack.as_deref().unwrap_or_default();
            let message = self.err.message.as_deref().filter(|message| !message.trim().is_empty());
            let stack = &*crate::source::without_escapes(stack);
            let mut found =
                Diagnostic::error(crate::source::without_escapes(message.unwrap_or(stack)).trim()).detail(stack);
            let file = self.file.as_deref().unwrap_or_default();
            found.locations = places::in_text(stack);
            found.locations.sort_by_key(|place| file.is_empty() || !file.ends_with(&place.path));
            found.locations.extend(Location::new(file, None, None));
            found
        });
        let name = if self.full_title.is_empty() { &self.title } else { &self.full_title };
        sink.test(Test { name, outcome, seconds: self.duration.map(|time| time / 1000.0), failure });
    }
}

/// The reader of Playwright's documents.
#[derive(Debug, Default)]
pub(crate) struct Playwright;

#[derive(Deserialize)]
struct PlaywrightDocument {
    #[serde(default)]
    suites: Vec<Suite>,
    #[serde(default)]
    errors: Vec<PlaywrightError>,
}

#[derive(Deserialize)]
struct Suite {
    #[serde(default)]
    title: String,
    #[serde(default)]
    specs: Vec<Spec>,
    #[serde(default)]
    suites: Vec<Self>,
}

#[derive(Deserialize)]
struct Spec {
    title: String,
    file: Option<String>,
    line: Option<i64>,
    column: Option<i64>,
    #[serde(default)]
    tests: Vec<PlaywrightTest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlaywrightTest {
    status: Option<String>,
    project_name: Option<String>,
    #[serde(default)]
    results: Vec<PlaywrightResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlaywrightResult {
    status: Option<String>,
    duration: Option<f64>,
    #[serde(default)]
    errors: Vec<PlaywrightError>,
    error: Option<PlaywrightError>,
    error_location: Option<FilePosition>,
}

#[derive(Deserialize)]
struct PlaywrightError {
    message: Option<String>,
    stack: Option<String>,
    location: Option<FilePosition>,
}

#[derive(Deserialize)]
struct FilePosition {
    file: String,
    line: Option<i64>,
    column: Option<i64>,
}

impl Reader for Playwright {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let document: PlaywrightDocument = json.read()?;
        sink.tool("playwright");
        sink.claim(Claim::Nature(Nature::Tests));
        for error in &document.errors {
            sink.finding(error.diagnostic());
        }
        document.suites.iter().for_each(|suite| suite.report(&[], sink));
        Ok(())
    }
}

impl Suite {
    fn report(&self, above: &[&str], sink: &mut dyn Sink) {
        let titles: Vec<&str> = above.iter().copied().chain([self.title.as_str()]).collect();
        for spec in &self.specs {
            for test in &spec.tests {
                let project = test.project_name.as_deref().filter(|project| !project.is_empty());
                let project = project.map(|project| format!("[{project}] ")).unwrap_or_default();
                let name = format!("{project}{} > {}", titles.join(" > "), spec.title);
                test.report(&name, spec, sink);
            }
        }
        self.suites.iter().for_each(|suite| suite.report(&titles, sink));
    }
}

impl PlaywrightTest {
    /// The status decides, not the results: a test may be expected to fail, and one that did not run has none.
    fn report(&self, name: &str, spec: &Spec, sink: &mut dyn Sink) {
        let outcome = match self.status.as_deref() {
            Some("expected") => Outcome::Passed,
            Some("flaky") => Outcome::Flaky,
            Some("skipped") => Outcome::Skipped,
            _ => Outcome::Failed,
        };
        let last = self.results.last();
        // Playwright counts a test that was stopped as skipped.
        let is_stopped = last.is_some_and(|last| last.status.as_deref() == Some("interrupted"));
        let outcome = if is_stopped { Outcome::Failed } else { outcome };
        let failure = (outcome == Outcome::Failed).then(|| {
            let error = last.and_then(|last| last.errors.first().or(last.error.as_ref()));
            let bare = if is_stopped { "the run was interrupted" } else { "failed" };
            let mut found = error.map_or_else(|| Diagnostic::error(bare), PlaywrightError::diagnostic);
            let at = last.and_then(|last| last.error_location.as_ref()).and_then(FilePosition::location);
            found.locations.splice(..0, at);
            found.locations.extend(Location::new(spec.file.as_deref().unwrap_or_default(), spec.line, spec.column));
            found
        });
        let seconds = self.results.iter().filter_map(|result| result.duration).reduce(|one, other| one + other);
        sink.test(Test { name, outcome, seconds: seconds.map(|time| time / 1000.0), failure });
    }
}

impl PlaywrightError {
    fn diagnostic(&self) -> Diagnostic {
        let text = self.stack.as_deref().or(self.message.as_deref()).unwrap_or("an error without a message");
        let message = crate::source::without_escapes(self.message.as_deref().unwrap_or(text)).trim().to_owned();
        let text = crate::source::without_escapes(text);
        let mut found = Diagnostic::error(message).detail(&*text);
        found.locations.extend(self.location.as_ref().and_then(FilePosition::location));
        found.locations.extend(places::in_text(&text));
        found
    }
}

impl FilePosition {
    fn location(&self) -> Option<Location> {
        Location::new(self.file.as_str(), self.line, self.column)
    }
}

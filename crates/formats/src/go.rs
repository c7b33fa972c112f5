//! Reads `go test -json` and `go build -json`: events, one per line, with plain text between them.
//!
//! A test that ends twice within one run of its package is two tests (`-count=2`). If the package ended in between, it was run
//! again (gotestsum), and the later run replaces the earlier. A package that fails without a failing test is an error of its
//! own; a panic outside of tests counts as a failed test, since the tests behind it did not run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{Diagnostic, Item, Json, Outcome, Reader, Sink, TEXT, Test, Unreadable, places};

/// Whether a value is an event.
pub(crate) fn is_one(json: &Json<'_>) -> bool {
    json.has(&["Action"]) && (json.has(&["Package"]) || json.has(&["ImportPath"]))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    import_path: String,
    test: Option<String>,
    elapsed: Option<f64>,
    output: Option<String>,
}

/// A test that has ended.
#[derive(Debug)]
struct Ended {
    outcome: Outcome,
    seconds: Option<f64>,
    output: String,
    /// Which run of the package it belongs to.
    run: u32,
    /// It failed in an earlier run.
    has_failed: bool,
}

/// The reader of one stream.
#[derive(Debug, Default)]
pub(crate) struct GoTest {
    /// Tests in the order of their end: package, name, end.
    tests: Vec<(String, String, Ended)>,
    places: BTreeMap<(String, String), usize>,
    /// Output of tests that run, and of packages (with a blank name).
    output: BTreeMap<(String, String), String>,
    /// How often each package has ended, and whether a test of its present run failed.
    runs: BTreeMap<String, (u32, bool)>,
    /// Packages that could not be built, and those whose last run failed without a failing test.
    builds: BTreeSet<String>,
    failed: BTreeMap<String, String>,
    /// Packages with tests whose end is still to come.
    open: BTreeSet<String>,
}

impl Reader for GoTest {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        match item {
            Item::Json(json) => self.event(json.read()?),
            // Build errors of older versions are plain text.
            Item::Line(line) => {
                for diagnostic in crate::diagnostics(line) {
                    sink.finding(diagnostic);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        sink.tool("go-test");
        for (package, name, ended) in std::mem::take(&mut self.tests) {
            let failure = (ended.outcome == Outcome::Failed).then(|| failure(&ended.output));
            let name = format!("{package} > {name}");
            sink.test(Test { name: &name, outcome: ended.outcome, seconds: ended.seconds, failure });
        }
        // Tests that began and did not end: the program was stopped.
        for (package, output) in std::mem::take(&mut self.failed) {
            report_package(&package, &output, sink);
        }
        for build in std::mem::take(&mut self.builds) {
            let output = self.output.remove(&(build.clone(), String::new())).unwrap_or_default();
            let found = crate::diagnostics(&output);
            if found.is_empty() {
                sink.finding(Diagnostic::error(format!("{build} cannot be built")).detail(output.trim_end()));
            }
            for found in found {
                sink.finding(found);
            }
        }
        match std::mem::take(&mut self.open).first() {
            Some(package) => Err(Unreadable::new(format!("it is cut off: package {package} did not end"))),
            None => Ok(()),
        }
    }
}

impl GoTest {
    fn event(&mut self, event: Event) {
        let package = if event.package.is_empty() { event.import_path } else { event.package };
        let key = (package, event.test.unwrap_or_default());
        match event.action.as_str() {
            "output" | "build-output" => {
                let output = self.output.entry(key).or_default();
                let text = event.output.unwrap_or_default();
                let room = (2 * TEXT).saturating_sub(output.len());
                output.push_str(&text[..text.floor_char_boundary(room)]);
            }
            "build-fail" => {
                self.builds.insert(key.0);
            }
            "start" | "run" => {
                self.open.insert(key.0);
            }
            "pass" | "fail" | "skip" if key.1.is_empty() => self.end_package(&key.0, event.action == "fail"),
            "pass" => self.end_test(key, Outcome::Passed, event.elapsed),
            "fail" => self.end_test(key, Outcome::Failed, event.elapsed),
            "skip" => self.end_test(key, Outcome::Skipped, event.elapsed),
            _ => {}
        }
    }

    fn end_test(&mut self, key: (String, String), outcome: Outcome, seconds: Option<f64>) {
        let output = self.output.remove(&key).unwrap_or_default();
        let (run, has_failure) = self.runs.entry(key.0.clone()).or_default();
        *has_failure |= outcome == Outcome::Failed;
        let run = *run;
        let mut ended = Ended { outcome, seconds, output, run, has_failed: false };
        if let Some(at) = self.places.get(&key).copied().filter(|at| self.tests[*at].2.run < run) {
            let before = &mut self.tests[at].2;
            ended.has_failed = before.has_failed || before.outcome == Outcome::Failed;
            if ended.has_failed && outcome == Outcome::Passed {
                ended.outcome = Outcome::Flaky;
            }
            *before = ended;
            return;
        }
        if outcome != Outcome::Failed {
            ended.output = String::new();
        }
        self.places.insert(key.clone(), self.tests.len());
        self.tests.push((key.0, key.1, ended));
    }

    fn end_package(&mut self, package: &str, failed: bool) {
        let (run, has_failure) = self.runs.entry(package.to_owned()).or_default();
        *run += 1;
        let unexplained = failed && !std::mem::take(has_failure);
        let output = self.output.remove(&(package.to_owned(), String::new())).unwrap_or_default();
        self.failed.remove(package);
        self.open.remove(package);
        if unexplained && !output.contains("[build failed]") && !output.contains("[setup failed]") {
            self.failed.insert(package.to_owned(), output);
        } else if unexplained {
            self.builds.insert(package.to_owned());
            // The build has reported what is wrong, under another name.
            if self.builds.len() > 1 {
                self.builds.remove(package);
            }
        }
    }
}

/// A package that failed although none of its tests did.
fn report_package(package: &str, output: &str, sink: &mut dyn Sink) {
    let mut found = failure(output);
    found.message = format!("{package} fails outside of its tests: {}", found.message);
    if output.contains("panic: ") {
        let name = format!("{package} > Failure outside of tests");
        sink.test(Test { name: &name, outcome: Outcome::Failed, seconds: None, failure: Some(found) });
    } else {
        sink.finding(found);
    }
}

/// What a test printed, without Go's own lines.
fn failure(output: &str) -> Diagnostic {
    let own = |line: &&str| {
        let line = line.trim_start();
        let is_frame =
            ["=== ", "--- ", "FAIL", "PASS", "exit status", "coverage:"].iter().any(|begin| line.starts_with(begin));
        !is_frame && !line.is_empty()
    };
    let detail: Vec<&str> = output.lines().filter(own).collect();
    let first = detail.first().map_or("failed", |line| line.trim());
    let mut found = Diagnostic::error(first);
    found.locations = places::in_text(&detail.join("\n"));
    // `a_test.go:12: message`
    if let Some((_, message)) = first.split_once(": ").filter(|(place, _)| place.contains(".go:")) {
        message.clone_into(&mut found.message);
    }
    found.detail(detail.join("\n"))
}

#[cfg(test)]
mod tests {
    use crate::{EvidenceOnly, Prose, read};

    fn counts(lines: &[(&str, &str, &str)]) -> [u64; 5] {
        let line = |(action, package, test): &(&str, &str, &str)| {
            let test = if test.is_empty() { String::new() } else { format!(",\"Test\":\"{test}\"") };
            format!("{{\"Action\":\"{action}\",\"Package\":\"{package}\"{test}}}\n")
        };
        let text: String = lines.iter().map(line).collect();
        let reading = read(&mut text.as_bytes(), Prose::Noise, &mut EvidenceOnly).unwrap();
        let (evidence, _) = reading.documents.into_iter().next().unwrap().tally.finish();
        let tests = evidence.tests;
        [tests.total, tests.passed, tests.failed, tests.flaky, evidence.errors - tests.failed]
    }

    #[test]
    fn a_test_that_ends_twice_in_one_run_is_two_tests_and_a_later_run_replaces_an_earlier() {
        let twice = [("fail", "p", "T"), ("pass", "p", "T"), ("fail", "p", "")];
        assert_eq!(counts(&twice), [2, 1, 1, 0, 0]);
        let again = [("fail", "p", "T"), ("fail", "p", ""), ("pass", "p", "T"), ("pass", "p", "")];
        assert_eq!(counts(&again), [1, 1, 0, 1, 0]);
    }

    #[test]
    fn a_package_that_fails_without_a_failing_test_is_an_error() {
        assert_eq!(counts(&[("pass", "p", "T"), ("fail", "p", "")]), [1, 1, 0, 0, 1]);
        assert_eq!(counts(&[("pass", "p", "T"), ("pass", "p", "")]), [1, 1, 0, 0, 0]);
    }
}

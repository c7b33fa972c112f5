//! Reads the JSON of Terraform and OpenTofu: `validate -json`, `show -json` of a plan, and the lines of `plan -json`,
//! `apply -json` and `test -json`. Values are never part of what is reported.

use report::{Level, Nature};
use serde::Deserialize;

use crate::{Action, Claim, Diagnostic, Item, Json, Location, Outcome, Reader, Sink, Test, Unreadable};

/// Whether a document is that of `validate -json`.
pub(crate) fn is_validate(json: &Json<'_>) -> bool {
    json.has(&["valid", "diagnostics"])
}

/// Whether a document is a plan.
pub(crate) fn is_plan(json: &Json<'_>) -> bool {
    json.has(&["format_version", "resource_changes"])
        || json.has(&["format_version", "planned_values"])
        || json.has(&["format_version", "errored"])
}

/// Whether a value is a line of the machine-readable output.
pub(crate) fn is_line(json: &Json<'_>) -> bool {
    json.has(&["@level", "@message", "type"])
}

#[derive(Deserialize)]
struct Problem {
    severity: String,
    summary: String,
    #[serde(default)]
    detail: String,
    range: Option<Range>,
}

#[derive(Deserialize)]
struct Range {
    filename: String,
    start: Start,
}

#[derive(Deserialize)]
struct Start {
    line: i64,
    column: i64,
}

impl Problem {
    fn report(self, sink: &mut dyn Sink) {
        let level = if self.severity == "error" { Level::Error } else { Level::Warning };
        let range = self.range.as_ref();
        let place = range
            .and_then(|range| Location::new(range.filename.as_str(), Some(range.start.line), Some(range.start.column)));
        sink.finding(Diagnostic::new(level, self.summary).detail(self.detail).at(place));
    }
}

/// The reader of `validate -json`.
#[derive(Debug, Default)]
pub(crate) struct Validate;

#[derive(Deserialize)]
struct ValidateDocument {
    valid: bool,
    #[serde(default)]
    diagnostics: Vec<Problem>,
}

impl Reader for Validate {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let document: ValidateDocument = json.read()?;
        let has_error = document.diagnostics.iter().any(|problem| problem.severity == "error");
        document.diagnostics.into_iter().for_each(|problem| problem.report(sink));
        if !document.valid && !has_error {
            sink.finding(Diagnostic::error("the configuration is not valid"));
        }
        Ok(())
    }
}

/// The reader of a plan.
#[derive(Debug, Default)]
pub(crate) struct Plan;

#[derive(Deserialize)]
struct PlanDocument {
    #[serde(default)]
    resource_changes: Vec<ResourceChange>,
    #[serde(default)]
    errored: bool,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct ResourceChange {
    address: String,
    change: Change,
}

#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    actions: Vec<String>,
}

#[derive(Deserialize)]
struct Check {
    address: CheckAddress,
    status: String,
    #[serde(default)]
    instances: Vec<CheckInstance>,
}

#[derive(Deserialize)]
struct CheckAddress {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    to_display: String,
}

#[derive(Deserialize)]
struct CheckInstance {
    #[serde(default)]
    problems: Vec<CheckProblem>,
}

#[derive(Deserialize)]
struct CheckProblem {
    #[serde(default)]
    message: String,
}

impl Reader for Plan {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let document: PlanDocument = json.read()?;
        sink.claim(Claim::Nature(Nature::Changes));
        for resource in &document.resource_changes {
            if let Some(action) = action(&resource.change.actions) {
                sink.change(action, &resource.address);
            }
        }
        if document.errored {
            sink.finding(Diagnostic::error("the plan ended with an error"));
        }
        document.checks.iter().for_each(|check| check.report(sink));
        Ok(())
    }
}

impl Check {
    /// A failed `check` block is a warning, as Terraform has it; a failed condition of anything else an error.
    fn report(&self, sink: &mut dyn Sink) {
        let level = match (self.status.as_str(), self.address.kind.as_str()) {
            ("fail" | "error", "check") => Level::Warning,
            ("fail" | "error", _) => Level::Error,
            _ => return,
        };
        let problems = self.instances.iter().flat_map(|instance| &instance.problems);
        let messages: Vec<&str> = problems.map(|problem| problem.message.as_str()).collect();
        let text = if messages.is_empty() { "a condition failed".to_owned() } else { messages.join("; ") };
        sink.finding(Diagnostic::new(level, format!("{}: {text}", self.address.to_display)));
    }
}

fn action(actions: &[String]) -> Option<Action> {
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    match actions.as_slice() {
        ["create"] => Some(Action::Create),
        ["update"] => Some(Action::Update),
        ["delete"] => Some(Action::Delete),
        ["delete", "create"] | ["create", "delete"] => Some(Action::Replace),
        ["forget"] | ["create", "forget"] | ["forget", "create"] => Some(Action::Forget),
        _ => None,
    }
}

/// The reader of machine-readable lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    is_test: bool,
    is_plan: bool,
    /// Its last line is there: the summary, or an error.
    has_ended: bool,
    /// The last error or failure of a test run that has not ended.
    problems: Vec<(String, Diagnostic)>,
}

#[derive(Deserialize)]
struct Line {
    r#type: String,
    #[serde(rename = "@testrun")]
    testrun: Option<String>,
    #[serde(rename = "@testfile")]
    testfile: Option<String>,
    change: Option<PlannedChange>,
    diagnostic: Option<Problem>,
    test_run: Option<TestRun>,
    test_summary: Option<TestSummary>,
}

#[derive(Deserialize)]
struct PlannedChange {
    resource: Resource,
    action: String,
}

#[derive(Deserialize)]
struct Resource {
    addr: String,
}

#[derive(Deserialize)]
struct TestRun {
    path: String,
    run: String,
    progress: Option<String>,
    status: Option<String>,
    elapsed: Option<f64>,
}

#[derive(Deserialize)]
struct TestSummary {
    #[serde(default)]
    status: String,
}

impl Reader for Lines {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let line: Line = json.read()?;
        match line.r#type.as_str() {
            "test_abstract" => self.is_test = true,
            "planned_change" => {
                self.is_plan = true;
                if let Some(change) = &line.change {
                    change.report(sink);
                }
            }
            "refresh_start" | "apply_start" => self.is_plan = true,
            "change_summary" => (self.is_plan, self.has_ended) = (true, true),
            "test_run" => self.test_run(&line, sink),
            "test_summary" => {
                (self.is_test, self.has_ended) = (true, true);
                if line.test_summary.is_some_and(|summary| summary.status == "error") && self.problems.is_empty() {
                    sink.finding(Diagnostic::error("the test run ended with an error"));
                }
            }
            "diagnostic" => self.diagnostic(line, sink),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let nature = match (self.is_test, self.is_plan) {
            (true, _) => Nature::Tests,
            (_, true) => Nature::Changes,
            _ => Nature::Outcome,
        };
        sink.claim(Claim::Nature(nature));
        for (_, problem) in std::mem::take(&mut self.problems) {
            sink.finding(problem);
        }
        if (self.is_test || self.is_plan) && !self.has_ended {
            return Err(Unreadable::new("it is cut off: its summary is missing"));
        }
        Ok(())
    }
}

impl Lines {
    fn test_run(&mut self, line: &Line, sink: &mut dyn Sink) {
        self.is_test = true;
        let Some(run) = line.test_run.as_ref() else { return };
        let is_end = run.progress.as_deref().is_none_or(|progress| progress == "complete");
        let Some(status) = run.status.as_deref().filter(|_| is_end) else { return };
        let outcome = match status {
            "pass" => Outcome::Passed,
            "skip" | "pending" => Outcome::Skipped,
            _ => Outcome::Failed,
        };
        let name = format!("{} > {}", run.path, run.run);
        // The diagnostics of a run come after its end.
        if outcome == Outcome::Failed {
            self.problems.push((name, Diagnostic::error("failed")));
            return;
        }
        sink.test(Test { name: &name, outcome, seconds: run.elapsed.map(|time| time / 1000.0), failure: None });
    }

    fn diagnostic(&mut self, line: Line, sink: &mut dyn Sink) {
        let Some(problem) = line.diagnostic else { return };
        self.has_ended |= problem.severity == "error";
        let run = line.testfile.zip(line.testrun).map(|(file, run)| format!("{file} > {run}"));
        let waiting = run.and_then(|run| self.problems.iter().position(|(name, _)| *name == run));
        match waiting.filter(|_| problem.severity == "error") {
            Some(at) => {
                let (name, _) = self.problems.remove(at);
                let mut collected = Failure(None);
                problem.report(&mut collected);
                sink.test(Test { name: &name, outcome: Outcome::Failed, seconds: None, failure: collected.0 });
            }
            None => problem.report(sink),
        }
    }
}

/// Takes one diagnostic.
struct Failure(Option<Diagnostic>);

impl Sink for Failure {
    fn test(&mut self, _: Test<'_>) {}
    fn finding(&mut self, diagnostic: Diagnostic) {
        self.0 = Some(diagnostic);
    }
    fn change(&mut self, _: Action, _: &str) {}
    fn claim(&mut self, _: Claim) {}
    fn tool(&mut self, _: &str) {}
}

impl PlannedChange {
    fn report(&self, sink: &mut dyn Sink) {
        let action = match self.action.as_str() {
            "create" => Action::Create,
            "update" => Action::Update,
            "replace" => Action::Replace,
            "delete" => Action::Delete,
            // Terraform calls it so when it stops managing a resource.
            "remove" | "forget" => Action::Forget,
            _ => return,
        };
        sink.change(action, &self.resource.addr);
    }
}

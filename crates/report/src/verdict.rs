//! The one place that knows the order of badness: what evidence amounts to, and what checks amount to.
//!
//! A check is as bad as its worst evidence. Evidence is judged as a whole where it may be empty: a suite without a test beside
//! suites with tests is no failure, a run without any test is.

use fault::{Fault, Result};

pub use crate::count::count;

use crate::{Evidence, Level, Nature, Reason, Status, Tests};

/// From which level on findings fail a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOn {
    /// Errors only.
    #[default]
    Error,
    /// Warnings too.
    Warning,
    /// Everything.
    Notice,
    /// Findings never fail a check; failed tests still do.
    Nothing,
}

impl std::str::FromStr for FailOn {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "error" => Ok(Self::Error),
            "warning" => Ok(Self::Warning),
            "notice" => Ok(Self::Notice),
            "none" => Ok(Self::Nothing),
            _ => Err(Fault::usage(format!("unknown level `{text}`")).help("use error, warning, notice or none")),
        }
    }
}

/// What a test that passed after it failed is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaky {
    /// A pass, which is named.
    #[default]
    Pass,
    /// A failure.
    Fail,
}

/// What is accepted, as the user decides.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The level that fails a check, for checks that match; the last match counts.
    pub fail_on: Vec<(Pattern, FailOn)>,
    /// What flaky tests are.
    pub flaky: Flaky,
    /// Vacuous checks and empty parts of reports fail.
    pub strict: bool,
    /// Checks that may have nothing in them.
    pub allow_empty: Vec<Pattern>,
    /// Jobs that may be skipped.
    pub may_skip: Vec<Pattern>,
    /// Whether a plan may destroy resources.
    pub no_destroy: bool,
    /// Whether a shard that did not report at all is missed. A tool that is a shard itself knows nothing of the others.
    pub all_shards: bool,
}

/// A check's name, or a pattern of names: `*` and `?` match within a part, `**` across parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl std::str::FromStr for Pattern {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Fault::usage("a pattern of check names is blank"));
        }
        Ok(Self(text.trim().to_owned()))
    }
}

impl Pattern {
    /// Every check.
    #[must_use]
    pub fn any() -> Self {
        Self("**".to_owned())
    }

    /// Whether it matches the check, by its id (`build/worker`) or by its name without the stage.
    #[must_use]
    pub fn matches(&self, check: &str) -> bool {
        let item = check.split_once('/').map_or(check, |(_, item)| item);
        glob(self.0.as_bytes(), check.as_bytes()) || glob(self.0.as_bytes(), item.as_bytes())
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it names one check rather than a pattern.
    #[must_use]
    pub fn is_name(&self) -> bool {
        !self.0.contains(['*', '?'])
    }
}

/// Matches without recursion, so that a hostile pattern costs at most the product of both lengths.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize, bool)> = None;
    while seen < name.len() {
        let double = pattern[at.min(pattern.len())..].starts_with(b"**");
        if double || pattern.get(at) == Some(&b'*') {
            star = Some((at + if double { 2 } else { 1 }, seen, double));
            at += if double { 2 } else { 1 };
        } else if pattern.get(at).is_some_and(|byte| *byte == name[seen] || *byte == b'?' && name[seen] != b'/') {
            at += 1;
            seen += 1;
        } else if let Some((after, from, across)) = star.filter(|(_, from, across)| *across || name[*from] != b'/') {
            star = Some((after, from + 1, across));
            at = after;
            seen = from + 1;
        } else {
            return false;
        }
    }
    pattern[at.min(pattern.len())..].iter().all(|byte| *byte == b'*')
}

/// What a check's evidence amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How the check ended.
    pub status: Status,
    /// Why, unless it simply passed.
    pub reason: Option<Reason>,
    /// The words in brackets behind the check's name: `24 passed`.
    pub note: Option<String>,
}

impl Policy {
    /// The level that fails this check.
    #[must_use]
    pub fn fail_on(&self, check: &str) -> FailOn {
        let matching = self.fail_on.iter().rev().find(|(pattern, _)| pattern.matches(check));
        matching.map(|(_, level)| *level).unwrap_or_default()
    }

    /// Whether a finding of this level fails this check.
    #[must_use]
    pub fn fails(&self, check: &str, level: Level) -> bool {
        match self.fail_on(check) {
            FailOn::Nothing => false,
            FailOn::Error => level == Level::Error,
            FailOn::Warning => level >= Level::Warning,
            FailOn::Notice => true,
        }
    }

    fn may_be_empty(&self, check: &str) -> bool {
        self.allow_empty.iter().any(|pattern| pattern.matches(check))
    }

    /// Why a check that passed only at the last of so many attempts fails, if it does.
    #[must_use]
    pub fn refuses_attempts(&self, attempts: usize) -> Option<Reason> {
        let fails = self.flaky == Flaky::Fail && attempts > 1;
        fails.then(|| Reason::new("flaky", format!("passed only at attempt {attempts}")))
    }

    /// Judges the evidence of one check, or of one leg of it, and writes into each piece what it amounts to.
    #[must_use]
    pub fn judge(&self, check: &str, evidence: &mut [Evidence]) -> Judgement {
        name_empty(evidence);
        let mut worst: Option<(Status, Option<Reason>)> = None;
        let mut problem = None;
        for piece in evidence.iter_mut() {
            let (status, reason) = self.alone(check, piece);
            piece.status = Some(status);
            if problem.is_none() && status == Status::Failed && piece.from != EXIT_CODE {
                problem = reason.as_ref().map(|reason| problem_of(piece, reason));
            }
            if worst.as_ref().is_none_or(|(worst, _)| status > *worst) {
                worst = Some((status, reason));
            }
        }
        let (mut status, mut reason) = worst.unwrap_or((Status::Missing, None));
        let empty = self.emptiness(check, evidence);
        if status == Status::Failed && evidence.iter().any(|piece| piece.from == EXIT_CODE) {
            let empty = empty.as_ref().map(|(_, why)| why);
            reason = disagreement(evidence, problem.as_deref(), empty).or(reason);
        }
        if let Some((found, why)) = empty.filter(|(found, _)| *found > status) {
            (status, reason) = (found, Some(why));
        }
        Judgement { status, reason, note: note(evidence) }
    }

    fn alone(&self, check: &str, evidence: &Evidence) -> (Status, Option<Reason>) {
        if let Some(reason) = &evidence.reason {
            return (of_problem(&reason.code), Some(reason.clone()));
        }
        let failed = evidence.tests.failed;
        if failed > 0 {
            let text = format!("{failed} of {} failed", count(evidence.tests.total, "test"));
            return (Status::Failed, Some(Reason::new("tests_failed", text)));
        }
        if self.flaky == Flaky::Fail && evidence.tests.flaky > 0 {
            let text = format!("{} passed only when repeated", count(evidence.tests.flaky, "test"));
            return (Status::Failed, Some(Reason::new("flaky", text)));
        }
        for (level, found, word) in [
            (Level::Error, evidence.other_errors(), "error"),
            (Level::Warning, evidence.warnings, "warning"),
            (Level::Notice, evidence.notices, "notice"),
        ] {
            if found > 0 && self.fails(check, level) {
                return (Status::Failed, Some(Reason::new("findings", count(found, word))));
            }
        }
        if let Some(changes) = evidence.changes.as_ref().filter(|_| self.no_destroy) {
            let destroyed = changes.delete + changes.replace;
            if destroyed > 0 {
                let text = format!("the plan destroys {}", count(destroyed, "resource"));
                return (Status::Failed, Some(Reason::new("destroys", text)));
            }
        }
        if self.strict && evidence.empty > 0 && !self.may_be_empty(check) {
            let text = evidence.remarks.first().cloned().unwrap_or_else(|| "a part of the report is empty".to_owned());
            return (Status::Failed, Some(Reason::new("nothing_ran", text)));
        }
        (Status::Passed, None)
    }

    /// What it means that there is nothing in all reports of tests. A clean linter or the text beside them proves nothing about tests.
    fn emptiness(&self, check: &str, evidence: &[Evidence]) -> Option<(Status, Reason)> {
        let is_about_tests = |piece: &&Evidence| piece.nature == Nature::Tests && piece.reason.is_none();
        let pieces: Vec<&Evidence> = evidence.iter().filter(is_about_tests).collect();
        if pieces.is_empty() || self.may_be_empty(check) {
            return None;
        }
        let tests = tests(evidence);
        let claimed = pieces.iter().filter_map(|piece| piece.totals);
        let totals = claimed.reduce(|one, other| crate::Totals {
            tests: one.tests + other.tests,
            failures: one.failures + other.failures,
        });
        match (tests.total, totals.filter(|totals| totals.tests + totals.failures > 0)) {
            (0, Some(totals)) => {
                let text = format!(
                    "the report claims {}, {} of them failed, and holds none of them",
                    count(totals.tests, "test"),
                    totals.failures
                );
                let status = if totals.failures > 0 { Status::Failed } else { Status::Missing };
                Some((status, Reason::new("claims_only", text)))
            }
            (0, None) => Some((Status::Failed, Reason::new("nothing_ran", "no test ran"))),
            (total, _) if tests.skipped == total => Some((
                Status::Skipped,
                Reason::new("all_skipped", format!("all of {} were skipped", count(total, "test"))),
            )),
            _ => None,
        }
    }
}

/// Marks reports without a test beside others that have some.
fn name_empty(evidence: &mut [Evidence]) {
    if tests(evidence).total == 0 {
        return;
    }
    let is_empty = |piece: &Evidence| {
        let is_bare = piece.totals.is_none() && piece.reason.is_none() && piece.errors == 0;
        piece.from != EXIT_CODE
            && piece.nature == Nature::Tests
            && piece.tests.total == 0
            && piece.empty == 0
            && is_bare
    };
    for piece in evidence.iter_mut().filter(|piece| is_empty(piece)) {
        piece.empty = 1;
        piece.remarks.push(format!("{} holds no test", piece.path.as_deref().unwrap_or("a report")));
    }
}

/// The `from` of evidence that is an exit code.
pub const EXIT_CODE: &str = "exit_code";

/// How bad it is what is wrong with a source.
fn of_problem(code: &str) -> Status {
    match code {
        "nothing_reported" | "deadline" => Status::Missing,
        _ => Status::Failed,
    }
}

/// Whether a check with this status and reason keeps the report from passing.
#[must_use]
pub(crate) fn is_trouble(status: Status, reason: Option<&Reason>) -> bool {
    status > Status::Skipped || is_unproven(status, reason)
}

/// Whether a skipped check proves nothing, so that the report is incomplete.
fn is_unproven(status: Status, reason: Option<&Reason>) -> bool {
    status == Status::Skipped
        && reason.is_some_and(|reason| matches!(reason.code.as_str(), "all_skipped" | "job_skipped"))
}

/// A program that failed although its reports are clean or empty, or succeeded although they are not.
fn disagreement(evidence: &[Evidence], problem: Option<&str>, empty: Option<&Reason>) -> Option<Reason> {
    let exit = evidence.iter().find(|piece| piece.from == EXIT_CODE)?;
    let worst = evidence.iter().filter(|piece| piece.from != EXIT_CODE).filter_map(|piece| piece.status).max()?;
    let ended = exit.reason.as_ref().map_or("exit code 0", |reason| reason.text.as_str());
    let disagrees = |text: &str| Some(Reason::new("report_disagrees", format!("{ended}, but {text}")));
    match (exit.status?, worst, empty) {
        (Status::Failed, Status::Passed, Some(empty)) => {
            Some(Reason::new(empty.code.clone(), format!("{ended}, and {}", empty.text)))
        }
        (Status::Failed, Status::Passed, None) if evidence.iter().any(is_report) => disagrees("the reports are clean"),
        (Status::Passed, Status::Failed, _) => disagrees(problem.unwrap_or("a report failed")),
        _ => None,
    }
}

/// Evidence without a file that is no report: compiler text in a command's output, and what a plan looked for beside its command.
const NO_REPORT: [&str; 2] = ["text", "clean-after"];

/// Whether evidence is a report, which can be called clean.
fn is_report(piece: &Evidence) -> bool {
    piece.from != EXIT_CODE && (piece.path.is_some() || !NO_REPORT.contains(&piece.from.as_str()))
}

/// Why a piece fails, as a clause.
fn problem_of(piece: &Evidence, reason: &Reason) -> String {
    match reason.code.as_str() {
        "tests_failed" => format!("{} failed", count(piece.tests.failed, "test")),
        "findings" if reason.text.starts_with("1 ") => format!("{} is reported", reason.text),
        "findings" => format!("{} are reported", reason.text),
        _ => reason.text.clone(),
    }
}

fn tests(evidence: &[Evidence]) -> Tests {
    let mut sum = Tests::default();
    for piece in evidence {
        sum += piece.tests;
    }
    sum
}

/// The words in brackets for tests alone.
pub(crate) fn note_of_tests(tests: Tests) -> String {
    note(&[Evidence { tests, ..Evidence::default() }]).unwrap_or_else(|| "no tests".to_owned())
}

/// The words in brackets: how many passed, failed, were skipped, are flaky; what a plan would do; how many findings.
fn note(evidence: &[Evidence]) -> Option<String> {
    let tests = tests(evidence);
    let mut parts: Vec<String> = Vec::new();
    let mut add = |number: u64, word: &str| {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    };
    add(tests.passed, "passed");
    add(tests.failed, "failed");
    add(tests.skipped, "skipped");
    add(tests.flaky, "flaky");
    for changes in evidence.iter().filter_map(|piece| piece.changes.as_ref()) {
        add(changes.create, "to create");
        add(changes.update, "to update");
        add(changes.replace, "to replace");
        add(changes.delete, "to delete");
        add(changes.forget, "to forget");
    }
    let errors: u64 = evidence.iter().map(Evidence::other_errors).sum();
    let warnings: u64 = evidence.iter().map(|piece| piece.warnings).sum();
    for (number, word) in [(errors, "error"), (warnings, "warning")] {
        if number > 0 {
            parts.push(count(number, word));
        }
    }
    if parts.is_empty() {
        let hollow = evidence.iter().flat_map(|piece| &piece.remarks).find(|remark| remark.starts_with("[]: "));
        return hollow.cloned();
    }
    Some(parts.join(", "))
}

#[cfg(test)]
mod tests;

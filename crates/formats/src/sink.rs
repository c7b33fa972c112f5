//! What a reader reports: tests, findings, changes, claims. Plain data, one item at a time.

use report::{Level, Nature};

/// Takes what a reader finds, in the order of the report. [`crate::Tally`] is the sink that counts.
pub trait Sink {
    /// A test, with its final outcome: attempts are already added up.
    fn test(&mut self, test: Test<'_>);
    /// Something that is wrong and belongs to no test.
    fn finding(&mut self, diagnostic: Diagnostic);
    /// What would become of a resource.
    fn change(&mut self, action: Action, address: &str);
    /// A statement of the report about itself.
    fn claim(&mut self, claim: Claim);
    /// The program that wrote the report, as the report names it.
    fn tool(&mut self, name: &str);
}

/// One test.
#[derive(Clone, Debug, Default)]
pub struct Test<'a> {
    /// As people know it: suite or class, then the test.
    pub name: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub seconds: Option<f64>,
    /// Why it failed.
    pub failure: Option<Diagnostic>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    #[default]
    Passed,
    /// It failed.
    Failed,
    /// It did not run, or its failure is expected.
    Skipped,
    /// It failed, was run again, and passed.
    Flaky,
}

/// Something that is wrong: a linter's finding, a compiler's error, a test's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub level: Level,
    /// The rule's or error's code.
    pub rule: Option<String>,
    /// What is wrong: the first line is shown everywhere.
    pub message: String,
    /// More: a stack, a difference. At most [`crate::TEXT`] bytes are kept.
    pub detail: String,
    /// Where, the most likely first. The caller knows which of them are in the repository.
    pub locations: Vec<Location>,
}

impl Diagnostic {
    /// An error with its message and nothing else.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Level::Error, message)
    }

    /// A diagnostic without a rule and a place.
    pub fn new(level: Level, message: impl Into<String>) -> Self {
        Self { level, rule: None, message: message.into(), detail: String::new(), locations: Vec::new() }
    }

    /// Sets the rule, unless it is blank.
    #[must_use]
    pub fn rule(mut self, rule: Option<impl Into<String>>) -> Self {
        self.rule = rule.map(Into::into).filter(|rule: &String| !rule.trim().is_empty());
        self
    }

    /// Adds a place, if it is one.
    #[must_use]
    pub fn at(mut self, location: Option<Location>) -> Self {
        self.locations.extend(location);
        self
    }

    /// Sets the text that is shown below the message.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// A place in a file, as the report names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// Absolute, or relative to a folder that only the producer knows.
    pub path: String,
    /// From 1.
    pub line: Option<u64>,
    /// From 1.
    pub column: Option<u64>,
}

impl Location {
    /// A place; `None` without a path. A line or column that is not positive is unknown.
    pub fn new(path: impl Into<String>, line: Option<i64>, column: Option<i64>) -> Option<Self> {
        let path = path.into();
        let path = path.trim();
        let path = path.strip_prefix("file://").map_or_else(|| path.to_owned(), without_percent);
        let path = path.strip_prefix("./").map_or(path.clone(), str::to_owned);
        let positive = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).filter(|n| *n > 0);
        let line = positive(line);
        let column = positive(column).filter(|_| line.is_some());
        (!path.is_empty()).then_some(Self { path, line, column })
    }
}

/// Decodes `%20` in the path of a `file:` address; `/C:/x` loses its first slash.
fn without_percent(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        decoded.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    let decoded = String::from_utf8_lossy(&decoded).into_owned();
    let drive = decoded.strip_prefix('/').filter(|rest| rest.as_bytes().get(1) == Some(&b':'));
    drive.map_or(decoded.clone(), str::to_owned)
}

/// What a plan does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Create,
    /// It is changed in place.
    Update,
    /// It is destroyed and made again.
    Replace,
    /// It is destroyed.
    Delete,
    /// It is kept, but no longer managed.
    Forget,
}

/// A statement of a report about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// What kind of program wrote it, if its format alone does not tell: decides what an empty report means.
    Nature(Nature),
    /// Totals of tests that are not in the report one by one.
    Totals {
        /// How many tests.
        tests: u64,
        /// How many of them failed.
        failures: u64,
    },
    /// The program reported that it did nothing at all, such as SARIF without a run.
    NothingReported,
    /// A part of the report holds nothing, such as a suite without a test.
    Empty(String),
    /// A number that the report claims and its content does not bear out, in a way that fails nothing.
    Remark(String),
}

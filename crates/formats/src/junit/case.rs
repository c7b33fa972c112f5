//! One `<testcase>`: what its elements say about the test.

use report::Level;

use crate::{Attributes, Diagnostic, Location, Outcome, TEXT, places};

/// A test case that is being read, or was.
#[derive(Debug, Default)]
pub(super) struct Case {
    /// Class, name and file: equal for attempts of one test, and for tests that only look like attempts.
    pub(super) class: String,
    pub(super) name: String,
    pub(super) file: String,
    /// The line and column of the case itself.
    pub(super) line: Option<i64>,
    pub(super) column: Option<i64>,
    pub(super) seconds: Option<f64>,
    suite: String,
    is_skipped: bool,
    has_failure: bool,
    has_error: bool,
    is_flaky: bool,
    has_rerun: bool,
    /// The first failure or error: the element's name, the message, the text, its own place.
    message: String,
    text: String,
    location: Option<Location>,
    failures: u32,
    /// What the test printed: shown and searched for places only if the failure has no text.
    output: String,
    /// The child that is open.
    inside: Inside,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Nothing,
    /// The first failure or error.
    Failure,
    Output,
}

impl Case {
    pub(super) fn new(attributes: &Attributes<'_>, suite: &str) -> Self {
        let status = attributes.get("status").unwrap_or_default().to_ascii_lowercase();
        let result = attributes.get("result").unwrap_or_default().to_ascii_lowercase();
        let is_out =
            |word: &str| matches!(word, "notrun" | "disabled" | "skipped" | "suppressed" | "ignored" | "pending");
        let mut case = Self {
            class: attributes.text("classname").or_else(|| attributes.text("class")).unwrap_or_default(),
            name: attributes.get("name").unwrap_or_default(),
            file: attributes.text("file").or_else(|| attributes.text("filepath")).unwrap_or_default(),
            line: attributes.count("line").or_else(|| attributes.count("lineno")).and_then(|line| line.try_into().ok()),
            column: attributes.count("column").and_then(|column| column.try_into().ok()),
            seconds: attributes.number("time").or_else(|| attributes.number("duration")),
            suite: suite.to_owned(),
            is_skipped: is_out(&status) || is_out(&result),
            ..Self::default()
        };
        // node has the message there too.
        if let Some(message) = attributes.text("failure") {
            case.message = message;
        }
        case
    }

    pub(super) fn open(&mut self, child: &str, attributes: &Attributes<'_>) {
        match child {
            "failure" | "error" => self.failure(child == "error", attributes),
            "skipped" | "disabled" | "ignored" => self.is_skipped = true,
            "flakyFailure" | "flakyError" => self.is_flaky = true,
            "rerunFailure" | "rerunError" => self.has_rerun = true,
            "system-out" | "system-err" if !self.has_rerun => self.inside = Inside::Output,
            _ => {}
        }
    }

    fn failure(&mut self, is_error: bool, attributes: &Attributes<'_>) {
        self.has_error |= is_error;
        self.has_failure |= !is_error;
        self.failures += 1;
        if self.failures > 1 {
            return;
        }
        self.inside = Inside::Failure;
        let message = attributes.text("message").or_else(|| attributes.text("type"));
        if let Some(message) = message {
            self.message = message;
        }
        let line = attributes.count("line").and_then(|line| line.try_into().ok());
        self.location = attributes.text("file").and_then(|file| Location::new(file, line, None));
    }

    pub(super) fn text(&mut self, text: &str) {
        match self.inside {
            Inside::Failure => append(&mut self.text, text),
            Inside::Output => append(&mut self.output, text),
            Inside::Nothing => {}
        }
    }

    pub(super) fn close(&mut self, child: &str) {
        if matches!(child, "failure" | "error" | "system-out" | "system-err") {
            self.inside = Inside::Nothing;
        }
    }

    /// How this attempt ended. A skip wins over a failure beside it: an expected failure.
    pub(super) fn outcome(&self) -> Outcome {
        if self.has_error || self.has_failure && !self.is_skipped {
            Outcome::Failed
        } else if self.is_skipped {
            Outcome::Skipped
        } else if self.is_flaky || self.has_rerun {
            Outcome::Flaky
        } else {
            Outcome::Passed
        }
    }

    /// Whether it bears out a suite's claim of failures, by an expected failure or one before a rerun too.
    pub(super) fn has_failure(&self) -> bool {
        self.has_error || self.has_failure || self.is_flaky || self.has_rerun
    }

    /// As people know the test.
    pub(super) fn title(&self) -> String {
        let name = if self.name.trim().is_empty() { self.suite.as_str() } else { self.name.as_str() };
        let class = self.class.trim();
        if class.is_empty() || name.starts_with(class) {
            return name.to_owned();
        }
        format!("{class} > {name}")
    }

    /// Why it failed, and where.
    pub(super) fn diagnostic(&self) -> Diagnostic {
        let text = self.text.trim();
        let message = self.message.trim();
        // Some runners write the same word for every failure: the text tells more.
        let is_bare = message.is_empty() || matches!(message, "Failed" | "failure" | "error" | "test failure");
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        let shown = if is_bare { first.unwrap_or(message) } else { message };
        let shown = if shown.is_empty() { "failed" } else { shown };
        let detail = if text.is_empty() { self.output.trim() } else { text };
        let mut diagnostic = Diagnostic::new(Level::Error, shown).detail(detail);
        diagnostic.locations = self.locations(message, text);
        diagnostic
    }

    fn locations(&self, message: &str, text: &str) -> Vec<Location> {
        let own = Location::new(self.file.as_str(), self.line, self.column);
        // mypy writes `file="mypy"`.
        let (own, vague): (Vec<_>, Vec<_>) = own
            .into_iter()
            .partition(|own| own.line.is_some() && (own.path.contains('/') || places::is_file(&own.path)));
        let mut locations = own;
        locations.extend(self.location.clone());
        for text in [message, text, self.output.as_str()] {
            locations.extend(places::in_text(text));
        }
        if locations.is_empty() {
            locations.extend(places::in_text(&self.name));
            locations.extend(places::in_text(&self.suite));
        }
        // A place in the file of the case is more likely the test than one in a helper.
        if let Some(file) = vague.first() {
            locations
                .sort_by_key(|location| !location.path.ends_with(&file.path) && !file.path.ends_with(&location.path));
        }
        locations.extend(vague);
        locations
    }
}

/// Appends as much as is kept.
pub(super) fn append(kept: &mut String, text: &str) {
    // Twice what is shown: the places near the end of a stack are looked for too.
    let room = (2 * TEXT).saturating_sub(kept.len());
    kept.push_str(&text[..text.floor_char_boundary(room)]);
}

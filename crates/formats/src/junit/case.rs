//! One `<testcase>`: what its elements say about the test.

use std::borrow::Cow;

use report::Level;

use crate::source::number;
use crate::{Attributes, Diagnostic, Location, Outcome, TEXT, places};

/// A test case that is being read, or was.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "which elements were there, in any combination")]
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
    has_failed_status: bool,
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
        let mut case = Self { suite: suite.to_owned(), ..Self::default() };
        let is_out = |word: &str| {
            ["notrun", "disabled", "skipped", "suppressed", "ignored", "pending"]
                .iter()
                .any(|known| word.eq_ignore_ascii_case(known))
        };
        let has_failed = |word: &str| {
            ["failed", "failure", "fail", "error", "errored", "broken", "timeout", "aborted"]
                .iter()
                .any(|known| word.trim().eq_ignore_ascii_case(known))
        };
        let keep = |kept: &mut String, value: Cow<'_, str>| {
            if kept.is_empty() && !value.trim().is_empty() {
                *kept = value.into_owned();
            }
        };
        attributes.each(|name, value| match name {
            "name" => case.name = value.into_owned(),
            "classname" | "class" => keep(&mut case.class, value),
            "file" | "filepath" => keep(&mut case.file, value),
            "line" | "lineno" => case.line = case.line.or_else(|| value.trim().parse().ok()),
            "column" => case.column = value.trim().parse().ok(),
            "time" | "duration" => case.seconds = case.seconds.or_else(|| number(&value)),
            // Some writers say so here and nowhere else.
            "status" | "result" => {
                case.is_skipped |= is_out(&value);
                case.has_failed_status |= has_failed(&value);
            }
            // node has the message there too.
            "failure" => keep(&mut case.message, value),
            _ => {}
        });
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
        if self.has_error || (self.has_failure || self.has_failed_status) && !self.is_skipped {
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
        self.has_error || self.has_failure || self.has_failed_status || self.is_flaky || self.has_rerun
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
        // Some runners write the same word for every failure: the text is more useful.
        let is_bare = message.is_empty() || matches!(message, "Failed" | "failure" | "error" | "test failure");
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        let shown = if is_bare { first.unwrap_or(message) } else { message };
        let shown = if shown.is_empty() { "failed" } else { shown };
        let detail = if text.is_empty() { self.output.trim() } else { text };
        let mut diagnostic = Diagnostic::new(Level::Error, shown).detail(detail);
        diagnostic.locations = self.locations(message, text);
        diagnostic
    }

    /// The places, the most likely first: the failing line in the file of the case, the case's own place, then every other.
    fn locations(&self, message: &str, text: &str) -> Vec<Location> {
        let own = Location::new(self.file.as_str(), self.line, self.column);
        let mut locations: Vec<Location> = self.location.clone().into_iter().collect();
        for text in [message, text, self.output.as_str()] {
            locations.extend(places::in_text(text));
        }
        let is_beside = |place: &Location, file: &str| !file.is_empty() && place.path.ends_with(file);
        // mypy writes `file="mypy"`.
        let own = own.filter(|own| own.path.contains('/') || places::is_file(&own.path));
        if let Some(own) = own {
            locations.sort_by_key(|place| !is_beside(place, &own.path));
            let at = locations.iter().take_while(|place| is_beside(place, &own.path)).count();
            let at = if own.line.is_some() { at } else { locations.len() };
            locations.insert(at, own);
        }
        if locations.is_empty() {
            locations.extend(self.linted(message, text));
            locations.extend(places::in_text(&self.name));
            locations.extend(places::in_text(&self.suite));
        }
        locations
    }

    /// Linters name the suite after the file, and write `line 1, col 5, …` into the text.
    fn linted(&self, message: &str, text: &str) -> Option<Location> {
        let file = [&self.suite, &self.class].into_iter().find(|name| places::is_file(name))?;
        let numbers = [text, message].into_iter().find_map(|text| {
            let begin = text.trim_start().get(..5).filter(|begin| begin.eq_ignore_ascii_case("line "))?;
            text.trim_start().strip_prefix(begin)
        });
        let mut numbers = numbers.unwrap_or_default().split(',').map(str::trim);
        let line = numbers.next().and_then(|line| line.parse().ok()).or(self.line);
        let is_column = |part: &&str| part.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("col"));
        let column = numbers.next().filter(is_column);
        let column = column.map(|rest| rest.trim_start_matches(|letter: char| !letter.is_ascii_digit()));
        let column = column.and_then(|column| column.parse().ok()).or(self.column);
        Location::new(file.as_str(), line, column)
    }
}

/// Appends as much as is kept.
pub(super) fn append(kept: &mut String, text: &str) {
    // Twice what is shown: the places near the end of a stack are looked for too.
    let room = (2 * TEXT).saturating_sub(kept.len());
    kept.push_str(&text[..text.floor_char_boundary(room)]);
}

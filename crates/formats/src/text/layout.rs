//! Shapes of several lines: a heading, then a place, or a path, then its findings.

use report::Level;

use super::level::level;
use super::lines::{is_code, trailing_rule};
use crate::places::is_file;
use crate::{Diagnostic, Location};

/// What the lines before have begun.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// rustc's and ruff's heading, which waits for its place.
    heading: Option<Diagnostic>,
    /// The path above the findings of one file.
    path: Option<String>,
    /// shellcheck's `In a.sh line 2:`.
    shell: Option<Location>,
}

impl Layout {
    /// A blank line ends a heading without a place.
    pub(super) fn blank(&mut self) {
        self.heading = None;
        self.shell = None;
    }

    /// A finding of one line ends everything that has begun.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Takes a line; a finding if it completes one.
    pub(super) fn line(&mut self, line: &str) -> Option<Diagnostic> {
        if let Some(place) = line.trim_start().strip_prefix("--> ") {
            return self.heading.take()?.at(place_of(place)).into();
        }
        if let Some(found) = self.indented(line).or_else(|| self.shellcheck(line)) {
            return Some(found);
        }
        if super::lines::driver(line).is_some() {
            return None;
        }
        if let Some(heading) = rustc(line).or_else(|| ruff(line)) {
            self.heading = Some(heading);
        } else if !line.starts_with(char::is_whitespace) && is_file(line.trim()) && !line.contains([':', '(']) {
            self.path = Some(line.trim().to_owned());
        }
        None
    }

    /// `  2:10  error  message  rule`, below its path.
    fn indented(&self, line: &str) -> Option<Diagnostic> {
        let path = self.path.as_ref().filter(|_| line.starts_with(' '))?;
        let (place, rest) = line.trim_start().split_once(' ')?;
        let (row, column) = place.split_once(':')?;
        let rest = rest.trim_start();
        let (word, message) = rest.split_once(' ')?;
        let found = level(word)?;
        let location = Location::new(path.as_str(), Some(row.parse().ok()?), column.parse().ok());
        let (message, rule) = trailing_rule(message);
        // eslint sets the rule off with two blanks.
        let (message, rule) = match (rule, message.rsplit_once("  ")) {
            (None, Some((message, rule))) if !rule.contains(' ') => (message.trim_end(), Some(rule)),
            _ => (message, rule),
        };
        Some(Diagnostic::new(found, message).rule(rule).at(location))
    }

    /// `In a.sh line 2:`, later `  ^-- SC2034 (warning): message`.
    fn shellcheck(&mut self, line: &str) -> Option<Diagnostic> {
        if let Some((path, row)) =
            line.strip_prefix("In ").and_then(|rest| rest.strip_suffix(':')?.split_once(" line "))
        {
            self.shell = Location::new(path, row.parse().ok(), None);
            return None;
        }
        let location = self.shell.clone()?;
        let rest = line.trim_start().trim_start_matches(['^', '-']).trim_start();
        let (rule, rest) = rest.split_once(" (").filter(|(rule, _)| is_code(rule))?;
        let (word, message) = rest.split_once("): ")?;
        Some(Diagnostic::new(level(word)?, message).rule(Some(rule)).at(Some(location)))
    }
}

/// `error[E0308]: message`, `warning: message`
fn rustc(line: &str) -> Option<Diagnostic> {
    let end = line.find([':', '['])?;
    let found = level(&line[..end]).filter(|found| *found > Level::Notice || line.starts_with("info["))?;
    let rest = &line[end..];
    if let Some((rule, message)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
        return Some(Diagnostic::new(found, message).rule(Some(rule)));
    }
    Some(Diagnostic::new(found, rest.strip_prefix(": ")?))
}

/// `F401 [*] message`, `invalid-syntax: message`
fn ruff(line: &str) -> Option<Diagnostic> {
    let (rule, message) = line.split_once(' ')?;
    let name = rule.trim_end_matches(':');
    (is_code(name) || name == "invalid-syntax").then(|| Diagnostic::error(message.trim()).rule(Some(name)))
}

/// `src/main.rs:5:21`, whatever follows.
fn place_of(place: &str) -> Option<Location> {
    let place = place.split_whitespace().next()?;
    let mut parts = place.rsplitn(3, ':');
    let (last, before, path) = (parts.next()?, parts.next()?, parts.next()?);
    Location::new(path, before.parse().ok(), last.parse().ok())
}

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
    /// A place whose message is still to come: biome's and pydocstyle's.
    place: Option<(Location, Option<String>)>,
}

impl Layout {
    /// A blank line ends a heading without a place.
    pub(super) fn blank(&mut self) {
        self.heading = None;
        self.shell = None;
        // biome has a blank line between the place and the message.
        self.place.take_if(|(_, rule)| rule.is_none());
    }

    /// A finding of one line ends everything that has begun.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Takes a line; a finding if it completes one.
    pub(super) fn line(&mut self, line: &str) -> Option<Diagnostic> {
        if let Some(place) = line.trim_start().strip_prefix("--> ").or_else(|| boxed(line)) {
            return self.heading.take()?.at(place_of(place)).into();
        }
        let found = self.placed(line).or_else(|| self.indented(line)).or_else(|| self.shellcheck(line));
        if let Some(found) = found.or_else(|| self.table(line)) {
            return Some(found);
        }
        if super::lines::driver(line).is_some() {
            return None;
        }
        if let Some(place) = biome(line).or_else(|| pydocstyle(line)) {
            self.place = Some(place);
        } else if let Some(heading) = rustc(line).or_else(|| ruff(line)).or_else(|| miette(line)) {
            self.heading = Some(heading);
        } else if let Some(path) = file_heading(line) {
            self.path = Some(path.to_owned());
        }
        None
    }

    /// The message below its place: biome's after a mark, pydocstyle's after its code.
    fn placed(&mut self, line: &str) -> Option<Diagnostic> {
        let (_, rule) = self.place.as_ref()?;
        let rest = line.strip_prefix(' ')?.trim_start();
        let (word, message) = rest.split_once(' ')?;
        let (found, rule) = match rule {
            Some(rule) => (marked(word)?, rule.clone()),
            None => (Level::Error, word.strip_suffix(':').filter(|code| is_code(code))?.to_owned()),
        };
        let (location, _) = self.place.take()?;
        Some(Diagnostic::new(found, message.trim()).rule(Some(rule)).at(Some(location)))
    }

    /// `  2:10  error  message  rule`, `  1:8  F401 message`, `  1:2  ✖  message  rule`, below its path.
    fn indented(&self, line: &str) -> Option<Diagnostic> {
        let path = self.path.as_ref().filter(|_| line.starts_with(' '))?;
        let (place, rest) = line.trim_start().split_once(' ')?;
        let (row, column) = place.split_once(':')?;
        let rest = rest.trim_start();
        let (word, message) = rest.split_once(' ')?;
        let location = Location::new(path.as_str(), Some(row.parse().ok()?), column.parse().ok());
        let Some(found) = level(word).or_else(|| marked(word)) else {
            return is_code(word).then(|| Diagnostic::error(message.trim()).rule(Some(word)).at(location));
        };
        let (message, rule) = trailing_rule(message);
        // eslint sets the rule off with two blanks, behind the message; redocly before it.
        let parts = message.rsplit_once("  ").filter(|_| rule.is_none());
        let (message, rule) = match parts.map(|(first, last)| (first.trim_end(), last.trim_start())) {
            Some((first, last)) if !last.contains(' ') => (first, Some(last)),
            Some((first, last)) if !first.contains(' ') => (last, Some(first)),
            _ => (message, rule),
        };
        Some(Diagnostic::new(found, message).rule(rule).at(location))
    }

    /// Rows below their path: phpcs's ` 2 | ERROR | [x] message`, sqlfluff's `L:   1 | P:   8 | LT01 | message`, rubocop's
    /// `C:  1:  7: Style/Name: message`.
    fn table(&self, line: &str) -> Option<Diagnostic> {
        let path = self.path.as_ref()?;
        let at = |row: &str, column: Option<&str>| {
            let column = column.and_then(|column| column.trim().parse().ok());
            Location::new(path.as_str(), Some(row.trim().parse().ok()?), column)
        };
        let mut cells = line.split(" | ");
        if let (Some(first), Some(second), Some(third)) = (cells.next(), cells.next(), cells.next()) {
            if let (Some(row), Some(column)) = (first.strip_prefix("L:"), second.strip_prefix("P:")) {
                let message = cells.next()?.trim();
                return Some(Diagnostic::error(message).rule(Some(third.trim())).at(Some(at(row, Some(column))?)));
            }
            let message = third.trim_start_matches("[ ] ").trim_start_matches("[x] ").trim();
            return Some(Diagnostic::new(level(second.trim())?, message).at(Some(at(first, None)?)));
        }
        let (letter, rest) = line.split_at_checked(2)?;
        let mut parts = rest.splitn(3, ':');
        let location = at(parts.next()?, parts.next())?;
        Some(super::lines::cop(letter, parts.next()?.trim())?.at(Some(location)))
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

/// A path alone on its line, with what some linters put around it: `a.py:`, `== a.rb ==`, `== [a.sql] FAIL`, `FILE: /w/a.php`.
fn file_heading(line: &str) -> Option<&str> {
    let path = line.trim_end();
    let path = path.strip_prefix("FILE: ").unwrap_or(path);
    let path = path.strip_prefix("== ").map_or(path, |rest| {
        rest.strip_suffix(" ==").unwrap_or_else(|| rest.trim_end_matches(" FAIL").trim_end_matches(" PASS"))
    });
    let path = path.strip_prefix('[').and_then(|path| path.strip_suffix(']')).unwrap_or(path);
    let path = path.strip_suffix(':').unwrap_or(path);
    (!path.starts_with(char::is_whitespace) && is_file(path) && !path.contains([':', '('])).then_some(path)
}

/// The marks that stand for a level.
fn marked(mark: &str) -> Option<Level> {
    Some(match mark {
        "✖" | "×" | "✘" | "x" => Level::Error,
        "⚠" | "‼" | "!" => Level::Warning,
        "ℹ" | "i" => Level::Notice,
        _ => return None,
    })
}

/// `   ╭─[src/a.js:1:5]`, `   ,-[src/a.js:1:5]`: the place below the heading of miette, which oxlint prints with.
fn boxed(line: &str) -> Option<&str> {
    let line = line.trim();
    line.strip_prefix("╭─[").or_else(|| line.strip_prefix(",-["))?.split(']').next()
}

/// `  × message`, `  ! eslint(no-undef): message`
fn miette(line: &str) -> Option<Diagnostic> {
    let (mark, text) = line.strip_prefix("  ")?.split_once(' ')?;
    let found = marked(mark)?;
    let rule = text.split_once(": ").filter(|(rule, _)| rule.ends_with(')') && !rule.contains(' '));
    let (rule, message) = rule.map_or((None, text), |(rule, message)| (Some(rule), message));
    Some(Diagnostic::new(found, message.trim()).rule(rule))
}

/// `a.js:1:5 lint/suspicious/noDebugger ━━━━━━`
fn biome(line: &str) -> Option<(Location, Option<String>)> {
    let (head, _) = line.split_once(" ━━")?;
    let mut words = head.split(' ');
    let (place, rule) = (words.next()?, words.next()?);
    let location = place_of(place).or_else(|| Location::new(place, None, None).filter(|place| is_file(&place.path)))?;
    Some((location, Some(rule.to_owned())))
}

/// ``a.py:2 in public function `f`:``
fn pydocstyle(line: &str) -> Option<(Location, Option<String>)> {
    let (place, rest) = line.split_once(' ')?;
    let is_place = (rest.starts_with("in ") || rest.starts_with("at ")) && rest.ends_with(':');
    let (path, row) = place.rsplit_once(':').filter(|(path, _)| is_place && is_file(path))?;
    Some((Location::new(path, Some(row.parse().ok()?), None)?, None))
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

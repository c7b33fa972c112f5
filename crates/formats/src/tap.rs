//! Reads TAP, the Test Anything Protocol, versions 12 to 14.
//!
//! Points of the top level are the tests. Nested points explain the point of their parent, which comes after them, or before
//! them with a `{`; a nested failure below a point that passed fails the run. A plan that is not kept, a plan that is missing
//! and `Bail out!` are errors that belong to no test.

use std::collections::HashSet;

use report::Level;

use crate::places::{self, is_file};
use crate::{Diagnostic, Item, Location, Outcome, Reader, Sink, TEXT, Test, Unreadable};

/// Whether a line begins a TAP stream.
pub(crate) fn begins(line: &str) -> bool {
    version(line)
        || plan(line).is_some()
        || line.starts_with("Bail out!")
        || point(line).is_some_and(|point| point.number.is_some() || line.contains("ok - "))
}

/// `TAP version 13`
fn version(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower.strip_prefix("tap version ").is_some_and(|version| version.trim().parse::<u32>().is_ok())
}

/// How many numbers of points are remembered.
const NUMBERS: usize = 1_000_000;

/// A point that waits for its diagnostics.
#[derive(Debug, Default)]
struct Pending {
    name: String,
    outcome: Outcome,
    seconds: Option<f64>,
    /// Its YAML block and the comments behind it.
    text: String,
    /// The first failure below it: its name, and the indentation if more may be below that.
    nested: Option<(String, Option<usize>)>,
    /// Points below it follow, up to a `}`.
    is_open: bool,
}

/// The reader of one stream.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    pending: Option<Pending>,
    /// The first failure of nested points whose parent is still to come, with its diagnostics.
    nested: Option<(String, String)>,
    /// The indentation of an open YAML block.
    yaml: Option<usize>,
    plan: Option<u64>,
    points: u64,
    /// The numbers of the points, as far as [`NUMBERS`] goes.
    numbers: HashSet<u64>,
    has_bailed_out: bool,
    has_begun: bool,
    /// One point that passed is all there is so far, without version and plan.
    is_bare: bool,
}

impl Reader for Tap {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        if let Item::Line(line) = item {
            let is_first = !std::mem::replace(&mut self.has_begun, true);
            let is_pass = point(line).is_some_and(|point| point.outcome == Outcome::Passed);
            // `ok 1 fetched` may be what any program prints.
            self.is_bare = if is_first { is_pass } else { self.is_bare && !begins(line) };
            self.line(line, sink);
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        if self.is_bare {
            return Err(Unreadable::new("one line that begins with `ok` is no TAP: the plan is missing"));
        }
        self.end_stream(sink);
        Ok(())
    }
}

impl Tap {
    /// Ends a stream: holds its plan against its points. Another may follow.
    fn end_stream(&mut self, sink: &mut dyn Sink) {
        self.finish_point(sink);
        let missing = match self.plan {
            _ if self.has_bailed_out => None,
            None => Some("the plan is missing: the program ended before its end".to_owned()),
            Some(plan) if plan > self.points => Some(format!("{plan} tests were planned, {} ran", self.points)),
            Some(plan) if plan < self.points => Some(format!("{plan} tests were planned, but {} ran", self.points)),
            Some(_) => None,
        };
        if let Some(missing) = missing {
            sink.finding(Diagnostic::error(missing));
        }
        (self.plan, self.points, self.has_bailed_out) = (None, 0, false);
        self.numbers.clear();
    }

    /// Whether everything that was planned has run: what comes then belongs to another stream.
    fn is_complete(&self) -> bool {
        self.points > 0 && self.plan == Some(self.points)
    }

    fn number(&mut self, number: Option<u64>, sink: &mut dyn Sink) {
        if self.is_complete() && number == Some(1) {
            self.end_stream(sink);
        }
        let Some(number) = number.filter(|_| self.numbers.len() < NUMBERS) else { return };
        if !self.numbers.insert(number) {
            sink.finding(Diagnostic::error(format!("test {number} is there twice")));
        }
    }

    fn line(&mut self, line: &str, sink: &mut dyn Sink) {
        let indent = line.len() - line.trim_start().len();
        if let Some(depth) = self.yaml {
            if line.trim() == "..." && indent <= depth {
                self.yaml = None;
            } else {
                self.keep(line);
                // A block whose end is missing ends with the next point.
                if indent == 0 && point(line).is_some_and(|point| point.number.is_some()) {
                    self.yaml = None;
                    self.line(line, sink);
                }
            }
            return;
        }
        if line.trim() == "---" && indent > 0 {
            self.yaml = Some(indent);
        } else if indent > 0 {
            self.nested_line(line.trim_start(), indent);
        } else if let Some(reason) = line.strip_prefix("Bail out!") {
            self.finish_point(sink);
            self.has_bailed_out = true;
            let reason = reason.trim();
            sink.finding(Diagnostic::error(format!("Bail out! {reason}").trim_end()));
        } else if let Some(count) = plan(line) {
            if self.plan.is_some() {
                self.end_stream(sink);
            }
            self.plan = Some(count);
        } else if version(line) {
            if self.plan.is_some() || self.points > 0 {
                self.end_stream(sink);
            }
        } else if line.trim() == "}" {
            self.finish_point(sink);
        } else if let Some(point) = point(line) {
            self.finish_point(sink);
            self.number(point.number, sink);
            self.points += 1;
            self.pending = Some(point.pending());
            if let Some((name, text)) = self.nested.take()
                && let Some(pending) = &mut self.pending
            {
                pending.nested = Some((name, None));
                pending.text = text;
            }
        } else if line.starts_with('#') {
            self.keep(line.trim_start_matches('#'));
        }
    }

    fn nested_line(&mut self, line: &str, indent: usize) {
        let failed = point(line).filter(|point| point.outcome == Outcome::Failed);
        let is_below = self.pending.as_ref().is_some_and(|pending| pending.is_open);
        match (failed, &mut self.pending) {
            (Some(point), Some(pending)) if is_below => {
                let deeper = point.is_open.then_some(indent);
                match &mut pending.nested {
                    None => pending.nested = Some((point.name, deeper)),
                    // The points below a failed one tell which of them failed.
                    Some((name, above)) if above.is_some_and(|above| above < indent) => {
                        *name = format!("{name} > {}", point.name);
                        *above = deeper;
                    }
                    Some(_) => {}
                }
            }
            (Some(point), _) => {
                self.nested.get_or_insert((point.name, String::new()));
            }
            _ => {}
        }
    }

    /// Keeps a line of a diagnostic where it belongs.
    fn keep(&mut self, line: &str) {
        let is_below = self.pending.as_ref().is_some_and(|pending| pending.is_open);
        let text = match (&mut self.nested, &mut self.pending) {
            (Some((_, text)), _) if !is_below => text,
            (_, Some(pending)) if pending.outcome == Outcome::Failed || pending.nested.is_some() => &mut pending.text,
            _ => return,
        };
        if text.len() < 2 * TEXT {
            text.push_str(line);
            text.push('\n');
        }
    }

    fn finish_point(&mut self, sink: &mut dyn Sink) {
        let Some(pending) = self.pending.take() else { return };
        let failure = (pending.outcome == Outcome::Failed).then(|| pending.diagnostic());
        if pending.outcome == Outcome::Passed
            && let Some((nested, _)) = &pending.nested
        {
            sink.finding(Diagnostic::error(format!("{nested} failed, but {} passed", pending.name)));
        }
        sink.test(Test { name: &pending.name, outcome: pending.outcome, seconds: pending.seconds, failure });
    }
}

impl Pending {
    fn diagnostic(&self) -> Diagnostic {
        let message = value(&self.text, "message").or_else(|| value(&self.text, "error"));
        let first = self.text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("---"));
        let message = message.or_else(|| first.map(str::to_owned)).unwrap_or_else(|| "failed".to_owned());
        let message = self.nested.as_ref().map_or(message.clone(), |(nested, _)| format!("{nested}: {message}"));
        let mut found = Diagnostic::new(Level::Error, message).detail(self.text.trim_end());
        found.locations = self.locations();
        found
    }

    fn locations(&self) -> Vec<Location> {
        let number = |name: &str| value(&self.text, name).and_then(|value| value.trim().parse().ok());
        let mut locations = Vec::new();
        for name in ["at", "location"] {
            locations.extend(value(&self.text, name).map(|at| places::in_text(&at)).unwrap_or_default());
        }
        if let Some(file) = value(&self.text, "file") {
            locations.extend(Location::new(file, number("line"), number("column")));
        }
        // bats: `(in test file a.bats, line 4)`
        for (file, rest) in self.text.lines().filter_map(|line| line.split_once("file ")?.1.split_once(", line ")) {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            locations.extend(Location::new(file, rest[..digits].parse().ok(), None));
        }
        if is_file(&self.name) {
            locations.extend(Location::new(self.name.as_str(), number("line"), number("column")));
        }
        locations.extend(places::in_text(&self.text));
        // Linters have the place in the name: `not ok 1 a.lua:1:7: unused variable`.
        locations.extend(places::in_text(&self.name));
        locations
    }
}

/// The value of a key in a block of YAML or JSON, as far as it is a plain text: one line, or the first of a block.
fn value(text: &str, key: &str) -> Option<String> {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim().trim_start_matches("- ");
        if line.starts_with('{') {
            let json: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            let at = json.get("at").and_then(|at| at.get(key));
            let found = json.get(key).or(at).filter(|found| !found.is_object());
            if let Some(found) = found {
                return Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned));
            }
        }
        let Some(rest) = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(':')) else { continue };
        let rest = rest.trim();
        if matches!(rest, ">-" | ">" | "|-" | "|" | "|+" | "") {
            return lines.next().map(|next| next.trim().to_owned()).filter(|next| !next.is_empty());
        }
        // YAML doubles a single quote inside of single quotes.
        if let Some(plain) = rest.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return Some(plain.replace("''", "'"));
        }
        let unquoted = rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        return Some(unquoted.unwrap_or(rest).replace("\\\"", "\"").replace("\\n", "\n"));
    }
    None
}

/// `1..5`, `1..0 # skip reason`
fn plan(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("1..")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = rest[digits..].trim_start();
    if after.is_empty() || after.starts_with('#') { rest[..digits].parse().ok() } else { None }
}

/// A point as it is written.
struct Point {
    number: Option<u64>,
    name: String,
    outcome: Outcome,
    seconds: Option<f64>,
    is_open: bool,
}

impl Point {
    fn pending(self) -> Pending {
        let name = match self.number {
            Some(number) if self.name.is_empty() => format!("test {number}"),
            _ => self.name,
        };
        Pending { name, outcome: self.outcome, seconds: self.seconds, is_open: self.is_open, ..Pending::default() }
    }
}

/// `not ok 2 - name # TODO why`
fn point(line: &str) -> Option<Point> {
    let (failed, rest) =
        line.strip_prefix("not ok").map_or((false, line.strip_prefix("ok")), |rest| (true, Some(rest)));
    let rest = rest?;
    // `ok  \tpackage` is Go's, `okay` a word.
    if !(rest.is_empty() || rest.starts_with([' ', '-', '#'])) || rest.starts_with("  ") {
        return None;
    }
    let rest = rest.trim_start();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = rest[..digits].parse().ok();
    let rest = rest[digits..].trim_start();
    let rest = rest.strip_prefix('-').unwrap_or(rest).trim_start();
    let is_open = rest.ends_with('{');
    let rest = rest.strip_suffix('{').unwrap_or(rest).trim_end();
    let (name, comment) = split_comment(rest);
    let word = comment.to_ascii_lowercase();
    let is_excused = word.starts_with("skip") || word.starts_with("todo");
    let outcome = match (is_excused, failed) {
        (true, _) => Outcome::Skipped,
        (false, true) => Outcome::Failed,
        (false, false) => Outcome::Passed,
    };
    let seconds = comment.strip_prefix("time=").or_else(|| comment.strip_prefix("in ")).and_then(duration);
    // A hash that begins no directive belongs to the name.
    let name = if is_excused || seconds.is_some() || comment.is_empty() { name } else { rest };
    Some(Point { number, name: name.replace("\\#", "#"), outcome, seconds, is_open })
}

/// Splits at the last `#` that is not escaped.
fn split_comment(text: &str) -> (&str, &str) {
    let hash = text.match_indices('#').map(|(at, _)| at).filter(|at| !text[..*at].ends_with('\\'));
    let mut hash = hash;
    hash.next_back().map_or((text, ""), |at| (text[..at].trim_end(), text[at + 1..].trim()))
}

/// `67 ms`, `1.2s`, `537.383ms`
fn duration(text: &str) -> Option<f64> {
    let text = text.trim();
    let number = text.trim_end_matches(|letter: char| letter.is_alphabetic() || letter == ' ');
    let value: f64 = number.parse().ok()?;
    Some(if text.ends_with("ms") { value / 1000.0 } else { value })
}

#[cfg(test)]
mod tests;

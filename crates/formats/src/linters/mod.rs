//! Reads the JSON of linters: most write one array of findings and differ in the names of its members. Each is a row of
//! [`rows`]; a new one is a new row.
//!
//! A path of members is separated by dots. A linter without severities writes errors: what it reports, it reports as wrong.

mod rows;
mod vet;

use report::Level;
use serde_json::Value;

use crate::places::is_file;
use crate::{Diagnostic, Item, Json, Location, Reader, Sink, Unreadable};
use rows::{Linter, Shape, linters};
pub(crate) use vet::{Vet, is_vet};

/// Whether a document is that of a linter.
pub(crate) fn is_document(json: &Json<'_>) -> bool {
    of(json, false).is_some()
}

/// Whether a value is a line of a linter.
pub(crate) fn is_line(json: &Json<'_>) -> bool {
    of(json, true).is_some()
}

fn of(json: &Json<'_>, lines: bool) -> Option<&'static Linter> {
    linters().find(|linter| {
        let fits = match linter.shape {
            Shape::Array | Shape::Files(_) => !lines && json.lists(linter.sniff),
            Shape::Member(_) | Shape::Nested(..) => !lines && json.has(linter.sniff),
            Shape::ByPath => !lines && is_by_path(json, linter.sniff),
            Shape::Lines => lines && json.has(linter.sniff),
        };
        fits && json.text.contains(linter.holds)
    })
}

/// Whether an object has paths as names and lists of findings as values. Of a clean run all lists are empty.
fn is_by_path(json: &Json<'_>, sniff: &[&str]) -> bool {
    let mut names = json.names().peekable();
    names.peek().is_some()
        && names.all(|name| {
            let Some(list) = json.raw(name).filter(|raw| raw.starts_with('[')).map(Json::new) else { return false };
            is_file(name)
                && (list.lists(sniff) || list.text.bytes().filter(|byte| !byte.is_ascii_whitespace()).count() == 2)
        })
}

/// The reader of a document, or of lines.
#[derive(Debug, Default)]
pub(crate) struct Findings;

impl Reader for Findings {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let Some(linter) = of(json, false).or_else(|| of(json, true)) else { return Ok(()) };
        sink.tool(linter.name);
        let document: Value = json.read()?;
        match linter.shape {
            Shape::Array => items(&document).for_each(|item| linter.report(item, None, sink)),
            Shape::Member(member) => {
                items(document.get(member).unwrap_or(&Value::Null)).for_each(|item| linter.report(item, None, sink));
                if member != "errors" {
                    unread(&document, sink);
                }
            }
            Shape::Files(inner) => items(&document).for_each(|file| linter.file(file, None, inner, sink)),
            Shape::Nested(member, inner) => {
                match document.get(member).unwrap_or(&Value::Null) {
                    Value::Object(files) => {
                        files.iter().for_each(|(path, file)| linter.file(file, Some(path), inner, sink));
                    }
                    files => items(files).for_each(|file| linter.file(file, None, inner, sink)),
                }
                unread(&document, sink);
            }
            Shape::ByPath => {
                for (path, found) in document.as_object().into_iter().flatten() {
                    items(found).for_each(|item| linter.report(item, Some(path), sink));
                }
            }
            Shape::Lines => linter.report(&document, None, sink),
        }
        Ok(())
    }
}

/// bandit, semgrep and others list files that they could not read.
fn unread(document: &Value, sink: &mut dyn Sink) {
    for error in items(document.get("errors").unwrap_or(&Value::Null)) {
        let text = text_at(error, "reason|message").unwrap_or_else(|| match error {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let place = text_at(error, "filename|file_path|path").and_then(|path| Location::new(path, None, None));
        // semgrep lists there what it could read in part only.
        let level = match text_at(error, "level").as_deref() {
            Some("warn" | "warning") => Level::Warning,
            Some("info") => Level::Notice,
            _ => Level::Error,
        };
        sink.finding(Diagnostic::new(level, text).at(place));
    }
    // golangci-lint: the run itself failed.
    if let Some(error) = text_at(document, "Report.Error").filter(|error| !error.trim().is_empty()) {
        sink.finding(Diagnostic::error(error));
    }
    for (package, errors) in document.get("Golang errors").and_then(Value::as_object).into_iter().flatten() {
        for error in items(errors) {
            let text = text_at(error, "error").unwrap_or_else(|| "it cannot be read".to_owned());
            let line = at(error, "line").and_then(whole);
            sink.finding(Diagnostic::error(text).at(Location::new(package.as_str(), line, None)));
        }
    }
}

impl Linter {
    /// The findings of one file; its path is a member of it unless it is given.
    fn file(&self, file: &Value, path: Option<&str>, inner: &str, sink: &mut dyn Sink) {
        let path = path.map(str::to_owned).or_else(|| text_at(file, self.path));
        items(file.get(inner).unwrap_or(&Value::Null)).for_each(|item| self.report(item, path.as_deref(), sink));
        items(file.get("parseErrors").unwrap_or(&Value::Null))
            .for_each(|item| self.report(item, path.as_deref(), sink));
    }

    fn report(&self, item: &Value, path: Option<&str>, sink: &mut dyn Sink) {
        let Some(level) = self.level(item) else { return };
        let path = path.map(str::to_owned).or_else(|| text_at(item, self.path));
        let message = text_at(item, self.message);
        // A summary beside the findings (solhint's) is none.
        if path.is_none() && message.is_none() {
            return;
        }
        let (path, message) = (path.unwrap_or_default(), message.unwrap_or_else(|| "no message".to_owned()));
        let number = |names: &str| at(item, names).and_then(whole);
        // A range goes from its smaller to its larger line, whichever way round it is written.
        let line =
            number(self.line).map(|line| number("endLine").filter(|end| *end > 0).map_or(line, |end| end.min(line)));
        let column = number(self.column).map(|column| column + self.origin.1);
        let place = Location::new(path, line.map(|line| line + self.origin.0), column);
        let mut rule = text_at(item, self.rule).filter(|_| !self.rule.is_empty());
        if self.name == "shellcheck" {
            rule = rule.map(|code| format!("SC{code}"));
        }
        // GitLab's description repeats the rule.
        let message =
            rule.as_ref().and_then(|rule| message.strip_prefix(rule.as_str())?.strip_prefix(": ")).unwrap_or(&message);
        sink.finding(Diagnostic::new(level, message).rule(rule).at(place));
    }

    /// The level; `None` for what is information and no finding.
    fn level(&self, item: &Value) -> Option<Level> {
        let value = if self.level.is_empty() { None } else { at(item, self.level) };
        let Some(value) = value else { return Some(Level::Error) };
        // sqlfluff: whether it is only a warning.
        if let Some(is_warning) = value.as_bool() {
            return Some(if is_warning { Level::Warning } else { Level::Error });
        }
        if let Some(number) = value.as_i64() {
            // eslint counts upwards to 2, Spectral downwards to 0.
            let is_error = if self.name == "spectral" { number == 0 } else { number >= 2 };
            let is_notice = self.name == "spectral" && number > 1;
            return Some(if is_error {
                Level::Error
            } else if is_notice {
                Level::Notice
            } else {
                Level::Warning
            });
        }
        Some(match value.as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
            "information" if self.name == "pyright" => return None,
            "warning" | "warn" | "medium" | "minor" => Level::Warning,
            "note" | "notice" | "info" | "information" | "informational" | "hint" | "style" | "convention"
            | "refactor" | "low" | "suggestion" => Level::Notice,
            _ => Level::Error,
        })
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The first of several paths of members that leads to a value.
fn at<'a>(value: &'a Value, paths: &str) -> Option<&'a Value> {
    let step = |value: &'a Value, name: &str| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => value.get(name),
    };
    paths.split('|').find_map(|path| path.split('.').try_fold(value, step).filter(|value| !value.is_null()))
}

/// A number, also in a text that begins with one: gosec's `"7-9"`.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let text = value.as_str()?;
        text[..text.bytes().take_while(u8::is_ascii_digit).count()].parse().ok()
    })
}

fn text_at(value: &Value, paths: &str) -> Option<String> {
    at(value, paths).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests;

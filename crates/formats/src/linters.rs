//! Reads the JSON of linters: most write one array of findings and differ in the names of its members. Each is a row of
//! [`LINTERS`]; a new one is a new row.
//!
//! A path of members is separated by dots. A linter without severities writes errors: what it reports, it reports as wrong.

use report::Level;
use serde_json::Value;

use crate::{Diagnostic, Item, Json, Location, Reader, Sink, Unreadable};

/// How a linter writes its findings.
struct Linter {
    name: &'static str,
    /// Members that its document, or the first finding of its array, has.
    sniff: &'static [&'static str],
    /// Where the findings are: the document itself, a member, or the items of each item's member.
    shape: Shape,
    path: &'static str,
    line: &'static str,
    column: &'static str,
    /// What to add to lines and columns: those that count from 0 need 1.
    origin: (i64, i64),
    rule: &'static str,
    message: &'static str,
    level: &'static str,
}

enum Shape {
    /// The document is the array.
    Array,
    /// The findings are in this member.
    Member(&'static str),
    /// The document is an array of files, each with findings in this member and its path in another.
    Files(&'static str),
    /// Each value of a stream is a finding.
    Lines,
}

const ROW: Linter = Linter {
    name: "",
    sniff: &[],
    shape: Shape::Array,
    path: "",
    line: "line",
    column: "column",
    origin: (0, 0),
    rule: "",
    message: "message",
    level: "",
};

/// The linters, in the order in which they are tried.
const LINTERS: &[Linter] = &[
    Linter {
        name: "ruff",
        sniff: &["code", "filename", "location", "message"],
        path: "filename",
        line: "location.row",
        column: "location.column",
        rule: "code",
        ..ROW
    },
    Linter {
        name: "eslint",
        sniff: &["filePath", "messages"],
        shape: Shape::Files("messages"),
        path: "filePath",
        rule: "ruleId",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "stylelint",
        sniff: &["source", "warnings"],
        shape: Shape::Files("warnings"),
        path: "source",
        rule: "rule",
        message: "text",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "golangci-lint",
        sniff: &["Issues"],
        shape: Shape::Member("Issues"),
        path: "Pos.Filename",
        line: "Pos.Line",
        column: "Pos.Column",
        rule: "FromLinter",
        message: "Text",
        level: "Severity",
        ..ROW
    },
    Linter {
        name: "pyright",
        sniff: &["generalDiagnostics"],
        shape: Shape::Member("generalDiagnostics"),
        path: "file",
        line: "range.start.line",
        column: "range.start.character",
        origin: (1, 1),
        rule: "rule",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "shellcheck",
        sniff: &["file", "code", "level", "endColumn"],
        path: "file",
        rule: "code",
        level: "level",
        ..ROW
    },
    Linter {
        name: "shellcheck",
        sniff: &["comments"],
        shape: Shape::Member("comments"),
        path: "file",
        rule: "code",
        level: "level",
        ..ROW
    },
    Linter {
        name: "code-quality",
        sniff: &["description", "fingerprint", "location"],
        path: "location.path",
        line: "location.positions.begin.line|location.lines.begin",
        column: "location.positions.begin.column",
        rule: "check_name",
        message: "description",
        level: "severity",
        ..ROW
    },
    Linter { name: "actionlint", sniff: &["filepath", "kind", "message"], path: "filepath", rule: "kind", ..ROW },
    Linter {
        name: "pylint",
        sniff: &["message-id", "symbol", "path"],
        path: "path",
        origin: (0, 1),
        rule: "message-id",
        level: "type",
        ..ROW
    },
    Linter {
        name: "bandit",
        sniff: &["metrics", "results", "errors"],
        shape: Shape::Member("results"),
        path: "filename",
        line: "line_number",
        column: "col_offset",
        origin: (0, 1),
        rule: "test_id",
        message: "issue_text",
        level: "issue_severity",
    },
    Linter {
        name: "semgrep",
        sniff: &["results", "paths", "errors"],
        shape: Shape::Member("results"),
        path: "path",
        line: "start.line",
        column: "start.col",
        rule: "check_id",
        message: "extra.message",
        level: "extra.severity",
        ..ROW
    },
    Linter {
        name: "spectral",
        sniff: &["code", "message", "range", "source", "path"],
        path: "source",
        line: "range.start.line",
        column: "range.start.character",
        origin: (1, 1),
        rule: "code",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "reviewdog",
        sniff: &["source", "diagnostics"],
        shape: Shape::Member("diagnostics"),
        path: "location.path",
        line: "location.range.start.line",
        column: "location.range.start.column",
        rule: "code.value",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "biome",
        sniff: &["summary", "diagnostics"],
        shape: Shape::Member("diagnostics"),
        path: "location.path",
        line: "location.start.line",
        column: "location.start.column",
        rule: "category",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "mypy",
        sniff: &["file", "line", "column", "message", "hint", "code", "severity"],
        shape: Shape::Lines,
        path: "file",
        origin: (0, 1),
        rule: "code",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "staticcheck",
        sniff: &["code", "severity", "location", "end", "message"],
        shape: Shape::Lines,
        path: "location.file",
        line: "location.line",
        column: "location.column",
        rule: "code",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "ruff",
        sniff: &["code", "filename", "location", "end_location", "message"],
        shape: Shape::Lines,
        path: "filename",
        line: "location.row",
        column: "location.column",
        rule: "code",
        ..ROW
    },
];

/// Whether a document is that of a linter.
pub(crate) fn is_document(json: &Json<'_>) -> bool {
    of(json, false).is_some()
}

/// Whether a value is a line of a linter.
pub(crate) fn is_line(json: &Json<'_>) -> bool {
    of(json, true).is_some()
}

fn of(json: &Json<'_>, lines: bool) -> Option<&'static Linter> {
    LINTERS.iter().find(|linter| match linter.shape {
        Shape::Array | Shape::Files(_) => !lines && json.lists(linter.sniff),
        Shape::Member(_) => !lines && json.has(linter.sniff),
        Shape::Lines => lines && json.has(linter.sniff),
    })
}

/// Whether a value is what `go vet -json` prints: packages, in them analyzers, in them findings.
pub(crate) fn is_vet(json: &Json<'_>) -> bool {
    let mut packages = json.names().peekable();
    packages.peek().is_some()
        && packages.all(|package| {
            let inner = json.raw(package).filter(|raw| raw.starts_with('{')).map(Json::new);
            inner.is_some_and(|inner| {
                let mut analyzers = inner.names().peekable();
                analyzers.peek().is_some()
                    && analyzers.all(|name| inner.raw(name).is_some_and(|raw| raw.contains("\"posn\"")))
            })
        })
}

/// The reader of `go vet -json`.
#[derive(Debug, Default)]
pub(crate) struct Vet;

impl Reader for Vet {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let document: Value = json.read()?;
        let packages = document.as_object().into_iter().flat_map(|packages| packages.values());
        for (rule, found) in packages.filter_map(Value::as_object).flatten() {
            for item in items(found) {
                let places = crate::places::in_text(&text_at(item, "posn").unwrap_or_default());
                let message = text_at(item, "message").unwrap_or_default();
                sink.finding(Diagnostic::error(message).rule(Some(rule.as_str())).at(places.into_iter().next()));
            }
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        sink.tool("go-vet");
        Ok(())
    }
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
                // bandit and semgrep list files that they could not read.
                for error in items(document.get("errors").unwrap_or(&Value::Null)) {
                    let text = text_at(error, "reason|message").unwrap_or_else(|| error.to_string());
                    let place = text_at(error, "filename|path").and_then(|path| Location::new(path, None, None));
                    sink.finding(Diagnostic::error(text).at(place));
                }
            }
            Shape::Files(member) => {
                for file in items(&document) {
                    let path = text_at(file, linter.path);
                    let found = items(file.get(member).unwrap_or(&Value::Null));
                    found.for_each(|item| linter.report(item, path.as_deref(), sink));
                    for error in items(file.get("parseErrors").unwrap_or(&Value::Null)) {
                        linter.report(error, path.as_deref(), sink);
                    }
                }
            }
            Shape::Lines => linter.report(&document, None, sink),
        }
        Ok(())
    }
}

impl Linter {
    fn report(&self, item: &Value, path: Option<&str>, sink: &mut dyn Sink) {
        let Some(level) = self.level(item) else { return };
        let message = text_at(item, self.message).unwrap_or_else(|| "no message".to_owned());
        let path = path.map(str::to_owned).or_else(|| text_at(item, self.path)).unwrap_or_default();
        let number = |names: &str, origin: i64| at(item, names).and_then(Value::as_i64).map(|number| number + origin);
        let place = Location::new(path, number(self.line, self.origin.0), number(self.column, self.origin.1));
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
            "note" | "info" | "information" | "hint" | "style" | "convention" | "refactor" | "low" => Level::Notice,
            _ => Level::Error,
        })
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The first of several paths of members that leads to a value.
fn at<'a>(value: &'a Value, paths: &str) -> Option<&'a Value> {
    paths.split('|').find_map(|path| {
        path.split('.').try_fold(value, |value, name| value.get(name)).filter(|value| !value.is_null())
    })
}

fn text_at(value: &Value, paths: &str) -> Option<String> {
    at(value, paths).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests;

//! Linters that write an array: of findings, or of files.

use super::linter::{Linter, ROW, Shape};

pub(super) const LISTS: &[Linter] = &[
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
        name: "htmlhint",
        sniff: &["file", "messages"],
        shape: Shape::Files("messages"),
        path: "file",
        column: "col",
        rule: "rule.id",
        level: "type",
        ..ROW
    },
    Linter {
        name: "sqlfluff",
        sniff: &["filepath", "violations"],
        shape: Shape::Files("violations"),
        path: "filepath",
        line: "start_line_no|line_no",
        column: "start_line_pos|line_pos",
        rule: "code",
        message: "description",
        level: "warning",
        ..ROW
    },
    Linter {
        name: "ktlint",
        sniff: &["file", "errors"],
        shape: Shape::Files("errors"),
        path: "file",
        rule: "rule",
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
        name: "cfn-lint",
        sniff: &["Filename", "Level", "Location", "Rule"],
        path: "Filename",
        line: "Location.Start.LineNumber",
        column: "Location.Start.ColumnNumber",
        rule: "Rule.Id",
        message: "Message",
        level: "Level",
        ..ROW
    },
    Linter {
        name: "zizmor",
        sniff: &["ident", "desc", "determinations", "locations"],
        path: "locations.0.symbolic.key.Local.verbatim_path|locations.0.symbolic.key.Local.given_path",
        line: "locations.0.concrete.location.start_point.row",
        column: "locations.0.concrete.location.start_point.column",
        origin: (1, 1),
        rule: "ident",
        message: "desc",
        level: "determinations.severity",
        ..ROW
    },
    Linter {
        name: "markdownlint",
        sniff: &["fileName", "lineNumber", "ruleNames"],
        path: "fileName",
        line: "lineNumber",
        column: "errorRange.0",
        rule: "ruleNames.0",
        message: "ruleDescription",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "solhint",
        sniff: &["filePath", "line", "column", "severity", "ruleId"],
        path: "filePath",
        rule: "ruleId",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "hlint",
        sniff: &["file", "hint", "severity", "startLine"],
        path: "file",
        line: "startLine",
        column: "startColumn",
        message: "hint",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "hadolint",
        sniff: &["file", "code", "level", "line", "message"],
        path: "file",
        rule: "code",
        level: "level",
        ..ROW
    },
    Linter {
        name: "swiftlint",
        sniff: &["file", "line", "reason", "rule_id"],
        path: "file",
        column: "character",
        rule: "rule_id",
        message: "reason",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "tslint",
        sniff: &["name", "ruleName", "failure", "startPosition"],
        path: "name",
        line: "startPosition.line",
        column: "startPosition.character",
        origin: (1, 1),
        rule: "ruleName",
        message: "failure",
        level: "ruleSeverity",
        ..ROW
    },
    Linter {
        name: "annotations",
        sniff: &["file", "start_line", "annotation_level", "message"],
        path: "file",
        line: "start_line",
        column: "start_column",
        level: "annotation_level",
        ..ROW
    },
    Linter {
        name: "flake8",
        sniff: &["code", "filename", "line_number", "text"],
        shape: Shape::ByPath,
        line: "line_number",
        column: "column_number",
        rule: "code",
        message: "text",
        ..ROW
    },
    Linter {
        name: "vale",
        sniff: &["Check", "Message", "Severity", "Line"],
        shape: Shape::ByPath,
        line: "Line",
        column: "Span.0",
        rule: "Check",
        message: "Message",
        level: "Severity",
        ..ROW
    },
];

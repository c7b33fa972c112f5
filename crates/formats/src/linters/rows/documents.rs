//! Linters that write an object around their findings, or one object per finding.

use super::linter::{Linter, ROW, Shape};

pub(super) const DOCUMENTS: &[Linter] = &[
    Linter {
        name: "eslint",
        sniff: &["results", "metadata"],
        holds: "\"rulesMeta\"",
        shape: Shape::Nested("results", "messages"),
        path: "filePath",
        rule: "ruleId",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "rubocop",
        sniff: &["files", "summary"],
        holds: "\"offense_count\"",
        shape: Shape::Nested("files", "offenses"),
        path: "path",
        line: "location.line|location.start_line",
        column: "location.column|location.start_column",
        rule: "cop_name",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "phpstan",
        sniff: &["totals", "files", "errors"],
        shape: Shape::Nested("files", "messages"),
        rule: "identifier",
        ..ROW
    },
    Linter {
        name: "phpcs",
        sniff: &["totals", "files"],
        holds: "\"messages\"",
        shape: Shape::Nested("files", "messages"),
        rule: "source",
        level: "type",
        ..ROW
    },
    Linter {
        name: "gosec",
        sniff: &["Issues", "Stats"],
        shape: Shape::Member("Issues"),
        path: "file",
        rule: "rule_id",
        message: "details",
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
        sniff: &["comments"],
        shape: Shape::Member("comments"),
        path: "file",
        rule: "code",
        level: "level",
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
        ..ROW
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
        name: "pylint",
        sniff: &["messages", "statistics"],
        shape: Shape::Member("messages"),
        path: "path",
        origin: (0, 1),
        rule: "messageId",
        level: "type",
        ..ROW
    },
    Linter {
        name: "pyrefly",
        sniff: &["errors"],
        shape: Shape::Member("errors"),
        holds: "\"stop_line\"",
        path: "path",
        rule: "name",
        message: "description",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "oxlint",
        sniff: &["diagnostics", "number_of_files"],
        shape: Shape::Member("diagnostics"),
        path: "filename",
        line: "labels.0.span.line",
        column: "labels.0.span.column",
        rule: "code",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "dart",
        sniff: &["version", "diagnostics"],
        shape: Shape::Member("diagnostics"),
        holds: "\"problemMessage\"",
        path: "location.file",
        line: "location.range.start.line",
        column: "location.range.start.column",
        rule: "code",
        message: "problemMessage",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "deno",
        sniff: &["version", "diagnostics", "errors"],
        shape: Shape::Member("diagnostics"),
        path: "filename",
        line: "range.start.line",
        column: "range.start.col",
        origin: (0, 1),
        rule: "code",
        ..ROW
    },
    Linter {
        name: "redocly",
        sniff: &["totals", "problems"],
        shape: Shape::Member("problems"),
        path: "location.0.source.ref",
        line: "location.0.start.line",
        column: "location.0.start.col",
        rule: "ruleId",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "tflint",
        sniff: &["issues", "errors"],
        shape: Shape::Member("issues"),
        path: "range.filename",
        line: "range.start.line",
        column: "range.start.column",
        rule: "rule.name",
        level: "rule.severity",
        ..ROW
    },
    Linter {
        name: "sonar",
        sniff: &["issues"],
        shape: Shape::Member("issues"),
        holds: "\"primaryLocation\"",
        path: "primaryLocation.filePath",
        line: "primaryLocation.textRange.startLine",
        rule: "ruleId",
        message: "primaryLocation.message",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "credo",
        sniff: &["issues"],
        shape: Shape::Member("issues"),
        holds: "\"line_no\"",
        path: "filename",
        line: "line_no",
        rule: "check",
        ..ROW
    },
    Linter {
        name: "brakeman",
        sniff: &["scan_info", "warnings"],
        shape: Shape::Member("warnings"),
        path: "file",
        rule: "check_name",
        ..ROW
    },
    Linter {
        name: "gitlab-sast",
        sniff: &["version", "vulnerabilities", "scan"],
        shape: Shape::Member("vulnerabilities"),
        path: "location.file",
        line: "location.start_line",
        rule: "name",
        message: "message|description|name",
        level: "severity",
        ..ROW
    },
    Linter {
        name: "code-quality",
        sniff: &["type", "check_name", "description", "location"],
        shape: Shape::Lines,
        path: "location.path",
        line: "location.positions.begin.line|location.lines.begin",
        column: "location.positions.begin.column",
        rule: "check_name",
        message: "description",
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

//! The one table of formats, in the order in which they are tried.

use report::Nature;

use crate::reader::Reader;
use crate::source::Json;
use crate::{
    checkstyle, ctrf, dbt, go, javascript, junit, linters, otlp, pulumi, rust, sarif, tap, terraform, text, trx,
};

/// One format: how it is recognised and who reads it.
#[derive(Debug)]
pub struct Format {
    /// A stable word: the `from` of evidence, the name of a check whose tool is unknown.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Programs that write it, with the option that makes them.
    pub producers: &'static str,
    /// What it is about.
    pub nature: Nature,
    /// How it is recognised.
    pub sniff: Sniff,
    /// Texts that only this format has near its beginning: a document with one that cannot be parsed is damaged, not noise.
    pub marks: &'static [&'static str],
    /// Makes a reader for one report.
    pub open: fn() -> Box<dyn Reader>,
}

/// How a format is recognised, by content alone.
#[derive(Clone, Copy, Debug)]
pub enum Sniff {
    /// An XML document with one of these root elements.
    Xml(&'static [&'static str]),
    /// One JSON document.
    Json(fn(&Json<'_>) -> bool),
    /// Many JSON values, one per line.
    JsonLines(fn(&Json<'_>) -> bool),
    /// Text, from the first line for which this holds.
    Lines(fn(&str) -> bool),
}

/// Every format, in the order in which they are tried. The last row is the text of compilers and linters, which is what remains.
pub static FORMATS: &[Format] = &[
    Format {
        name: "junit",
        title: "JUnit XML",
        producers: "pytest --junitxml, jest-junit, vitest, gotestsum, Surefire, GoogleTest and most test runners",
        nature: Nature::Tests,
        sniff: Sniff::Xml(&["testsuites", "testsuite"]),
        marks: &[],
        open: || Box::new(junit::Junit::default()),
    },
    Format {
        name: "checkstyle",
        title: "Checkstyle XML",
        producers: "Checkstyle, eslint -f checkstyle, shellcheck -f checkstyle, golangci-lint, ktlint, phpcs",
        nature: Nature::Linter,
        sniff: Sniff::Xml(&["checkstyle"]),
        marks: &[],
        open: || Box::new(checkstyle::Checkstyle::default()),
    },
    Format {
        name: "sarif",
        title: "SARIF",
        producers: "ruff, eslint, semgrep, zizmor, golangci-lint, CodeQL, checkov, trivy",
        nature: Nature::Linter,
        sniff: Sniff::Json(sarif::is_one),
        marks: &["\"runs\""],
        open: || Box::new(sarif::Sarif),
    },
    Format {
        name: "trx",
        title: "TRX",
        producers: "dotnet test --logger trx",
        nature: Nature::Tests,
        sniff: Sniff::Xml(&["TestRun"]),
        marks: &[],
        open: || Box::new(trx::Trx::default()),
    },
    Format {
        name: "tap",
        title: "TAP",
        producers: "bats, prove, tape, node --test --test-reporter=tap, vitest --reporter=tap",
        nature: Nature::Tests,
        sniff: Sniff::Lines(tap::begins),
        marks: &[],
        open: || Box::new(tap::Tap::default()),
    },
    Format {
        name: "jest",
        title: "JSON of jest and vitest",
        producers: "jest --json --outputFile, vitest --reporter=json",
        nature: Nature::Tests,
        sniff: Sniff::Json(javascript::is_jest),
        marks: &["\"testResults\"", "\"numTotalTests\""],
        open: || Box::new(javascript::Jest),
    },
    Format {
        name: "mocha",
        title: "JSON of mocha",
        producers: "mocha --reporter json",
        nature: Nature::Tests,
        sniff: Sniff::Json(javascript::is_mocha),
        marks: &[],
        open: || Box::new(javascript::Mocha),
    },
    Format {
        name: "playwright",
        title: "JSON of Playwright",
        producers: "playwright test --reporter=json",
        nature: Nature::Tests,
        sniff: Sniff::Json(javascript::is_playwright),
        marks: &["\"suites\""],
        open: || Box::new(javascript::Playwright),
    },
    Format {
        name: "ctrf",
        title: "CTRF",
        producers: "ctrf reporters of jest, pytest, mocha, Playwright and others",
        nature: Nature::Tests,
        sniff: Sniff::Json(ctrf::is_one),
        marks: &["\"reportFormat\""],
        open: || Box::new(ctrf::Ctrf),
    },
    Format {
        name: "go-test",
        title: "go test -json",
        producers: "go test -json, gotestsum --jsonfile",
        nature: Nature::Tests,
        sniff: Sniff::JsonLines(go::is_one),
        marks: &["\"Action\""],
        open: || Box::new(go::GoTest::default()),
    },
    Format {
        name: "libtest",
        title: "JSON of libtest",
        producers: "cargo test -- -Z unstable-options --format json, cargo nextest",
        nature: Nature::Tests,
        sniff: Sniff::JsonLines(rust::is_libtest),
        marks: &[],
        open: || Box::new(rust::Libtest::default()),
    },
    Format {
        name: "cargo",
        title: "cargo --message-format json",
        producers: "cargo check, clippy and build --message-format json",
        nature: Nature::Linter,
        sniff: Sniff::JsonLines(rust::is_cargo),
        marks: &["\"compiler-message\""],
        open: || Box::new(rust::Cargo::default()),
    },
    Format {
        name: "terraform-validate",
        title: "terraform validate -json",
        producers: "terraform validate -json, tofu validate -json",
        nature: Nature::Linter,
        sniff: Sniff::Json(terraform::is_validate),
        marks: &["\"error_count\""],
        open: || Box::new(terraform::Validate),
    },
    Format {
        name: "terraform-plan",
        title: "terraform show -json",
        producers: "terraform show -json PLAN, tofu show -json PLAN",
        nature: Nature::Changes,
        sniff: Sniff::Json(terraform::is_plan),
        marks: &["\"resource_changes\""],
        open: || Box::new(terraform::Plan),
    },
    Format {
        name: "terraform",
        title: "lines of terraform",
        producers: "terraform plan -json, apply -json and test -json",
        nature: Nature::Outcome,
        sniff: Sniff::JsonLines(terraform::is_line),
        marks: &["\"@level\""],
        open: || Box::new(terraform::Lines::default()),
    },
    Format {
        name: "pulumi",
        title: "pulumi preview --json",
        producers: "pulumi preview --json",
        nature: Nature::Changes,
        sniff: Sniff::Json(pulumi::is_one),
        marks: &["\"changeSummary\"", "\"urn:pulumi:"],
        open: || Box::new(pulumi::Pulumi),
    },
    Format {
        name: "otlp",
        title: "OpenTelemetry spans in JSON",
        producers: "dagger check with OTEL_EXPORTER_OTLP_ENDPOINT and a file exporter",
        nature: Nature::Tests,
        sniff: Sniff::JsonLines(otlp::is_one),
        marks: &["\"resourceSpans\""],
        open: || Box::new(otlp::Otlp),
    },
    Format {
        name: "dbt-results",
        title: "dbt's run_results.json",
        producers: "dbt build, run, test: target/run_results.json",
        nature: Nature::Tests,
        sniff: Sniff::Json(dbt::is_results),
        marks: &["\"dbt_schema_version\""],
        open: || Box::new(dbt::Results),
    },
    Format {
        name: "dbt-log",
        title: "log of dbt",
        producers: "dbt --log-format json",
        nature: Nature::Outcome,
        sniff: Sniff::JsonLines(dbt::is_log),
        marks: &[],
        open: || Box::new(dbt::Log::default()),
    },
    Format {
        name: "linter",
        title: "JSON of linters",
        producers: "ruff, eslint, pyright, golangci-lint, shellcheck, pylint, stylelint, bandit, semgrep, Spectral, GitLab code quality, rdjson",
        nature: Nature::Linter,
        sniff: Sniff::Json(linters::is_document),
        marks: &["\"generalDiagnostics\"", "\"filePath\""],
        open: || Box::new(linters::Findings),
    },
    Format {
        name: "go-vet",
        title: "go vet -json",
        producers: "go vet -json",
        nature: Nature::Linter,
        sniff: Sniff::JsonLines(linters::is_vet),
        marks: &[],
        open: || Box::new(linters::Vet),
    },
    Format {
        name: "linter-lines",
        title: "JSON lines of linters",
        producers: "mypy -O json, staticcheck -f json, ruff --output-format json-lines",
        nature: Nature::Linter,
        sniff: Sniff::JsonLines(linters::is_line),
        marks: &[],
        open: || Box::new(linters::Findings),
    },
    Format {
        name: "text",
        title: "text of compilers and linters",
        producers: "tsc, gcc, clang, rustc, python, ruff, flake8, mypy, pylint, yamllint, shellcheck -f gcc, …",
        nature: Nature::Linter,
        sniff: Sniff::Lines(|_| false),
        marks: &[],
        open: || Box::new(text::Text::default()),
    },
];

/// The names of the formats, for a message that lists what was tried.
#[must_use]
pub fn tried() -> String {
    FORMATS.iter().map(|format| format.title).collect::<Vec<_>>().join(", ")
}

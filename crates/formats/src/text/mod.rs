//! Reads the text of compilers, type checkers and linters: a table of shapes, each of them a way to write a place and what is
//! wrong there.
//!
//! Text has no structure that could be damaged, so a line that fits no shape is prose. A shape that takes a line away from a
//! later one comes before it in [`SHAPES`].

mod layout;
mod level;
mod lines;
mod trace;

use report::Nature;

use crate::{Claim, Diagnostic, Item, Outcome, Reader, Sink, Test, Unreadable};

/// One way to write a finding on one line.
struct Shape {
    /// The program, if only one writes so.
    tool: Option<&'static str>,
    read: fn(&str) -> Option<Diagnostic>,
}

/// The shapes of one line, in the order in which they are tried.
const SHAPES: [Shape; 17] = [
    // src/index.ts(45,9): error TS2322: …
    Shape { tool: None, read: lines::in_brackets },
    // /path/x.js: line 2, col 10, Error - … (no-unused-vars)
    Shape { tool: None, read: lines::eslint_compact },
    // [protolint.proto:1:1] …
    Shape { tool: None, read: lines::leading_brackets },
    // src/index.ts:2:9 - error TS2322: …, path:5:16: error: …  [code], path:1:8: F401 …, path:7: [E201] …
    Shape { tool: None, read: lines::colons },
    // bad.md:3 error MD001/heading-increment …
    Shape { tool: Some("markdownlint"), read: lines::markdownlint },
    // sh/broken.sh: line 4: …
    Shape { tool: None, read: lines::bash },
    // sh/broken.sh: 4: Syntax error: …
    Shape { tool: None, read: lines::dash },
    // PHP Parse error: … in a.php on line 2
    Shape { tool: Some("php"), read: lines::php },
    // link.c:(.text+0x5): undefined reference to `f'
    Shape { tool: None, read: lines::linker },
    // warning: path: … [-Wunused-command-line-argument]
    Shape { tool: None, read: lines::driver },
    // src/types.py: error: …
    Shape { tool: None, read: lines::whole_file },
    // ::error file=a.py,line=1,col=5::…
    Shape { tool: None, read: lines::workflow_command },
    // ##vso[task.logissue type=error;sourcepath=a.py;linenumber=1;]…
    Shape { tool: None, read: lines::azure },
    // [error] src/A.scala:3:5: …
    Shape { tool: None, read: lines::leveled },
    // error • … • lib/a.dart:3:5 • rule
    Shape { tool: Some("dart"), read: lines::dart },
    // Would reformat: a.py
    Shape { tool: None, read: lines::unformatted },
    // error TS18003: …
    Shape { tool: Some("tsc"), read: lines::tsc_without_place },
];

/// What programs print when nothing is wrong, and the program.
const CLEAN: [(&str, &str); 9] = [
    ("Success: no issues found in", "mypy"),
    ("All checks passed!", "ruff"),
    ("Your code has been rated at 10", "pylint"),
    ("0 errors, 0 warnings", "pyright"),
    ("No errors detected in", "php"),
    ("No syntax errors detected in", "php"),
    ("0 issues.", "golangci-lint"),
    ("Syntax OK", "ruby"),
    ("No problems found", "linter"),
];

/// Lines that only the text of a test runner has, its name, and the report to ask it for. Such text has no form that could be
/// relied on, and to read the places in it alone would give the wrong counts.
const RUNNERS: [(&str, &str, &str); 14] = [
    ("=== test session starts ===", "pytest", "--junitxml=report.xml"),
    ("[==========] Running ", "GoogleTest", "--gtest_output=xml:report.xml"),
    ("Test project /", "ctest", "--output-junit report.xml"),
    (" Test Files  ", "vitest", "--reporter=junit --outputFile=report.xml"),
    ("Test Suites: ", "jest", "--json --outputFile=report.json"),
    ("test result: ok. ", "cargo test", "cargo nextest with a JUnit path"),
    ("test result: FAILED. ", "cargo test", "cargo nextest with a JUnit path"),
    ("--- FAIL: ", "go test", "-json"),
    ("=== RUN   ", "go test", "-json"),
    ("[INFO] Running ", "Surefire", "target/surefire-reports/*.xml"),
    ("[ERROR] Tests run: ", "Surefire", "target/surefire-reports/*.xml"),
    ("##teamcity[", "a TeamCity reporter", "JUnit XML"),
    ("Ran all test suites", "jest", "--json --outputFile=report.json"),
    ("nox > ", "nox", "the reports of its sessions"),
];

/// The reader of text.
#[derive(Debug, Default)]
pub(crate) struct Text {
    layout: layout::Layout,
    trace: trace::Trace,
    /// The last finding: a note may belong to it.
    last: Option<(String, Option<u64>, String)>,
    tool: Option<&'static str>,
    /// The test runner whose text it is.
    runner: Option<(&'static str, &'static str)>,
    /// The last line of dashes or equals signs, above which unittest prints how many tests ran.
    has_rule: bool,
}

impl Reader for Text {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        if let Item::Line(line) = item {
            self.line(line, sink);
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        self.trace.end(sink);
        if let Some(tool) = self.tool {
            sink.tool(tool);
        }
        match self.runner {
            Some((runner, report)) => {
                Err(Unreadable::new(format!("it is the text of {runner}, which is not read: use {report}")))
            }
            None => Ok(()),
        }
    }
}

impl Text {
    fn line(&mut self, line: &str, sink: &mut dyn Sink) {
        if line.trim().is_empty() {
            self.layout.blank();
            return;
        }
        let is_unittest = self.has_rule && line.starts_with("Ran ") && line.contains(" test");
        self.has_rule = line.starts_with("------");
        let runner =
            RUNNERS.iter().find(|(begin, ..)| line.contains(begin)).map(|(_, runner, report)| (*runner, *report));
        let unittest = is_unittest.then_some(("unittest", "xmlrunner"));
        self.runner = self.runner.or(runner).or(unittest);
        // Go's unit is the package: one that cannot be built is a failed test of it.
        if let Some(package) = line.strip_prefix("FAIL\t").and_then(|rest| rest.strip_suffix(" [build failed]")) {
            let name = format!("{package} [build failed]");
            let failure = Some(Diagnostic::error("the package cannot be built"));
            sink.test(Test { name: &name, outcome: Outcome::Failed, seconds: None, failure });
            return;
        }
        if let Some((_, tool)) = CLEAN.iter().find(|(words, _)| line.trim_start().starts_with(words)) {
            self.tool.get_or_insert(tool);
            sink.claim(Claim::Nature(Nature::Linter));
            return;
        }
        if self.trace.line(line, sink) {
            return;
        }
        if let Some(diagnostic) = self.layout.line(line) {
            self.report(diagnostic, sink);
            return;
        }
        let found = SHAPES.iter().find_map(|shape| Some((shape, (shape.read)(line)?)));
        if let Some((shape, diagnostic)) = found {
            self.layout.forget();
            let is_typescript = diagnostic.rule.as_deref().is_some_and(|rule| rule.starts_with("TS"));
            self.tool = self.tool.or(shape.tool).or(is_typescript.then_some("tsc"));
            self.report(diagnostic, sink);
        }
    }

    fn report(&mut self, diagnostic: Diagnostic, sink: &mut dyn Sink) {
        let place = diagnostic.locations.first();
        let key = place.map(|place| (place.path.clone(), place.line, diagnostic.message.clone()));
        // `php -l` prints its error on both streams.
        if key.is_some() && key == self.last && self.tool == Some("php") {
            return;
        }
        // A note explains the finding before it, unless it is about another file. gcc's notes, which have columns, always do.
        let is_note = diagnostic.rule.as_deref() == Some(lines::NOTE);
        if is_note {
            let is_alone = place.is_some_and(|place| {
                place.column.is_none()
                    && place.line.is_some()
                    && self.last.as_ref().is_none_or(|last| last.0 != place.path)
            });
            if !is_alone {
                return;
            }
        }
        self.last = key;
        let rule = diagnostic.rule.clone().filter(|_| !is_note);
        sink.finding(Diagnostic { rule, ..diagnostic });
    }
}

/// The findings in a text, such as the error that a check prints.
#[must_use]
pub fn diagnostics(text: &str) -> Vec<Diagnostic> {
    struct Collected(Vec<Diagnostic>);
    impl Sink for Collected {
        fn test(&mut self, _: Test<'_>) {}
        fn finding(&mut self, diagnostic: Diagnostic) {
            self.0.push(diagnostic);
        }
        fn change(&mut self, _: crate::Action, _: &str) {}
        fn claim(&mut self, _: Claim) {}
        fn tool(&mut self, _: &str) {}
    }
    let (mut reader, mut found) = (Text::default(), Collected(Vec::new()));
    for line in crate::source::without_escapes(text).lines() {
        reader.line(line, &mut found);
    }
    reader.trace.end(&mut found);
    found.0
}

#[cfg(test)]
mod tests;

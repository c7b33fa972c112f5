//! Reads `JUnit` XML as several dozen programs write it; there is no standard that they keep.
//!
//! Cases decide, totals are claims: a test's outcome comes from the elements of its case, and a total is only held against
//! them. See [`attempts`] for cases of one name, and `Suite::claims` for totals that no case bears out.

mod attempts;
mod case;
mod tool;

use report::Nature;

use crate::{Attributes, Claim, Diagnostic, Item, Reader, Sink, Unreadable};
use attempts::Cases;
use case::Case;

/// A `<testsuite>` or `<testsuites>` that is open.
#[derive(Debug, Default)]
struct Suite {
    name: String,
    /// Its `tests`, `failures` and `errors`.
    tests: Option<u64>,
    failures: u64,
    /// Its own cases.
    cases: Cases,
    /// Cases of it and of the suites in it.
    held: u64,
    /// Suites directly in it.
    suites: u64,
    /// A failure of any kind was found in it or below: claims of failures are borne out.
    has_failure: bool,
    /// The claims of a suite below have been reported already.
    has_claimed: bool,
}

/// The reader of one document.
#[derive(Debug, Default)]
pub(crate) struct Junit {
    suites: Vec<Suite>,
    case: Option<Case>,
    /// An `<error>` or `<failure>` directly in a suite: its message and text.
    stray: Option<(String, String)>,
    tool: tool::Tool,
}

impl Reader for Junit {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        match item {
            Item::Open(name, attributes) => self.open(name, attributes, sink),
            Item::Text(text) => self.text(text),
            Item::Close(name) => self.close(name, sink),
            Item::Json(_) | Item::Line(_) => {}
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        // Open suites are those of a document that was cut off: their cases count, their totals cannot be held against them.
        if let Some(case) = self.case.take() {
            self.add(&case);
        }
        while let Some(suite) = self.suites.pop() {
            suite.cases.report(None, sink);
        }
        self.tool.report(sink);
        Ok(())
    }
}

impl Junit {
    fn open(&mut self, name: &str, attributes: &Attributes<'_>, sink: &mut dyn Sink) {
        match (name, &mut self.case) {
            ("testsuites" | "testsuite", None) => {
                self.tool.suite(attributes);
                self.suites.push(Suite::new(attributes));
            }
            ("testcase" | "test-case", None) => {
                let suite = self.suites.last().map_or("", |suite| suite.name.as_str());
                self.case = Some(Case::new(attributes, suite));
            }
            (child, Some(case)) => case.open(child, attributes),
            ("property", None) => {
                self.tool.property(attributes);
                if let Some(suite) =
                    self.suites.last_mut().filter(|_| attributes.get("name").as_deref() == Some("go.version"))
                {
                    suite.cases.mark_as_go();
                }
            }
            ("error" | "failure", None) => {
                let message = attributes.get("message").or_else(|| attributes.get("type")).unwrap_or_default();
                self.stray = Some((message, String::new()));
            }
            _ => {}
        }
        let _ = sink;
    }

    fn text(&mut self, text: &str) {
        if let Some(case) = &mut self.case {
            case.text(text);
        } else if let Some((_, stray)) = &mut self.stray {
            case::append(stray, text);
        }
    }

    fn close(&mut self, name: &str, sink: &mut dyn Sink) {
        match name {
            "testcase" | "test-case" => {
                if let Some(case) = self.case.take() {
                    self.add(&case);
                }
            }
            "testsuite" | "testsuites" if self.case.is_none() => self.close_suite(sink),
            "error" | "failure" if self.case.is_none() => {
                if let (Some((message, text)), Some(suite)) = (self.stray.take(), self.suites.last_mut()) {
                    suite.has_failure = true;
                    let message = if message.trim().is_empty() { text.trim().to_owned() } else { message };
                    let mut diagnostic = Diagnostic::error(format!("{}: {message}", suite.title())).detail(text);
                    diagnostic.locations =
                        crate::places::in_text(&format!("{}\n{}", diagnostic.message, diagnostic.detail));
                    sink.finding(diagnostic);
                }
            }
            _ => {
                if let Some(case) = &mut self.case {
                    case.close(name);
                }
            }
        }
    }

    fn add(&mut self, case: &Case) {
        // Some writers have cases without a suite.
        if self.suites.is_empty() {
            self.suites.push(Suite::default());
        }
        if let Some(suite) = self.suites.last_mut() {
            suite.held += 1;
            suite.has_failure |= case.has_failure();
            suite.cases.add(case);
        }
    }

    fn close_suite(&mut self, sink: &mut dyn Sink) {
        let Some(mut suite) = self.suites.pop() else { return };
        let is_root = self.suites.is_empty();
        let claimed = suite.tests;
        std::mem::take(&mut suite.cases).report(claimed.map(|tests| suite.held.saturating_sub(tests)), sink);
        suite.claims(sink);
        if suite.held == 0 && suite.suites == 0 && !is_root && !suite.has_claimed && !suite.has_failure {
            sink.claim(Claim::Empty(format!("suite {}", suite.title())));
        }
        if let Some(parent) = self.suites.last_mut() {
            parent.held += suite.held;
            parent.suites += 1;
            parent.has_failure |= suite.has_failure;
            parent.has_claimed |= suite.has_claimed;
        }
        if is_root && self.tool.is_linter() {
            sink.claim(Claim::Nature(Nature::Linter));
        }
    }
}

impl Suite {
    fn new(attributes: &Attributes<'_>) -> Self {
        Self {
            name: attributes.text("name").unwrap_or_default(),
            tests: attributes.count("tests"),
            failures: attributes.count("failures").unwrap_or(0) + attributes.count("errors").unwrap_or(0),
            ..Self::default()
        }
    }

    fn title(&self) -> &str {
        if self.name.is_empty() { "without a name" } else { &self.name }
    }

    /// Holds the totals against what was found. Only a claim of failures that nothing bears out fails; suites repeat the totals
    /// of those inside, so a claim is reported once.
    fn claims(&mut self, sink: &mut dyn Sink) {
        let tests = self.tests.unwrap_or(0);
        if self.held == 0 {
            if tests + self.failures > 0 && !self.has_claimed && !self.has_failure {
                sink.claim(Claim::Totals { tests: tests.max(self.failures), failures: self.failures });
                self.has_claimed = true;
            }
        } else if self.failures > 0 && !self.has_failure {
            let (title, failures) = (self.title(), self.failures);
            sink.finding(Diagnostic::error(format!(
                "suite {title} reports {failures} failed, but none of its tests failed"
            )));
            self.has_failure = true;
        } else if tests > self.held {
            sink.claim(Claim::Remark(format!("suite {} reports {tests} tests and holds {}", self.title(), self.held)));
        }
    }
}

#[cfg(test)]
mod tests;

//! Which program wrote a `JUnit` document: few say so, and then in the name of a suite or in a property.

use crate::{Attributes, Sink};

/// What the suites' names begin with, in lower case, and the program.
const NAMES: [(&str, &str); 22] = [
    ("pytest", "pytest"),
    ("jest tests", "jest"),
    ("vitest", "vitest"),
    ("mocha tests", "mocha"),
    ("mocha", "mocha"),
    ("bun test", "bun"),
    ("nextest-run", "nextest"),
    ("phpunit", "phpunit"),
    ("rspec", "rspec"),
    ("biome", "biome"),
    ("oxlint", "oxlint"),
    ("semgrep", "semgrep"),
    ("checkov", "checkov"),
    ("ruff", "ruff"),
    ("mypy", "mypy"),
    ("org.eslint", "eslint"),
    ("kubeconform", "kubeconform"),
    ("conftest", "conftest"),
    ("cucumber", "cucumber"),
    ("playwright", "playwright"),
    ("node", "node"),
    ("newman", "newman"),
];

/// Programs whose document without a case is a clean run.
const LINTERS: [&str; 4] = ["biome", "oxlint", "semgrep", "checkov"];

/// The program, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Tool {
    name: Option<String>,
}

impl Tool {
    /// Looks at a suite.
    pub(super) fn suite(&mut self, attributes: &Attributes<'_>) {
        if self.name.is_some() {
            return;
        }
        for attribute in ["name", "package", "id"] {
            let value = attributes.get(attribute).unwrap_or_default().to_lowercase();
            let known = NAMES.iter().find(|(begin, _)| {
                value.strip_prefix(begin).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
            });
            if let Some((_, name)) = known {
                self.name = Some((*name).to_owned());
                return;
            }
        }
    }

    /// Looks at a property.
    pub(super) fn property(&mut self, attributes: &Attributes<'_>) {
        if self.name.is_none() && attributes.get("name").as_deref() == Some("go.version") {
            self.name = Some("go-test".to_owned());
        }
        if self.name.is_none() && attributes.get("name").as_deref() == Some("surefire.test.class.path") {
            self.name = Some("surefire".to_owned());
        }
    }

    /// Whether no case means no finding.
    pub(super) fn is_linter(&self) -> bool {
        self.name.as_deref().is_some_and(|name| LINTERS.contains(&name))
    }

    pub(super) fn report(&self, sink: &mut dyn Sink) {
        if let Some(name) = &self.name {
            sink.tool(name);
        }
    }
}

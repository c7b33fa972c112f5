//! Reads Checkstyle XML, which many linters write.

use report::Level;

use crate::{Diagnostic, Item, Location, Reader, Sink, TEXT, Unreadable};

/// The reader of one document.
#[derive(Debug, Default)]
pub(crate) struct Checkstyle {
    file: String,
    sources: Vec<String>,
    /// The text of a check that crashed.
    exception: Option<String>,
}

impl Reader for Checkstyle {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        match item {
            Item::Open("file", attributes) => self.file = attributes.get("name").unwrap_or_default(),
            Item::Open("error", attributes) => {
                let level = match attributes.get("severity").unwrap_or_default().to_ascii_lowercase().as_str() {
                    "warning" => Level::Warning,
                    "info" | "note" | "style" => Level::Notice,
                    "ignore" => return Ok(()),
                    _ => Level::Error,
                };
                let number = |name| attributes.get(name).and_then(|text| text.trim().parse().ok());
                let message = attributes.text("message").unwrap_or_else(|| "no message".to_owned());
                let source = attributes.text("source");
                if let Some(source) = source.clone().filter(|_| self.sources.len() < 2) {
                    self.sources.push(source);
                }
                let location = Location::new(self.file.as_str(), number("line"), number("column"));
                sink.finding(Diagnostic::new(level, message).rule(source).at(location));
            }
            // Checkstyle writes so what it could not check.
            Item::Open("exception", _) => self.exception = Some(String::new()),
            Item::Text(text) => {
                if let Some(exception) = self.exception.as_mut().filter(|exception| exception.len() < TEXT) {
                    exception.push_str(text);
                }
            }
            Item::Close("exception") => {
                if let Some(text) = self.exception.take() {
                    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("an exception");
                    let found = Diagnostic::error(first).at(Location::new(self.file.as_str(), None, None));
                    sink.finding(found.detail(text.trim()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let first = self.sources.first().map_or("", String::as_str);
        for (begin, tool) in [
            ("eslint.", "eslint"),
            ("ShellCheck.", "shellcheck"),
            ("com.puppycrawl", "checkstyle"),
            ("lint/", "biome"),
            ("jshint.", "jshint"),
            ("htmlhint.", "htmlhint"),
        ] {
            if first.starts_with(begin) {
                sink.tool(tool);
            }
        }
        Ok(())
    }
}

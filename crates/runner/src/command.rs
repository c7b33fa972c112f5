//! Workflow commands, escaped as the runner decodes them (`ActionCommand.cs`).
//!
//! Data: `%` first, then CR and LF. Property values also `:` and `,`. Nothing here prints: callers write the lines to stderr,
//! which the runner reads for commands too, so that stdout stays a result.

use std::fmt::Write as _;

/// How loud an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Shown red.
    Error,
    /// Shown yellow.
    Warning,
    /// Shown blue.
    Notice,
}

impl Level {
    /// The command's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// One annotation. The runner cuts the message at 4,096 characters and does not mask the title: no secrets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotation<'a> {
    /// How loud.
    pub level: Level,
    /// The headline.
    pub title: Option<&'a str>,
    /// What is said; may span lines.
    pub message: &'a str,
    /// The file it belongs to, relative to the workspace.
    pub path: Option<&'a str>,
    /// From 1.
    pub line: Option<u64>,
    /// From 1; dropped by the runner without a line.
    pub column: Option<u64>,
}

impl<'a> Annotation<'a> {
    /// An annotation without a place.
    #[must_use]
    pub fn new(level: Level, title: &'a str, message: &'a str) -> Self {
        Self { level, title: Some(title), message, path: None, line: None, column: None }
    }
}

/// The line that registers `value` as a mask; `None` for a blank value, which the runner would warn about.
///
/// The runner masks the whole value and each of its lines.
#[must_use]
pub fn add_mask(value: &str) -> Option<String> {
    (!value.trim().is_empty()).then(|| format!("::add-mask::{}", escape_data(value)))
}

/// The line that makes an annotation.
#[must_use]
pub fn annotation(annotation: &Annotation<'_>) -> String {
    let mut properties = String::new();
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let separator = if properties.is_empty() { ' ' } else { ',' };
            // Writing to a String cannot fail.
            let _ = write!(properties, "{separator}{name}={}", escape_property(value));
        }
    };
    add("file", annotation.path.unwrap_or_default());
    add("line", &annotation.line.map(|line| line.to_string()).unwrap_or_default());
    add("col", &annotation.column.map(|column| column.to_string()).unwrap_or_default());
    add("title", annotation.title.unwrap_or_default());
    // A message may quote foreign text: the old grammar must not be found in it.
    let message = annotation.message.replace("##[", "##\\[");
    format!("::{}{properties}::{}", annotation.level.name(), escape_data(&message))
}

/// The line that opens a foldable group; groups do not nest.
#[must_use]
pub fn group(title: &str) -> String {
    format!("::group::{}", escape_data(title))
}

/// The line that closes the group.
#[must_use]
pub fn end_group() -> &'static str {
    "::endgroup::"
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{Annotation, Level, add_mask, annotation};

    #[test]
    fn a_mask_is_escaped_percent_first() {
        assert_eq!(add_mask("a%0Ab").as_deref(), Some("::add-mask::a%250Ab"));
        assert_eq!(add_mask("p%25w").as_deref(), Some("::add-mask::p%2525w"));
        assert_eq!(add_mask("x\ny").as_deref(), Some("::add-mask::x%0Ay"));
    }

    #[test]
    fn a_blank_mask_is_not_sent() {
        assert_eq!(add_mask(" \n"), None);
    }

    #[test]
    fn properties_escape_what_separates_them() {
        let line = annotation(&Annotation {
            path: Some("src/a,b.rs"),
            line: Some(45),
            column: Some(9),
            ..Annotation::new(Level::Error, "ssh-deploy: no", "two\nlines")
        });
        assert_eq!(line, "::error file=src/a%2Cb.rs,line=45,col=9,title=ssh-deploy%3A no::two%0Alines");
    }
}

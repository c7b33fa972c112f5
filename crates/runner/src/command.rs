//! Workflow commands, escaped as the runner decodes them (`ActionCommand.cs`).
//!
//! Data: `%` first, then CR and LF. Property values also `:` and `,`. Nothing here prints: callers write the lines to stderr,
//! which the runner reads for commands too, so that stdout stays a result.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// How much a finding or an annotation matters. Ordered from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing; shown blue.
    Notice,
    /// Worth fixing; shown yellow.
    Warning,
    /// Makes its check fail; shown red.
    Error,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How much it matters.
    pub level: Level,
    /// The headline.
    pub title: String,
    /// The text; may span lines.
    pub message: String,
    /// The file it belongs to, relative to the workspace.
    pub path: Option<String>,
    /// From 1.
    pub line: Option<u64>,
    /// From 1; dropped by the runner without a line.
    pub column: Option<u64>,
}

impl Annotation {
    /// An annotation of no file.
    pub fn new(level: Level, title: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level, title: title.into(), message: message.into(), path: None, line: None, column: None }
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
pub fn annotation(annotation: &Annotation) -> String {
    let mut properties = String::new();
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let separator = if properties.is_empty() { ' ' } else { ',' };
            // Writing to a String cannot fail.
            let _ = write!(properties, "{separator}{name}={}", escape_property(value));
        }
    };
    add("file", annotation.path.as_deref().unwrap_or_default());
    add("line", &annotation.line.map(|line| line.to_string()).unwrap_or_default());
    add("col", &annotation.column.map(|column| column.to_string()).unwrap_or_default());
    add("title", &annotation.title);
    // A message may quote foreign text: the old grammar must not be found in it.
    let message = annotation.message.replace("##[", "##\\[");
    format!("::{}{properties}::{}", annotation.level.name(), escape_data(&message))
}

/// The line after which the log is folded under `title`, until [`END_GROUP`].
#[must_use]
pub fn group(title: &str) -> String {
    format!("::group::{}", escape_data(&title.replace("##[", "##\\[")))
}

/// The line that ends a group.
pub const END_GROUP: &str = "::endgroup::";

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
    fn a_title_of_a_group_is_one_line() {
        assert_eq!(super::group("a\n::error::b ##[x]"), "::group::a%0A::error::b ##\\[x]");
    }

    #[test]
    fn a_blank_mask_is_not_sent() {
        assert_eq!(add_mask(" \n"), None);
    }

    #[test]
    fn properties_escape_what_separates_them() {
        let line = annotation(&Annotation {
            path: Some("src/a,b.rs".to_owned()),
            line: Some(45),
            column: Some(9),
            ..Annotation::new(Level::Error, "ssh-deploy: no", "two\nlines")
        });
        assert_eq!(line, "::error file=src/a%2Cb.rs,line=45,col=9,title=ssh-deploy%3A no::two%0Alines");
    }
}

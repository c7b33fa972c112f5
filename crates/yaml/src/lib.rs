//! Reads untrusted YAML in bounded depth and memory.
//!
//! The loader is recursive and copies what an alias refers to, so a few bytes can overflow the stack or exhaust the memory.
//! Therefore the parser's events, which are cheap, are counted first, and a document over the limits is refused.

use std::collections::HashMap;
use std::fmt;

use saphyr::YamlLoader;
pub use saphyr::{ScalarStyle, Yaml};
use saphyr_parser::{Event, Parser, ScanError};

/// The deepest nesting.
const DEPTH: usize = 64;

/// The most nodes, counting what aliases refer to.
const NODES: usize = 1_000_000;

/// Why a text cannot be read. Nothing of the text is quoted, which may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YamlError {
    /// It is not YAML from here on, both counted from 1.
    Syntax {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// It is nested too deeply, or its aliases expand to too much.
    TooLarge,
}

impl fmt::Display for YamlError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column } => write!(out, "not YAML at line {line} column {column}"),
            Self::TooLarge => write!(out, "nested deeper than {DEPTH} levels, or its aliases expand to too much"),
        }
    }
}

impl std::error::Error for YamlError {}

impl From<ScanError> for YamlError {
    fn from(error: ScanError) -> Self {
        Self::Syntax { line: error.marker().line(), column: error.marker().col() + 1 }
    }
}

/// The documents in `text`, their plain scalars resolved (`1` is a number, `true` a boolean).
///
/// # Errors
/// See [`YamlError`].
pub fn documents(text: &str) -> Result<Vec<Yaml<'_>>, YamlError> {
    load(text, YamlLoader::default())
}

/// The documents in `text`, every scalar as it is written: `1.10` is a version as often as a number.
///
/// # Errors
/// See [`YamlError`].
pub fn as_written(text: &str) -> Result<Vec<Yaml<'_>>, YamlError> {
    let mut loader = YamlLoader::default();
    loader.early_parse(false);
    load(text, loader)
}

fn load<'a>(text: &'a str, mut loader: YamlLoader<'a, Yaml<'a>>) -> Result<Vec<Yaml<'a>>, YamlError> {
    check(text)?;
    Parser::new_from_str(text).load(&mut loader, true)?;
    Ok(loader.into_documents())
}

/// Checks that `text` is within the limits.
fn check(text: &str) -> Result<(), YamlError> {
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    // Each open node: its anchor, and how many nodes came before it.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut nodes = 0_usize;
    for event in Parser::new_from_str(text) {
        let size = match event?.0 {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push((anchor, nodes));
                1
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (anchor, before) = open.pop().unwrap_or_default();
                sizes.insert(anchor, nodes - before);
                0
            }
            Event::Alias(anchor) => sizes.get(&anchor).copied().unwrap_or(1),
            Event::Scalar(..) => 1,
            _ => 0,
        };
        nodes = nodes.saturating_add(size);
        if open.len() > DEPTH || nodes > NODES {
            return Err(YamlError::TooLarge);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{ScalarStyle, Yaml, YamlError, as_written, documents};

    #[test]
    fn scalars_are_resolved_or_left_as_they_are_written() {
        let resolved = documents("a: 1.10\n").unwrap();
        assert!(resolved[0].as_mapping_get("a").unwrap().as_floating_point().is_some());
        let written = as_written("a: 1.10\n").unwrap();
        let (_, value) = written[0].as_mapping().unwrap().front().unwrap();
        assert!(matches!(value, Yaml::Representation(text, ScalarStyle::Plain, _) if text == "1.10"));
    }

    #[test]
    fn endless_nesting_is_refused_and_does_not_exhaust_the_stack() {
        for text in ["[".repeat(200_000), "{a: ".repeat(200_000), "- ".repeat(200_000)] {
            assert!(documents(&text).is_err());
            assert!(as_written(&text).is_err());
        }
        let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(documents(&nested(100)), Err(YamlError::TooLarge));
        assert!(documents(&nested(60)).is_ok());
    }

    #[test]
    fn aliases_of_aliases_are_counted_and_not_copied() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let inner = vec![format!("*a{}", level - 1); 9].join(", ");
            writeln!(text, "a{level}: &a{level} [{inner}]").unwrap();
        }
        assert_eq!(documents(&text), Err(YamlError::TooLarge));
        assert!(documents("a: &a {b: 1}\nc: *a\n").is_ok());
    }

    #[test]
    fn an_error_has_line_and_column_and_quotes_nothing() {
        assert_eq!(documents("a: b\nc: [hunter2").unwrap_err().to_string(), "not YAML at line 3 column 1");
    }
}

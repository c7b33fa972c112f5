//! The text of a plan, and faults that name a place in it.

use fault::{Fault, Result};

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// A plan file: its name for messages, and its text.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: String,
}

/// The longest line that a fault quotes.
const QUOTED: usize = 120;

impl Source {
    /// The text of the file `name`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The file's name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The place of a byte.
    #[must_use]
    pub fn spot(&self, byte: usize) -> Spot {
        let before = &self.text[..self.text.floor_char_boundary(byte)];
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        Spot { line: before.matches('\n').count() + 1, column: before[begin..].chars().count() + 1 }
    }

    /// A fault of the plan at `spot`; the line is its evidence.
    #[must_use]
    pub fn fault(&self, spot: Spot, message: &str) -> Fault {
        let fault = Fault::usage(format!("`{}`, line {}, column {}: {message}", self.name, spot.line, spot.column));
        let line = self.text.lines().nth(spot.line.saturating_sub(1)).unwrap_or_default().trim();
        let quoted: String = line.chars().take(QUOTED).collect();
        if quoted.is_empty() { fault } else { fault.cause(format!("{} | {quoted}", spot.line)) }
    }

    /// Returns `value`, or the fault that `message` is at `spot`.
    ///
    /// # Errors
    /// `value` is an error.
    pub fn at<T>(&self, spot: Spot, value: Result<T, String>) -> Result<T> {
        value.map_err(|message| self.fault(spot, &message))
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, Spot};

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let source = Source::new("p", "a\nöäx = 1\n");
        let byte = source.text().find('x').unwrap();
        assert_eq!(source.spot(byte), Spot { line: 2, column: 3 });
        assert_eq!(source.spot(1000), Spot { line: 3, column: 1 });
    }

    #[test]
    fn a_fault_names_the_file_and_the_place_and_quotes_the_line() {
        let source = Source::new("preflight.toml", "title = 1\n");
        let fault = source.fault(Spot { line: 1, column: 9 }, "`title` is a text");
        assert_eq!(fault.message, "`preflight.toml`, line 1, column 9: `title` is a text");
        assert_eq!(fault.causes, ["1 | title = 1"]);
    }
}

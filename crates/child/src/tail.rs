//! The last lines of a program's output, for reports.

use std::collections::VecDeque;

use runner::foreign::Lines;

/// Keeps the last lines of what is pushed. The lines are another program's: neutralise them before they are shown.
#[derive(Debug)]
pub struct Tail {
    lines: Lines,
    last: VecDeque<Vec<u8>>,
    most: usize,
}

impl Tail {
    /// Keeps up to `most` lines.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { lines: Lines::new(), last: VecDeque::new(), most }
    }

    /// Takes the next bytes; returns the lines that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let complete = self.lines.push(bytes);
        self.last.extend(complete.iter().cloned());
        let surplus = self.last.len().saturating_sub(self.most);
        self.last.drain(..surplus);
        complete
    }

    /// The lines kept so far, and what follows the last line end, if anything.
    #[must_use]
    pub fn lines(&self) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = self.last.iter().cloned().collect();
        all.extend(self.lines.partial());
        let surplus = all.len().saturating_sub(self.most);
        all.split_off(surplus)
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn the_last_lines_and_an_open_one_are_kept() {
        let mut tail = Tail::new(2);
        assert_eq!(tail.push(b"a\nb\nc\nd"), [b"a", b"b", b"c"]);
        assert_eq!(tail.lines(), [b"c", b"d"]);
        assert_eq!(Tail::new(2).lines(), Vec::<Vec<u8>>::new());
    }
}

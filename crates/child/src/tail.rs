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

    /// Takes the next bytes. Unlike [`Tail::push`] it looks only at the lines that will be kept: for programs that print very much.
    pub fn keep(&mut self, bytes: &[u8]) {
        let mut from = bytes.len();
        for _ in 0..=self.most {
            let Some(at) = bytes[..from].iter().rposition(|byte| *byte == b'\n') else {
                self.push(bytes);
                return;
            };
            from = at;
        }
        // More lines than are kept: what came before them does not matter.
        *self = Self::new(self.most);
        self.push(&bytes[from + 1..]);
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
    use proptest::prelude::*;

    use super::Tail;

    proptest! {
        #[test]
        fn both_ways_to_take_bytes_keep_the_same_lines(
            chunks in prop::collection::vec("[ab\n]{0,12}", 0..6), most in 1usize..4
        ) {
            let (mut pushed, mut kept) = (Tail::new(most), Tail::new(most));
            for chunk in &chunks {
                pushed.push(chunk.as_bytes());
                kept.keep(chunk.as_bytes());
            }
            prop_assert_eq!(pushed.lines(), kept.lines());
        }
    }

    #[test]
    fn the_last_lines_and_an_open_one_are_kept() {
        let mut tail = Tail::new(2);
        assert_eq!(tail.push(b"a\nb\nc\nd"), [b"a", b"b", b"c"]);
        assert_eq!(tail.lines(), [b"c", b"d"]);
        assert_eq!(Tail::new(2).lines(), Vec::<Vec<u8>>::new());
    }
}

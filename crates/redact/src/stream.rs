//! Replaces what a plan hides in a stream of bytes, however it is cut into chunks.
//!
//! No form holds a line end, so a line that has ended is shown at once. Of an unfinished line, what could still become a secret is
//! held back. [`Redactor::release`] shows the rest of it when the stream pauses, for example at a prompt.

use std::sync::Arc;

use crate::engine::Span;
use crate::patterns::Patterns;

/// Replaces a secret.
const HIDDEN: &[u8] = b"***";

/// A filter for one stream.
#[derive(Clone, Debug)]
pub struct Redactor {
    patterns: Arc<Patterns>,
    /// What may be a part of a secret that is not complete yet. Its beginning may be shown already.
    text: Vec<u8>,
    /// How much of `text` is shown already.
    released: usize,
    /// How much of `text` is known to be secret from a run that began before it.
    hidden: usize,
    /// Whether the last byte that is shown was hidden: the next hidden one needs no mark.
    marked: bool,
}

impl Redactor {
    pub(crate) fn new(patterns: Arc<Patterns>) -> Self {
        Self { patterns, text: Vec::new(), released: 0, hidden: 0, marked: false }
    }

    /// Takes a chunk and returns what is certain by now.
    #[must_use]
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        if chunk.is_empty() {
            return Vec::new();
        }
        self.text.extend_from_slice(chunk);
        let engine = self.patterns.engine();
        let scan = engine.scan(&self.text, false);
        let line = self.text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let quiet = self.text.len().saturating_sub(engine.reach()).max(line);
        let open = [scan.open, scan.open_numbers].into_iter().flatten().fold(quiet, usize::min);
        let shown = self.show(scan.secret, open);
        self.forget(open);
        shown
    }

    /// Returns the rest.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        // The engine may still be in the making, and a stream without a byte does not need it.
        if self.text.is_empty() {
            return Vec::new();
        }
        let scan = self.patterns.engine().scan(&self.text, true);
        self.show(scan.secret, self.text.len())
    }

    /// Whether something is held back that [`Redactor::release`] might return.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.text.len() > self.released
    }

    /// Returns what is held back, up to where it may be the beginning of a secret: the stream pauses, and a user may be waiting for a
    /// prompt.
    ///
    /// The redactor remembers it: if what follows makes it a secret, the rest of the secret is hidden. So at most three bytes of
    /// a secret are shown.
    #[must_use]
    pub fn release(&mut self) -> Vec<u8> {
        if !self.holds() {
            return Vec::new();
        }
        let engine = self.patterns.engine();
        let scan = engine.scan(&self.text, false);
        let mut end = scan.open.unwrap_or(self.text.len());
        if engine.may_begin_in(&self.text) {
            end = end.min(self.text.len().saturating_sub(engine.plain_reach()));
        }
        self.show(scan.secret, end)
    }

    /// Ends the filter between two chunks, for another process to go on with [`Redactor::resume`]. The bytes hold what is undecided, which may
    /// be the beginning of a secret.
    #[must_use]
    pub fn suspend(self) -> Vec<u8> {
        let numbers = [self.released as u64, self.hidden as u64, u64::from(self.marked)];
        numbers.into_iter().flat_map(u64::to_le_bytes).chain(self.text).collect()
    }

    /// Goes on where [`Redactor::suspend`] ended, with the same plan. State of another kind is taken for text.
    #[must_use]
    pub fn resume(mut self, state: &[u8]) -> Self {
        let mut rest = state;
        let mut number = || {
            let (bytes, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            usize::try_from(u64::from_le_bytes(*bytes)).ok()
        };
        if let (Some(released), Some(hidden), Some(marked)) = (number(), number(), number()) {
            self.released = released.min(rest.len());
            (self.hidden, self.marked, self.text) = (hidden, marked > 0, rest.to_vec());
        } else {
            self.text = state.to_vec();
        }
        self
    }

    /// Returns what is not shown yet of `text` up to `end`, with the secrets in it replaced.
    fn show(&mut self, mut secret: Vec<Span>, end: usize) -> Vec<u8> {
        secret.push(Span { start: 0, end: self.hidden });
        secret.sort_unstable();
        let mut out = Vec::with_capacity(end.saturating_sub(self.released));
        let mut at = self.released;
        // A span that begins later is found again by the next scan.
        for span in secret.into_iter().filter(|span| span.start < end) {
            self.hidden = self.hidden.max(span.end);
            let (start, stop) = (span.start.max(at), span.end.min(end));
            if stop <= at {
                continue;
            }
            if start > at {
                out.extend_from_slice(&self.text[at..start]);
                self.marked = false;
            }
            if !self.marked {
                out.extend_from_slice(HIDDEN);
                self.marked = true;
            }
            at = stop;
        }
        if at < end {
            out.extend_from_slice(&self.text[at..end]);
            self.marked = false;
        }
        self.released = self.released.max(end);
        out
    }

    /// Forgets `text` up to `end`: nothing in it can be a part of a secret that is still to come.
    fn forget(&mut self, end: usize) {
        self.text.drain(..end);
        self.released = self.released.saturating_sub(end);
        self.hidden = self.hidden.saturating_sub(end);
    }
}

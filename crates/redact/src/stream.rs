//! Replaces what a plan hides in a stream of bytes, whatever the chunks it comes in.
//!
//! No form holds a line end, so a line that has ended is shown at once; of an unfinished one, what could still become a secret is held
//! back. [`Redactor::release`] lets go of a short rest when the stream pauses, a prompt for example.

use std::sync::Arc;

use crate::engine::{Engine, Span};

/// What stands in a secret's place.
const HIDDEN: &[u8] = b"***";

/// A filter for one stream.
#[derive(Clone, Debug)]
pub struct Redactor {
    engine: Arc<Engine>,
    /// What is not decided yet, with what was released of it at its start.
    text: Vec<u8>,
    /// How much of `text` is out already.
    released: usize,
    /// How much of `text` is known to be secret from a run that began before it.
    hidden: usize,
    /// Whether the last byte that is out was hidden: the next hidden one needs no mark.
    marked: bool,
}

impl Redactor {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, text: Vec::new(), released: 0, hidden: 0, marked: false }
    }

    /// Takes a chunk and gives what is certain by now.
    #[must_use]
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        self.text.extend_from_slice(chunk);
        let scan = self.engine.scan(&self.text);
        let line = self.text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let quiet = self.text.len().saturating_sub(self.engine.reach()).max(line);
        self.emit(scan.secret, quiet.min(scan.open.unwrap_or(usize::MAX)))
    }

    /// Gives the rest.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let scan = self.engine.scan(&self.text);
        self.emit(scan.secret, self.text.len())
    }

    /// Whether something is held back that [`Redactor::release`] might give.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.text.len() > self.released
    }

    /// Gives what is held back if it ends like no secret: the stream pauses, and somebody may be waiting for a prompt.
    ///
    /// What is given stays known, so that a secret that goes on from it is hidden from there on.
    #[must_use]
    pub fn release(&mut self) -> Vec<u8> {
        let scan = self.engine.scan(&self.text);
        if scan.open.is_some() || !scan.secret.is_empty() || self.hidden > 0 || self.engine.may_begin_in(&self.text) {
            return Vec::new();
        }
        let out = self.text[self.released..].to_vec();
        self.released = self.text.len();
        self.marked = self.marked && out.is_empty();
        out
    }

    /// Gives `text` up to `end`, the secret in it replaced.
    fn emit(&mut self, mut secret: Vec<Span>, end: usize) -> Vec<u8> {
        secret.push(Span { start: 0, end: self.hidden });
        secret.sort_unstable();
        let mut out = Vec::with_capacity(end.saturating_sub(self.released));
        let mut at = self.released;
        let mut hidden = self.hidden;
        // What begins later is found again.
        for span in secret.into_iter().filter(|span| span.start < end) {
            hidden = hidden.max(span.end);
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
        self.hidden = hidden.saturating_sub(end);
        self.released = self.released.saturating_sub(end);
        self.text.drain(..end);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::Plan;

    fn plan() -> Plan {
        let mut plan = Plan::new();
        plan.add("PASSWORD", "hunter2-SECRET");
        plan.add("PIN", "9x7q");
        plan.add("URL", "postgres://shop:Tr0ub4dor&3@db.internal/shop");
        plan
    }

    fn whole(plan: &Plan, text: &[u8]) -> Vec<u8> {
        let mut redactor = plan.redactor();
        let mut out = redactor.push(text);
        out.extend(redactor.finish());
        out
    }

    fn text(plan: &Plan, text: &str) -> String {
        String::from_utf8(whole(plan, text.as_bytes())).unwrap()
    }

    #[test]
    fn a_secret_split_over_chunks_is_hidden() {
        let mut redactor = plan().redactor();
        let mut out = redactor.push(b"the password is hunter2");
        out.extend(redactor.push(b"-SECRET, twice\n"));
        assert_eq!(out, b"the password is ***, twice\n");
    }

    #[test]
    fn pieces_of_eight_bytes_are_hidden_and_shorter_ones_are_not() {
        assert_eq!(text(&plan(), "nter2-SEC and hunter"), "*** and hunter");
        assert_eq!(text(&plan(), "pin 9x7q!"), "pin ***!");
    }

    #[test]
    fn a_finished_line_is_never_held_back() {
        assert_eq!(plan().redactor().push(b"hunter\nand "), b"hunter\n");
    }

    #[test]
    fn a_prompt_is_released_and_what_follows_it_is_still_hidden() {
        let mut redactor = plan().redactor();
        let prompt = b"Are you sure that you want to go on? [y/N] ";
        let shown = redactor.push(prompt);
        assert_eq!([shown, redactor.release()].concat(), prompt);
        assert_eq!(redactor.push(b"hunt"), b"");
        assert_eq!(redactor.release(), b"", "four bytes of a secret stay");
        assert_eq!(redactor.push(b"er2-SECRET\n"), b"***\n");
        assert_eq!(redactor.push(b"hun"), b"");
        assert_eq!(redactor.release(), b"hun");
        assert_eq!(redactor.push(b"ter2-SECRET\n"), b"***\n");
    }

    #[test]
    fn an_empty_plan_changes_and_delays_nothing() {
        assert_eq!(Plan::new().redactor().push(b"hunter2-SECRET"), b"hunter2-SECRET");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_bytes_as_the_whole(
            pieces in prop::collection::vec(prop_oneof![
                Just("hunter2-SECRET"), Just("hunter2-SE"), Just("CRET"), Just("9x7q"), Just("9x"), Just("aHVudGVyMi1TRUNSRVQ"),
                Just("Tr0ub4dor&3"), Just("postgres://shop:Tr0ub4d"), Just("or&3@db.internal/shop"), Just("\n"), Just("text "),
                Just("68756e746572322d534543524554"),
            ], 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let plan = plan();
            let text = pieces.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut redactor = plan.redactor();
            let mut out = Vec::new();
            for cut in cuts.windows(2) {
                out.extend(redactor.push(&text[cut[0]..cut[1]]));
            }
            out.extend(redactor.finish());
            prop_assert_eq!(String::from_utf8(out), String::from_utf8(whole(&plan, &text)));
        }
    }
}

//! The lines between us and the remote loop: frames that are sent, records that come back, and how records are told from output.
//!
//! A record begins a line with a nonce that only the remote loop has read. It is new for each step, so that a script that has seen
//! one cannot use it.

use memchr::memmem;

/// What the remote loop reports about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// What it is about: `ready`, `started`, `exit`, `done`, …
    pub(crate) word: String,
    /// The rest of the line.
    pub(crate) rest: String,
}

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Output of the step.
    Output(Vec<u8>),
    /// A record of the loop.
    Record(Record),
}

/// Finds the records in one stream, whatever the chunks it arrives in.
#[derive(Debug)]
pub(crate) struct Splitter {
    nonce: Vec<u8>,
    /// What is not decided yet: the beginning of a line that may become a record.
    held: Vec<u8>,
    /// Whether `held` begins a line.
    line_start: bool,
}

impl Splitter {
    /// A splitter at the start of a stream.
    pub(crate) fn new(nonce: &str) -> Self {
        Self { nonce: format!("{nonce} ").into_bytes(), held: Vec::new(), line_start: true }
    }

    /// From now on, records begin with this nonce.
    pub(crate) fn expect(&mut self, nonce: &str) {
        self.nonce = format!("{nonce} ").into_bytes();
    }

    /// Takes the next bytes; returns what is certain.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<Piece> {
        let mut data = std::mem::take(&mut self.held);
        data.extend_from_slice(chunk);
        let mut pieces = Vec::new();
        let mut search = 0;
        while let Some(at) = memmem::find(&data[search..], &self.nonce).map(|at| at + search) {
            if !self.begins_line(&data, at) {
                search = at + 1;
                continue;
            }
            let output = self.before(&data, at);
            let Some(end) = memchr::memchr(b'\n', &data[at..]).map(|end| at + end) else {
                // The record is cut off: its line is held back whole.
                self.hold(data, output, &mut pieces);
                return pieces;
            };
            put(&mut pieces, &data[..output]);
            pieces.push(Piece::Record(record(&data[at + self.nonce.len()..end])));
            self.line_start = true;
            data.drain(..=end);
            search = 0;
        }
        let keep = self.undecided(&data);
        self.hold(data, keep, &mut pieces);
        pieces
    }

    /// Lets go of `data` up to `from`, and keeps the rest.
    fn hold(&mut self, mut data: Vec<u8>, from: usize, pieces: &mut Vec<Piece>) {
        put(pieces, &data[..from]);
        self.line_start = self.begins_line(&data, from);
        self.held = data.split_off(from);
    }

    /// What is held back, when the stream pauses or ends.
    pub(crate) fn flush(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        if let Some(last) = held.last() {
            self.line_start = *last == b'\n';
        }
        held
    }

    fn begins_line(&self, data: &[u8], at: usize) -> bool {
        if at == 0 { self.line_start } else { data[at - 1] == b'\n' }
    }

    /// Where the output before a record at `at` ends: the loop begins each record on a new line, which leaves an empty one if the
    /// output ended with a line end.
    fn before(&self, data: &[u8], at: usize) -> usize {
        let empty_line = at > 0 && data[at - 1] == b'\n' && self.begins_line(data, at - 1);
        if empty_line { at - 1 } else { at }
    }

    /// From where on `data` may become a record: its last line, if that is the beginning of a nonce, with an empty line before it.
    fn undecided(&self, data: &[u8]) -> usize {
        let line = memchr::memrchr(b'\n', data).map_or(0, |at| at + 1);
        let may_become = self.begins_line(data, line) && self.nonce.starts_with(&data[line..]);
        if may_become { self.before(data, line) } else { data.len() }
    }
}

fn put(pieces: &mut Vec<Piece>, bytes: &[u8]) {
    if !bytes.is_empty() {
        pieces.push(Piece::Output(bytes.to_vec()));
    }
}

fn record(line: &[u8]) -> Record {
    let text = String::from_utf8_lossy(line);
    let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
    Record { word: word.to_owned(), rest: rest.to_owned() }
}

/// 128 random bits: only the reader of our stdin can know them.
pub(crate) fn nonce() -> String {
    let mut bytes = [0; 16];
    // Without a source of random bits ssh itself does not work either.
    let _seeded = getrandom::fill(&mut bytes);
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A frame whose payload is `text` as lines; `more` follows in the head line.
pub(crate) fn lines(word: &str, nonce: &str, text: &str, more: &str) -> Vec<u8> {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let count = text.matches('\n').count() + end.len();
    format!("{word} {nonce} {count} {more}\n{text}{end}").into_bytes()
}

/// Whether a file may travel as lines: it is short, has no NUL, and ends a line.
pub(crate) fn is_short_text(bytes: &[u8]) -> bool {
    bytes.len() <= 4096 && bytes.ends_with(b"\n") && !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Piece, Record, Splitter, is_short_text, lines};

    const NONCE: &str = "0123456789abcdef0123456789abcdef";

    fn joined(pieces: Vec<Piece>) -> (Vec<u8>, Vec<Record>) {
        let (mut output, mut records) = (Vec::new(), Vec::new());
        for piece in pieces {
            match piece {
                Piece::Output(bytes) => output.extend(bytes),
                Piece::Record(record) => records.push(record),
            }
        }
        (output, records)
    }

    fn split(text: &[u8], chunks: &[usize]) -> (Vec<u8>, Vec<Record>) {
        let mut splitter = Splitter::new(NONCE);
        let mut pieces = Vec::new();
        let mut rest = text;
        for size in chunks {
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            pieces.extend(splitter.push(chunk));
            rest = after;
        }
        pieces.extend(splitter.push(rest));
        pieces.push(Piece::Output(splitter.flush()));
        joined(pieces)
    }

    #[test]
    fn a_record_is_told_from_output_that_mentions_its_nonce() {
        let text = format!("a\nx{NONCE} exit 0\nopen\n{NONCE} exit 7 gone\nb\n");
        let (output, records) = split(text.as_bytes(), &[]);
        assert_eq!(String::from_utf8(output).unwrap(), format!("a\nx{NONCE} exit 0\nopen\nb\n"));
        assert_eq!(records, [Record { word: "exit".to_owned(), rest: "7 gone".to_owned() }]);
    }

    #[test]
    fn a_line_end_is_shown_at_once_and_only_an_empty_line_waits() {
        let mut splitter = Splitter::new(NONCE);
        assert_eq!(splitter.push(b"a\n"), [Piece::Output(b"a\n".to_vec())]);
        assert_eq!(splitter.push(b"\n"), []);
        assert_eq!(splitter.push(b"0123"), []);
        assert_eq!(splitter.push(b"x"), [Piece::Output(b"\n0123x".to_vec())]);
    }

    #[test]
    fn lines_are_counted_and_end() {
        assert_eq!(lines("eval", "n", "a\nb", ""), b"eval n 2 \na\nb\n");
        assert_eq!(lines("values", "n", "", ""), b"values n 0 \n");
        assert!(is_short_text(b"a\n") && !is_short_text(b"a") && !is_short_text(b"\0\n"));
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(before in "[a\n0]{0,8}", after in "[a\n0]{0,8}", sizes in proptest::collection::vec(1usize..9, 0..20)) {
            let text = format!("{before}\n{NONCE} exit 3\n{after}");
            let (output, records) = split(text.as_bytes(), &sizes);
            prop_assert_eq!(&(output.clone(), records.clone()), &split(text.as_bytes(), &[]));
            prop_assert_eq!(records.len(), 1);
            let line_end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
            prop_assert_eq!(String::from_utf8(output).unwrap(), format!("{before}{line_end}{after}"));
        }
    }
}

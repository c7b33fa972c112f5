//! Finds the reports in an input and gives each to the reader of its format.

use std::io::{self, Read};

use report::Nature;

use crate::source::{self, Pieces};
use crate::{Attributes, FORMATS, Format, Item, Json, Reader, Sniff, Tally, Unreadable};

/// What an input is made of.
#[derive(Debug, Default)]
pub struct Reading {
    /// The reports, in the order of the input.
    pub documents: Vec<Document>,
    /// `[]`, `{}` or `null`, if the input holds such a value.
    pub hollow: Option<String>,
    /// Coverage was found, which has no verdict.
    pub has_coverage: bool,
    /// The first line that is no report.
    pub first_line: Option<String>,
    /// Nothing but blanks.
    pub is_blank: bool,
}

/// One report.
#[derive(Debug)]
pub struct Document {
    /// The name of its format in [`FORMATS`], or `xml` or `json` if that is all that is known.
    pub format: &'static str,
    /// Where it begins, from 1.
    pub line: usize,
    /// What it adds up to; if it is unreadable, what was read until then.
    pub tally: Tally,
    /// Why it cannot be read.
    pub unreadable: Option<String>,
}

/// Takes what is about checks rather than evidence of one check: this crate does not know those documents.
pub trait Documents {
    /// Takes a JSON document. `false` if it is none of the caller's.
    fn json(&mut self, line: usize, json: &Json<'_>) -> bool;
    /// Takes the beginning of a JSON document that is damaged. `false` if it is none of the caller's.
    fn broken(&mut self, line: usize, begin: &str, cause: &str) -> bool;
}

/// An input that has only evidence: every document belongs to [`FORMATS`].
#[derive(Clone, Copy, Debug)]
pub struct EvidenceOnly;

impl Documents for EvidenceOnly {
    fn json(&mut self, _: usize, _: &Json<'_>) -> bool {
        false
    }
    fn broken(&mut self, _: usize, _: &str, _: &str) -> bool {
        false
    }
}

/// Whether text that is no document is read as compiler output, even beside documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prose {
    /// A report: text beside a document is noise.
    Noise,
    /// The output of a command: compilers write between documents.
    Read,
}

/// Reads an input to its end.
///
/// # Errors
/// The input cannot be read; what is damaged in it is part of the [`Reading`].
pub fn read(input: &mut dyn Read, prose: Prose, documents: &mut dyn Documents) -> io::Result<Reading> {
    let mut stream = Stream {
        documents,
        reading: Reading { is_blank: true, ..Reading::default() },
        xml: None,
        open: Vec::new(),
        text: Open::new(text_format(), 1),
        has_others: false,
    };
    source::read(input, &mut stream)?;
    Ok(stream.finish(prose))
}

/// A report that is being read.
struct Open {
    format: &'static Format,
    reader: Box<dyn Reader>,
    tally: Tally,
    line: usize,
    failed: Option<Unreadable>,
}

impl Open {
    fn new(format: &'static Format, line: usize) -> Self {
        let tally = Tally::new(format.name, format.nature);
        Self { format, reader: (format.open)(), tally, line, failed: None }
    }

    fn feed(&mut self, item: Item<'_>) {
        if self.failed.is_none() {
            self.failed = self.reader.feed(item, &mut self.tally).err();
        }
    }

    fn finish(mut self) -> Document {
        if self.failed.is_none() {
            self.failed = self.reader.end(&mut self.tally).err();
        }
        let unreadable = self.failed.map(|unreadable| unreadable.cause);
        Document { format: self.format.name, line: self.line, tally: self.tally, unreadable }
    }
}

/// An XML document: its root decides the format.
enum Xml {
    Known(Box<Open>),
    Coverage,
    Unknown(String),
}

struct Stream<'a> {
    documents: &'a mut dyn Documents,
    reading: Reading,
    xml: Option<Xml>,
    /// Reports of several values or lines.
    open: Vec<Open>,
    /// The reader of compiler output.
    text: Open,
    /// A document of the caller's was found.
    has_others: bool,
}

impl Pieces for Stream<'_> {
    fn begins_xml(&self, line: &str) -> bool {
        let Some(rest) = line.strip_prefix('<') else { return false };
        let end = rest.find(|character: char| !is_name(character)).unwrap_or(rest.len());
        let name = rest[..end].rsplit(':').next().unwrap_or_default();
        let is_root = is_coverage(name) || FORMATS.iter().any(|format| is_root(format, name));
        rest.starts_with("?xml") || rest.starts_with("!DOCTYPE") || is_root
    }

    fn xml(&mut self, line: usize, item: Item<'_>) -> Result<(), Unreadable> {
        self.reading.is_blank = false;
        let xml = match (&mut self.xml, &item) {
            (Some(xml), _) => xml,
            (xml @ None, Item::Open(root, attributes)) => xml.insert(opened(root, attributes, line)),
            (None, _) => return Ok(()),
        };
        match xml {
            Xml::Known(open) => open.reader.feed(item, &mut open.tally),
            Xml::Coverage | Xml::Unknown(_) => Ok(()),
        }
    }

    fn xml_ended(&mut self, line: usize, end: Result<(), Unreadable>) {
        let cause = end.err().map(|unreadable| unreadable.cause);
        match self.xml.take() {
            Some(Xml::Known(open)) => {
                // What was read before the end is missing is still shown.
                let mut document = open.finish();
                document.unreadable = cause.or(document.unreadable);
                self.reading.documents.push(document);
            }
            Some(Xml::Coverage) => self.reading.has_coverage = true,
            Some(Xml::Unknown(root)) => {
                let cause = format!("its root element `{root}` is of no known format");
                self.reading.documents.push(unreadable("xml", line, cause));
            }
            None => {
                let cause = cause.unwrap_or_else(|| "it has no root element".to_owned());
                self.reading.documents.push(unreadable("xml", line, cause));
            }
        }
    }

    fn json(&mut self, line: usize, json: &Json<'_>) -> Result<(), Unreadable> {
        self.reading.is_blank = false;
        if json.text.len() < 40 {
            let bare: String = json.text.split_ascii_whitespace().collect();
            if matches!(bare.as_str(), "[]" | "{}") {
                self.reading.hollow.get_or_insert(bare);
                return Ok(());
            }
        }
        if self.documents.json(line, json) {
            self.has_others = true;
            return Ok(());
        }
        json.check()?;
        let json = &Json::new(json.text);
        let known = FORMATS.iter().find_map(|format| match format.sniff {
            Sniff::Json(is_one) if is_one(json) => Some((format, false)),
            Sniff::JsonLines(is_one) if is_one(json) => Some((format, true)),
            _ => None,
        });
        match known {
            Some((format, true)) => {
                let at = self.open.iter().position(|open| open.format.name == format.name).unwrap_or(self.open.len());
                if at == self.open.len() {
                    self.open.push(Open::new(format, line));
                }
                self.open[at].feed(Item::Json(json));
            }
            Some((format, false)) => {
                let mut open = Open::new(format, line);
                open.feed(Item::Json(json));
                self.reading.documents.push(open.finish());
            }
            None => self.noise(json.text),
        }
        Ok(())
    }

    fn broken_json(&mut self, line: usize, begin: &str, cause: &str) -> bool {
        self.reading.is_blank = false;
        if self.documents.broken(line, begin, cause) {
            self.has_others = true;
            return true;
        }
        let format = FORMATS.iter().find(|format| format.marks.iter().any(|mark| begin.contains(mark)));
        if let Some(format) = format {
            self.reading.documents.push(unreadable(format.name, line, cause.to_owned()));
        }
        format.is_some()
    }

    fn indented_is_text(&self) -> bool {
        self.open.iter().any(|open| matches!(open.format.sniff, Sniff::Lines(_)))
    }

    fn line(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.noise(text);
        }
        let taken = self.open.iter().position(|open| matches!(open.format.sniff, Sniff::Lines(_)));
        let taken = taken.or_else(|| {
            let format = FORMATS.iter().find(|format| matches!(format.sniff, Sniff::Lines(begins) if begins(text)))?;
            self.open.push(Open::new(format, 1));
            Some(self.open.len() - 1)
        });
        match taken {
            Some(at) => self.open[at].feed(Item::Line(text)),
            None => self.text.feed(Item::Line(text)),
        }
        // Readers of JSON lines want the plain text between them too: `go test` prints build errors there.
        for open in self.open.iter_mut().filter(|open| matches!(open.format.sniff, Sniff::JsonLines(_))) {
            open.feed(Item::Line(text));
        }
    }
}

impl Stream<'_> {
    fn noise(&mut self, text: &str) {
        self.reading.is_blank = false;
        if self.reading.first_line.is_none() {
            let line = text.trim().lines().next().unwrap_or_default();
            self.reading.first_line = Some(line.chars().take(60).collect());
        }
    }

    fn finish(mut self, prose: Prose) -> Reading {
        if let Some(line) = &self.reading.first_line {
            self.reading.has_coverage |= line.starts_with("TN:") || line.starts_with("SF:");
            if line == "null" {
                self.reading.hollow.get_or_insert_with(|| "null".to_owned());
            }
        }
        self.reading.documents.extend(self.open.into_iter().map(Open::finish));
        let alone = self.reading.documents.is_empty() && !self.has_others;
        let text = self.text.finish();
        let says_something = !text.tally.is_empty() || text.tally.clone().finish().0.tool.is_some();
        // In the output of a command the places are useful whichever program printed them.
        let text = if prose == Prose::Read { Document { unreadable: None, ..text } } else { text };
        let is_of_runner = alone && text.unreadable.is_some();
        if is_of_runner {
            let tally = Tally::new(text.format, Nature::Linter);
            self.reading.documents.push(Document { tally, ..text });
        } else if says_something && (alone || prose == Prose::Read) {
            self.reading.documents.push(text);
        }
        self.reading
    }
}

fn opened(root: &str, _: &Attributes<'_>, line: usize) -> Xml {
    if is_coverage(root) {
        return Xml::Coverage;
    }
    let format = FORMATS.iter().find(|format| is_root(format, root));
    format.map_or_else(|| Xml::Unknown(root.to_owned()), |format| Xml::Known(Box::new(Open::new(format, line))))
}

fn is_root(format: &Format, name: &str) -> bool {
    matches!(format.sniff, Sniff::Xml(roots) if roots.contains(&name))
}

fn is_coverage(root: &str) -> bool {
    root == "coverage"
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | ':')
}

fn unreadable(format: &'static str, line: usize, cause: String) -> Document {
    Document { format, line, tally: Tally::new(format, Nature::Tests), unreadable: Some(cause) }
}

/// The reader of compiler output: the last row of the table.
fn text_format() -> &'static Format {
    &FORMATS[FORMATS.len() - 1]
}

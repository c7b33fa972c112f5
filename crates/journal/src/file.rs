//! The file: appended to and flushed, and read up to where it is whole.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use fault::{Fault, Result};
use jiff::Timestamp;
use report::{Event, Record};
use serde_json::{Map, Value};

/// A journal larger than this is none of ours.
const LIMIT: u64 = 64 << 20;

/// A journal that is written to.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    run: String,
    next: u64,
    /// How many bytes the whole lines take.
    whole: u64,
    /// Bytes of a write that failed may follow the whole lines.
    dirty: bool,
}

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The whole lines.
    pub records: Vec<Record>,
    /// Whether the last line was cut short: the machine or the process died while it was written.
    pub torn: bool,
    /// How many bytes the whole lines take.
    pub whole: u64,
}

impl Journal {
    /// Makes a new journal of the run `run`, in a folder that is there.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`]: it cannot be made, or is there already.
    pub fn create(path: &Path, run: &str) -> Result<Self> {
        let file = private(File::options().read(true).append(true).create_new(true)).open(path);
        let file = file.map_err(|error| cannot("make", path, &error))?;
        let journal = Self { file, path: path.to_owned(), run: run.to_owned(), next: 0, whole: 0, dirty: false };
        // Its name has to outlive a power cut too.
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| cannot("make", path, &error))?;
        Ok(journal)
    }

    /// Opens a journal to go on with it. A torn last line is removed.
    ///
    /// # Errors
    /// As [`history`], or it cannot be written.
    pub fn reopen(path: &Path, run: &str) -> Result<(Self, History)> {
        let file = File::options().read(true).append(true).open(path);
        let mut file = file.map_err(|error| cannot("open", path, &error))?;
        let history = read(&mut file, path)?;
        if history.torn {
            let cut = file.set_len(history.whole).and_then(|()| file.sync_all());
            cut.map_err(|error| cannot("write", path, &error))?;
        }
        let next = history.records.last().map_or(0, |record| record.seq + 1);
        let (path, run, whole) = (path.to_owned(), run.to_owned(), history.whole);
        Ok((Self { file, path, run, next, whole, dirty: false }, history))
    }

    /// Appends events, each with fields besides those of the event, in one write, and waits until they are on the disk.
    ///
    /// # Errors
    /// [`fault::Kind::Temporary`]: the disk is full, or the file cannot be written. What the events announce must not begin then.
    pub fn append(&mut self, events: Vec<(Event, Map<String, Value>)>) -> Result<()> {
        self.write(events)?;
        self.file.sync_data().map_err(|error| cannot("write", &self.path, &error))
    }

    /// Appends events without waiting for the disk: what they say is of no use after a power cut.
    ///
    /// A full disk takes the beginning of a write. That part is removed again: the next record would continue its line, and the journal
    /// could never be read again.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn write(&mut self, events: Vec<(Event, Map<String, Value>)>) -> Result<()> {
        let (mut text, mut next) = (String::new(), self.next);
        for (event, rest) in events {
            let run = self.run.clone();
            let record = Record { run, shard: None, seq: next, at: Some(Timestamp::now()), event, rest };
            next += 1;
            text += &record.line();
            text.push('\n');
        }
        self.clean().and_then(|()| self.file.write_all(text.as_bytes())).map_err(|error| {
            self.dirty = true;
            // If this fails too, the next write tries it first.
            let _ = self.clean();
            cannot("write", &self.path, &error)
        })?;
        self.next = next;
        self.whole += text.len() as u64;
        Ok(())
    }

    /// Removes what a failed write left behind the whole lines.
    fn clean(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.set_len(self.whole)?;
            self.dirty = false;
        }
        Ok(())
    }
}

/// Reads the journal at `path`.
///
/// # Errors
/// [`fault::Kind::Usage`]: a line before the last is no record, or of a version that is not known. [`fault::Kind::Temporary`]: it cannot
/// be read.
pub fn history(path: &Path) -> Result<History> {
    let mut file = File::open(path).map_err(|error| cannot("read", path, &error))?;
    read(&mut file, path)
}

fn read(file: &mut File, path: &Path) -> Result<History> {
    let mut bytes = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(LIMIT + 1).read_to_end(&mut bytes));
    read.map_err(|error| cannot("read", path, &error))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Fault::usage(format!("the journal `{}` is larger than 64 MiB", path.display())));
    }
    parse(&bytes).map_err(|fault| fault.context(format!("cannot read the journal `{}`", path.display())))
}

/// The records in `bytes`.
fn parse(bytes: &[u8]) -> Result<History> {
    let mut history = History::default();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
        match text.map(Record::parse) {
            Some(Ok(record)) => {
                history.records.push(record);
                history.whole += line.len() as u64;
            }
            // A line's end may be on the disk before its beginning.
            Some(Err(_)) | None if is_last && !is_other_version(line) => history.torn = true,
            Some(Err(fault)) => return Err(fault),
            None => return Err(Fault::usage(format!("line {} is cut short", history.records.len() + 1))),
        }
    }
    Ok(history)
}

/// Whether a line is a whole record of a version that we do not know: that is no torn line.
fn is_other_version(line: &[u8]) -> bool {
    let object: Option<Map<String, Value>> = serde_json::from_slice(line).ok();
    object.is_some_and(|object| object.get("v").is_some_and(|version| version.as_u64() != Some(1)))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::temporary(format!("cannot {what} the journal `{}`", path.display())).cause(error.to_string())
}

/// For the owner alone, whatever the umask.
#[cfg(unix)]
fn private(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    options
}

#[cfg(test)]
mod tests;

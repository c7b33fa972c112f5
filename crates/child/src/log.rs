//! A program's output in a file of bounded size: its beginning and its end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::Path;

/// What a program prints, in a file. If it is more than the limit, the first and the last half are kept: after the first half, the
/// rest of the file is a ring.
#[derive(Debug)]
pub struct Log {
    file: File,
    head: u64,
    ring: u64,
    written: u64,
    error: Option<io::Error>,
}

impl Log {
    /// How much a log keeps unless the user sets another limit: 100 MiB.
    pub const LIMIT: u64 = 100 << 20;

    /// A log in an empty file that can be read and written; at most `limit` bytes are kept.
    #[must_use]
    pub fn new(file: File, limit: u64) -> Self {
        let head = (limit / 2).max(1);
        Self { file, head, ring: (limit - limit.min(head)).max(1), written: 0, error: None }
    }

    /// Appends. An error of the file system does not stop the program: see [`Log::error`].
    pub fn write(&mut self, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        if let Err(error) = self.append(bytes) {
            self.error = Some(error);
        }
    }

    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = if let Some(in_ring) = self.written.checked_sub(self.head) {
                let at = in_ring % self.ring;
                if at == 0 {
                    self.file.seek(SeekFrom::Start(self.head))?;
                }
                self.ring - at
            } else {
                self.head - self.written
            };
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            self.file.write_all(&bytes[..take])?;
            self.written += take as u64;
            bytes = &bytes[take..];
        }
        Ok(())
    }

    /// Why the file could not be written to; what was printed from then on is not in it.
    #[must_use]
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// How many bytes between beginning and end are left out.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.written.saturating_sub(self.head).saturating_sub(self.ring)
    }

    /// How many bytes were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// What was printed, in order, with a line where something is left out. Nothing can be written afterwards.
    pub fn reader(&mut self) -> LogReader<'_> {
        let mut parts = VecDeque::from([Part::Range(0..self.written.min(self.head))]);
        let after = self.written.saturating_sub(self.head);
        let left_out = self.left_out();
        if left_out > 0 {
            let turn = self.head + after % self.ring;
            parts.push_back(Part::Text(format!("\n[… {left_out} bytes left out …]\n").into_bytes()));
            parts.push_back(Part::Range(turn..self.head + self.ring));
            parts.push_back(Part::Range(self.head..turn));
        } else {
            parts.push_back(Part::Range(self.head..self.head + after));
        }
        LogReader { file: &mut self.file, parts, at: None }
    }

    /// Brings the file at `path`, which this log was written to, into order if it is not. The log itself can still be read.
    ///
    /// # Errors
    /// The ordered copy cannot be written, or not be renamed.
    pub fn settle(&mut self, path: &Path) -> io::Result<()> {
        if self.left_out() == 0 {
            return Ok(());
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".ordered");
        let mut ordered = File::create(&name)?;
        ordered.set_permissions(self.file.metadata()?.permissions())?;
        io::copy(&mut self.reader(), &mut ordered)?;
        std::fs::rename(&name, path)
    }
}

#[derive(Debug)]
enum Part {
    Range(Range<u64>),
    Text(Vec<u8>),
}

/// Reads a [`Log`] in order.
#[derive(Debug)]
pub struct LogReader<'l> {
    file: &'l mut File,
    parts: VecDeque<Part>,
    /// Where the file is read at now.
    at: Option<u64>,
}

impl Read for LogReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.parts.front_mut() {
                None => return Ok(0),
                Some(Part::Text(text)) => {
                    let take = text.len().min(buffer.len());
                    buffer[..take].copy_from_slice(&text[..take]);
                    text.drain(..take);
                    if take > 0 || buffer.is_empty() {
                        return Ok(take);
                    }
                }
                Some(Part::Range(range)) if !range.is_empty() => {
                    if self.at != Some(range.start) {
                        self.file.seek(SeekFrom::Start(range.start))?;
                    }
                    let most = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(buffer.len());
                    let read = self.file.read(&mut buffer[..most])?;
                    range.start += read as u64;
                    self.at = Some(range.start);
                    if read > 0 || buffer.is_empty() {
                        return Ok(read);
                    }
                    // The file is shorter than what was written to it: another process truncated it.
                    *range = 0..0;
                }
                Some(Part::Range(_)) => {}
            }
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::Log;

    proptest! {
        #[test]
        fn the_beginning_and_the_end_are_kept_in_order(
            limit in 2u64..40,
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..8),
        ) {
            let mut log = Log::new(tempfile::tempfile().unwrap(), limit);
            for chunk in &chunks {
                log.write(chunk);
            }
            let all = chunks.concat();
            let (head, tail) = (usize::try_from(limit / 2).unwrap(), usize::try_from(limit - limit / 2).unwrap());
            let expected = if all.len() <= head + tail {
                all
            } else {
                let notice = format!("\n[… {} bytes left out …]\n", all.len() - head - tail).into_bytes();
                [&all[..head], &notice, &all[all.len() - tail..]].concat()
            };
            let mut read = Vec::new();
            log.reader().read_to_end(&mut read).unwrap();
            prop_assert_eq!(&read, &expected);
        }
    }

    #[test]
    fn a_log_that_stays_is_brought_into_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let mut log = Log::new(file, 8);
        log.write(b"beginning and end!");
        log.settle(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "begi\n[… 10 bytes left out …]\nend!");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_remembered_and_stops_nothing() {
        let full = std::fs::File::options().read(true).write(true).open("/dev/full").unwrap();
        let mut log = Log::new(full, 100);
        log.write(b"x");
        log.write(b"y");
        assert_eq!(log.error().unwrap().kind(), std::io::ErrorKind::StorageFull);
        let mut read = Vec::new();
        log.reader().read_to_end(&mut read).unwrap();
        assert_eq!(read, b"");
    }
}

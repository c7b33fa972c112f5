//! Files in the memory of a process of ours.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};

use super::holder::framed;
use super::reexec::{self, Start};

/// The process that holds the files.
#[derive(Debug)]
pub(super) struct Store {
    id: u32,
    input: ChildStdin,
    answers: BufReader<ChildStdout>,
    numbers: Vec<u32>,
}

impl Store {
    pub(super) fn new(contents: &[&[u8]]) -> io::Result<Self> {
        let mut command = reexec::helper(Start::Hold)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let input = child.stdin.take().ok_or_else(missing)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let mut store = Self { id: child.id(), input, answers, numbers: vec![0; contents.len()] };
        store.replace(contents)?;
        // For the command to inherit: processes that outlive it keep the files by it.
        fcntl_setfd(&store.input, FdFlags::empty())?;
        Ok(store)
    }

    pub(super) fn replace(&mut self, contents: &[&[u8]]) -> io::Result<()> {
        self.input.write_all(&framed(contents))?;
        for number in &mut self.numbers {
            let mut line = String::new();
            self.answers.read_line(&mut line)?;
            *number = line.trim().parse().map_err(io::Error::other)?;
        }
        Ok(())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.numbers.iter().map(|number| PathBuf::from(format!("/proc/{}/fd/{number}", self.id)))
    }
}

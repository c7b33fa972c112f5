//! Standard output as the contract wants it: the result, and a closed pipe is no error.

use std::io::{self, BufWriter, ErrorKind, Write};

/// Buffered standard output that swallows what nobody reads any more (`EPIPE`), so that a tool whose reader has left ends with the
/// code it would have had. Flushed when dropped.
#[derive(Debug)]
pub struct Stdout(Option<BufWriter<io::Stdout>>);

impl Stdout {
    pub(crate) fn new() -> Self {
        Self(Some(BufWriter::new(io::stdout())))
    }

    fn with(&mut self, write: impl FnOnce(&mut BufWriter<io::Stdout>) -> io::Result<()>) -> io::Result<()> {
        let Some(out) = &mut self.0 else { return Ok(()) };
        match write(out) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                if let Some(out) = self.0.take() {
                    // Without dropping what is buffered, dropping the writer would try to write it again.
                    drop(out.into_parts());
                }
                Ok(())
            }
            outcome => outcome,
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|out| out.write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // `io::Stdout` has a line buffer of its own below ours.
        self.with(|out| out.flush().and_then(|()| out.get_mut().flush()))
    }
}

impl Drop for Stdout {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.flush();
    }
}

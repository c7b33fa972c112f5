//! Tracebacks of Python: the last frame is the place, the exception's line the message.

use crate::{Diagnostic, Location, Sink};

/// A traceback that is being printed.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// The last frame so far.
    frame: Option<Location>,
    /// A complete one. It waits: an exception that caused another is not a separate finding.
    complete: Option<Diagnostic>,
}

impl Trace {
    /// Takes a line; `true` if it is part of a traceback.
    pub(super) fn line(&mut self, line: &str, sink: &mut dyn Sink) -> bool {
        if line.starts_with("Traceback (most recent call last)") {
            self.end(sink);
            self.frame = None;
            return true;
        }
        if line.starts_with("The above exception was the direct cause")
            || line.starts_with("During handling of the above")
        {
            self.complete = None;
            return true;
        }
        if let Some(rest) = line.trim_start().strip_prefix("File \"").filter(|_| line.starts_with(' ')) {
            let Some((path, rest)) = rest.split_once("\", line ") else { return false };
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            self.frame = Location::new(path, rest[..digits].parse().ok(), None);
            return true;
        }
        if self.frame.is_some() && is_exception(line) {
            self.end(sink);
            self.complete = Some(Diagnostic::error(line.trim()).at(self.frame.take()));
            return true;
        }
        // Source lines between the frames.
        self.frame.is_some() && line.starts_with(' ')
    }

    /// Reports the last complete one.
    pub(super) fn end(&mut self, sink: &mut dyn Sink) {
        if let Some(diagnostic) = self.complete.take() {
            sink.finding(diagnostic);
        }
    }
}

/// `ValueError: …`, `requests.exceptions.Timeout: …`, `KeyboardInterrupt`
fn is_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    let is_name =
        !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '_'));
    let last = name.rsplit('.').next().unwrap_or_default();
    is_name && last.starts_with(char::is_uppercase)
}

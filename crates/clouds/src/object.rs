//! One object of a bucket or container, whichever cloud holds it.

use std::io::Read as _;

use api::{Answer, Error, Incoming};
use fault::{Fault, Kind, Result};
use jiff::Timestamp;

/// An object that exists; its bytes are still to be read.
pub struct Object {
    /// The response with its bytes.
    pub answer: Answer,
    /// When it was last written; the Unix epoch if the service does not report it.
    pub modified: Timestamp,
}

impl Object {
    pub(crate) fn of(answer: Answer) -> Self {
        let modified = answer
            .header("last-modified")
            .and_then(|date| jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp()));
        Self { modified: modified.unwrap_or(Timestamp::UNIX_EPOCH), answer }
    }

    /// All of its bytes, at most `limit`.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there are more; [`Kind::Temporary`] when they do not arrive.
    pub async fn bytes(self, limit: u64) -> Result<Vec<u8>> {
        let read = move |incoming: Incoming| {
            let mut bytes = Vec::new();
            incoming.take(limit + 1).read_to_end(&mut bytes).map(|_| bytes)
        };
        match self.answer.read(read).await? {
            Ok(bytes) if bytes.len() as u64 <= limit => Ok(bytes),
            Ok(_) => Err(Fault::usage(format!("an object is larger than {limit} bytes"))),
            Err(error) => Err(Fault::temporary("an object's bytes did not arrive").cause(error.to_string())),
        }
    }
}

/// The error for a missing bucket or container `what`, with the service's answer as its cause.
pub(crate) fn no_container(what: &str, error: Error) -> Fault {
    let fault = Fault::from(error);
    Fault { kind: Kind::Failed, ..fault }
        .context(format!("there is no {what}"))
        .help("check its name, its account and its region")
}

//! One object of a bucket or container, whichever cloud holds it.

use std::io::Read as _;

use api::{Answer, Error, Incoming};
use fault::{Fault, Kind, Result};
use jiff::Timestamp;

use crate::{aws, azure, google};

/// An object that is there, its bytes still to come.
pub struct Object {
    /// The answer that brings them.
    pub answer: Answer,
    /// When it was written; the epoch when the service does not say.
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

/// A bucket or container that is open for reading.
#[derive(Clone, Debug)]
pub enum Store {
    /// Amazon S3, or a service that speaks its protocol.
    S3(aws::s3::Bucket),
    /// Google Cloud Storage.
    Google(google::storage::Bucket),
    /// Azure Blob Storage.
    Azure(azure::blob::Container),
}

impl Store {
    /// The object at `key`; `None` when there is none.
    ///
    /// # Errors
    /// [`Kind::Permission`], also for a missing object where the identity may not list; [`Kind::No`] when the bucket or container
    /// is missing; [`Kind::Temporary`].
    pub async fn get(&self, key: &str) -> Result<Option<Object>> {
        if key.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(Fault::usage(format!("`{}` cannot be an object's key", key.escape_debug())));
        }
        match self {
            Self::S3(bucket) => bucket.get(key).await,
            Self::Google(bucket) => bucket.get(key).await,
            Self::Azure(container) => container.get(key).await,
        }
    }
}

/// That the bucket or container `what` is not there, with the service's words.
pub(crate) fn no_container(what: &str, error: Error) -> Fault {
    let fault = Fault::from(error);
    Fault { kind: Kind::No, ..fault }
        .context(format!("there is no {what}"))
        .help("check its name, its account and its region")
}

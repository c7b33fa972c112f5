//! One store of objects, whichever cloud it is in.

use fault::{Fault, Result};

use crate::object::Object;
use crate::{aws, azure, google};

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
    /// [`fault::Kind::Permission`], also for a missing object where the identity may not list; [`fault::Kind::Failed`] when the bucket or container
    /// is missing; [`fault::Kind::Temporary`].
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

    /// Keys that begin with `prefix`, for advice about a name that was mistyped: empty in a store other than S3, and if the
    /// identity may not list.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        match self {
            Self::S3(bucket) => bucket.keys(prefix).await,
            Self::Google(_) | Self::Azure(_) => Vec::new(),
        }
    }
}

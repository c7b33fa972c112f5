//! Hashes of files that several sites share, through hard or symbolic links: their content is read once per run.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::hash::AssetHash;

/// Identifies a file's content without reading it: a change to the file changes the last two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileIdentity {
    /// The identity of a file that may occur again, because it has other names or was reached through a link.
    #[cfg(unix)]
    pub(crate) fn of_shared(about: &std::fs::Metadata, is_linked: bool) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        (is_linked || about.nlink() > 1).then(|| Self {
            device: about.dev(),
            inode: about.ino(),
            size: about.size(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        })
    }

    /// On other systems such files are read each time.
    #[cfg(not(unix))]
    pub(crate) fn of_shared(_about: &std::fs::Metadata, _is_linked: bool) -> Option<Self> {
        None
    }
}

type Known = Arc<Mutex<Option<AssetHash>>>;

/// The hashes of files that were read before.
#[derive(Debug, Default)]
pub(crate) struct HashCache(Mutex<HashMap<(FileIdentity, String), Known>>);

impl HashCache {
    /// The hash of the file, computed by `read` the first time. Other threads that need it meanwhile wait for that.
    pub(crate) fn hash(
        &self,
        identity: FileIdentity,
        extension: &str,
        read: impl FnOnce() -> io::Result<AssetHash>,
    ) -> io::Result<AssetHash> {
        let known = {
            let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(files.entry((identity, extension.to_owned())).or_default())
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hash) = *known {
            return Ok(hash);
        }
        let hash = read()?;
        *known = Some(hash);
        Ok(hash)
    }
}

//! What checks with `inputs` found when they last passed: one file per key in `PREFLIGHT_REPORT_CACHE_DIR`.

use std::io::Write as _;
use std::path::PathBuf;

use cli::Console;
use fault::{Fault, Result};
use report::Event;
use serde::{Deserialize, Serialize};

/// The variable that names the directory.
const VARIABLE: &str = "PREFLIGHT_REPORT_CACHE_DIR";

/// The version of the files.
const VERSION: u64 = 1;

/// The directory of the results.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// What a check found when it passed.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Stored {
    version: u64,
    /// When.
    pub(super) at: String,
    /// Its findings and its evidence.
    pub(super) events: Vec<Event>,
}

impl Cache {
    /// Whether the directory is named at all.
    pub(super) fn is_set(console: &Console) -> bool {
        console.environment().get(VARIABLE).is_some()
    }

    /// The cache, unless it is not to be used.
    pub(super) fn open(console: &Console, no_cache: bool) -> Option<Self> {
        let folder = console.environment().get(VARIABLE).map(PathBuf::from).filter(|_| !no_cache)?;
        Some(Self { folder })
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }

    /// What was stored under the key. A file that cannot be understood counts as none: the check runs again.
    pub(super) fn get(&self, key: &str) -> Option<Stored> {
        let text = std::fs::read(self.path(key)).ok()?;
        serde_json::from_slice(&text).ok().filter(|stored: &Stored| stored.version == VERSION)
    }

    /// Stores what a check found that passed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn put(&self, key: &str, events: &[Event]) -> Result<()> {
        let path = self.path(key);
        let cannot = |error: std::io::Error| {
            Fault::temporary(format!("cannot keep the result in `{}`", path.display())).cause(error.to_string())
        };
        let stored = Stored { version: VERSION, at: format!("{:.0}", jiff::Timestamp::now()), events: events.to_vec() };
        let text = serde_json::to_string(&stored).map_err(|error| cannot(error.into()))?;
        std::fs::create_dir_all(&self.folder).map_err(cannot)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(cannot)?;
        file.write_all(text.as_bytes()).map_err(cannot)?;
        file.persist(&path).map_err(|error| cannot(error.error))?;
        Ok(())
    }
}

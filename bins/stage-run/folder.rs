//! Where a run is kept: `.stage-run/PLAN-TARGET/RUN/`, with its journal, logs and values.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use fault::{Fault, Result};
use jiff::Timestamp;
use journal::Journal;

/// The folder beside the plan, unless `--journal` names another.
pub(crate) const NAME: &str = ".stage-run";

/// How many times a name for a new run is looked for.
const TRIES: u32 = 100;

/// The runs of one plan and target.
#[derive(Clone, Debug)]
pub(crate) struct Runs(PathBuf);

/// One run's folder.
#[derive(Clone, Debug)]
pub(crate) struct RunFolder {
    pub(crate) path: PathBuf,
}

impl Runs {
    /// The runs of `key` in `root`.
    pub(crate) fn new(root: &Path, key: &str) -> Self {
        Self(root.join(key))
    }

    /// Makes the folder, if it is not there: for its owner alone, and ignored by git.
    pub(crate) fn make(&self) -> Result<()> {
        let root = self.0.parent().unwrap_or(&self.0);
        // A folder that is used for something else too keeps its own rules for git.
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        let is_ours = root.ends_with(NAME) || entries.count() == 0;
        let ignored_at = if is_ours { root } else { &self.0 };
        let make = |path: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        make(&self.0).and_then(|()| ignored(ignored_at)).map_err(|error| {
            Fault::temporary(format!("cannot make the folder `{}`", self.0.display()))
                .cause(error.to_string())
                .help("name another with --journal DIR")
        })
    }

    /// All runs, the newest first.
    pub(crate) fn all(&self) -> Vec<RunFolder> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut runs: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.join(JOURNAL).is_file()).collect();
        runs.sort_unstable_by(|one, other| other.cmp(one));
        runs.into_iter().map(|path| RunFolder { path }).collect()
    }

    /// The newest.
    pub(crate) fn newest(&self) -> Option<RunFolder> {
        self.all().into_iter().next()
    }

    /// Makes a new run and removes those that are older than the newest `keep`.
    pub(crate) fn create(&self, keep: usize) -> Result<(RunFolder, Journal)> {
        let mut at = Timestamp::now();
        for _ in 0..TRIES {
            let name = format!("{at:.3}").replace([':', '.'], "-");
            let path = self.0.join(name);
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let folder = RunFolder { path };
                    let journal = Journal::create(&folder.journal(), &folder.name())?;
                    for old in self.all().into_iter().skip(keep) {
                        // An old run that cannot be removed does no harm.
                        let _ = fs::remove_dir_all(&old.path);
                    }
                    return Ok((folder, journal));
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    at += jiff::SignedDuration::from_millis(1);
                }
                Err(error) => {
                    return Err(Fault::temporary(format!("cannot make the folder `{}`", path.display()))
                        .cause(error.to_string()));
                }
            }
        }
        Err(Fault::temporary("cannot find a name for a new run"))
    }
}

const JOURNAL: &str = "journal.jsonl";

impl RunFolder {
    /// `2026-11-30T15-22-09-123Z`.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// The log of a stage's step. No stage's id has a `+`, so that no file is another's.
    pub(crate) fn log(&self, stage: &str, step: &str) -> PathBuf {
        let suffix = if step == crate::history::RUN { String::new() } else { format!("+{step}") };
        self.path.join(format!("{stage}{suffix}.log"))
    }

    /// The variables that stages have handed to later ones.
    pub(crate) fn values(&self) -> PathBuf {
        self.path.join("+values.env")
    }

    /// The log of a hook of the run.
    pub(crate) fn hook_log(&self, name: &str) -> PathBuf {
        self.path.join(format!("+{name}.log"))
    }
}

fn ignored(root: &Path) -> std::io::Result<()> {
    let path = root.join(".gitignore");
    match fs::File::options().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => std::io::Write::write_all(&mut file, b"*\n"),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// An empty file for its owner alone.
pub(crate) fn private_file(path: &Path) -> std::io::Result<fs::File> {
    fs::File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

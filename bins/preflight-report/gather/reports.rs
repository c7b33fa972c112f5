//! The report files that a command is to write, and which of them it wrote.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fault::Result;
use report::{Reason, verdict};

use super::operands::{is_broad, matching, may_be_report};

/// The state of a file, to find out whether it was written since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    file: u64,
    size: u64,
    changed: (i64, i64),
    modified: Option<std::time::SystemTime>,
}

/// What was there before the command began.
#[derive(Debug)]
pub(crate) struct Watch {
    /// As written, and as they are looked for.
    patterns: Vec<(String, String)>,
    before: HashMap<PathBuf, Mark>,
}

/// What the command wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    /// Reports to read.
    pub(crate) files: Vec<PathBuf>,
    /// What is wrong with those that it was to write.
    pub(crate) problems: Vec<(String, Reason)>,
    /// Remarks: files that are older than the command.
    pub(crate) notes: Vec<String>,
}

impl Watch {
    /// Looks at what the globs match now; they are relative to `folder`, or to the current directory.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: one is no glob.
    pub(crate) fn new(globs: &[String], folder: Option<&Path>) -> Result<Self> {
        let patterns: Vec<_> = globs.iter().map(|glob| (glob.clone(), within(folder, glob))).collect();
        let mut before = HashMap::new();
        for (_, pattern) in &patterns {
            for path in matching(pattern)? {
                before.extend(mark(&path).map(|mark| (path, mark)));
            }
        }
        Ok(Self { patterns, before })
    }

    /// Looks again: what has changed since was written by the command.
    ///
    /// # Errors
    /// As [`Watch::new`].
    pub(crate) fn written(&self, allow_stale: bool) -> Result<Reports> {
        let mut reports = Reports::default();
        for (glob, pattern) in &self.patterns {
            self.take(glob, pattern, allow_stale, &mut reports)?;
        }
        Ok(reports)
    }

    fn take(&self, glob: &str, pattern: &str, allow_stale: bool, reports: &mut Reports) -> Result<()> {
        let mut files = matching(pattern)?;
        if is_broad(pattern) {
            files.retain(|file| may_be_report(file));
        }
        if files.is_empty() {
            let text = format!("the command wrote no report that matches `{glob}`");
            reports.problems.push((glob.to_owned(), Reason::new("report_absent", text)));
            return Ok(());
        }
        let is_new = |path: &PathBuf| self.before.get(path).is_none_or(|old| mark(path).is_some_and(|now| now != *old));
        let (new, old): (Vec<_>, Vec<_>) = files.into_iter().partition(is_new);
        let older = verdict::count(old.len() as u64, "older file");
        if old.is_empty() {
            // Nothing to say.
        } else if allow_stale {
            reports.notes.push(format!("{older} read as well: --allow-stale"));
            reports.files.extend(old);
        } else if new.is_empty() {
            let text = format!("{older} not read: the command wrote no report that matches `{glob}`");
            reports.problems.push((glob.to_owned(), Reason::new("stale", text)));
        } else {
            reports.notes.push(format!("{older} not read: the command did not write them"));
        }
        reports.files.extend(new);
        Ok(())
    }
}

/// A glob below a folder, whose name is taken literally.
pub(crate) fn within(folder: Option<&Path>, glob: &str) -> String {
    match folder {
        Some(folder) if !Path::new(glob).is_absolute() && !folder.as_os_str().is_empty() => {
            format!("{}/{glob}", glob::Pattern::escape(&folder.to_string_lossy()))
        }
        _ => glob.to_owned(),
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let metadata = path.metadata().ok()?;
    #[cfg(unix)]
    let (file, changed) = {
        use std::os::unix::fs::MetadataExt as _;
        (metadata.ino(), (metadata.ctime(), metadata.ctime_nsec()))
    };
    #[cfg(not(unix))]
    let (file, changed) = (0, (0, 0));
    Some(Mark { file, size: metadata.len(), changed, modified: metadata.modified().ok() })
}

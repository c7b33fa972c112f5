//! The builtins of a plan. Each looks at something and returns evidence, as a linter's report is evidence.

mod disk;
mod git;
mod image_tag;
mod snapshot;

use std::path::Path;

use fault::Result;
use formats::{Diagnostic, Kept, Location, Sink as _, Tally};
use plan::{Builtin, Check};
use report::{Evidence, Nature, Reason};
use runner::Environment;

use super::load::Loaded;
use super::shared::Run;
pub(super) use snapshot::Snapshot;

/// Evidence with its findings.
type Found = (Evidence, Vec<Kept>);

/// What a builtin found; the error is why it could not look.
pub(super) fn found(run: &Run<'_>, check: &Check, builtin: &Builtin) -> Found {
    let folder = run.loaded.folder(check);
    let found = match builtin {
        Builtin::Untracked { paths } => untracked(&folder, paths),
        Builtin::ImageTag { files, keys, repository, allow } => {
            image_tag::found(&folder, files, &image_tag::Rules { keys, repository: repository.as_deref(), allow })
        }
        Builtin::Secrets { names } => Ok(secrets(run.console.environment(), names)),
        Builtin::Disk { path, free } => disk::found(&folder.join(path), *free),
        // It runs a command, and is judged with it.
        Builtin::CleanAfter { .. } => Ok(Vec::new()),
    };
    evidence(builtin.name(), found)
}

/// Findings as the evidence of a linter.
fn evidence(name: &str, found: Result<Vec<Diagnostic>, String>) -> Found {
    match found {
        Ok(found) => {
            let mut tally = Tally::new(name, Nature::Linter);
            for diagnostic in found {
                tally.finding(diagnostic);
            }
            tally.finish()
        }
        Err(why) => (Evidence::of_problem(name, None, Reason::new("not_run", format!("{name}: {why}"))), Vec::new()),
    }
}

/// Whether the builtin `disk` works here.
///
/// # Errors
/// [`fault::Kind::Usage`]: it does not.
pub(super) fn disk_is_supported(loaded: &Loaded, check: &Check) -> Result<()> {
    if cfg!(unix) { Ok(()) } else { Err(loaded.fault(check.at, "the builtin `disk` needs a Unix system")) }
}

fn untracked(folder: &Path, paths: &[String]) -> Result<Vec<Diagnostic>, String> {
    let tracked = git::lines(folder, &["ls-files", "--full-name", "-z"], paths)?;
    let finding = |path: &String| {
        let text = "is tracked, and must not be: remove it with `git rm --cached` and add it to .gitignore";
        Diagnostic::error(format!("{path} {text}")).rule(Some("untracked")).at(Location::new(path, None, None))
    };
    Ok(tracked.iter().map(finding).collect())
}

fn secrets(environment: &Environment, names: &[String]) -> Vec<Diagnostic> {
    let missing = names.iter().filter(|name| environment.get(name).is_none_or(|value| value.trim().is_empty()));
    missing.map(|name| Diagnostic::error(format!("{name} is not set, or blank")).rule(Some("secrets"))).collect()
}

//! Asks git which sites have changed since a commit.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output};

use fault::Fault;

/// The sites of one directory that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// All of them: a shared file changed, or there is no earlier commit to compare with.
    All,
    /// Those with these names.
    Names(HashSet<String>),
}

impl Changed {
    /// Whether the site `name` changed.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.contains(name),
        }
    }
}

/// The sites in `dir` with a file that differs from the commit at which this branch left `reference`, committed or not; all of them
/// if a file that `watch` matches differs (globs from the repository's root).
///
/// `reference` may be the zero hash, which is what GitHub gives as `event.before` for a new branch: there is no commit before, so
/// everything is new.
pub(crate) fn since(reference: &str, watch: &[String], dir: &Path) -> fault::Result<Changed> {
    if is_zero_hash(reference) {
        return Ok(Changed::All);
    }
    if reference.starts_with('-') {
        return Err(
            Fault::usage(format!("`{reference}` is not a commit")).help("give --changed-since a branch, tag or hash")
        );
    }
    let failed = |why: &str| failure(reference, why);
    let base = git(dir, &["merge-base", reference, "HEAD"]).map_err(|why| failed(&why))?;
    let base = String::from_utf8_lossy(&base).trim().to_owned();
    // A file that moved from one site to another has changed both: a rename counts as a deletion and an addition.
    let since = ["diff", "--name-only", "--no-renames", "-z", &base, "--"];
    if !watch.is_empty() {
        let globs: Vec<String> = watch.iter().map(|glob| format!(":(top,glob){glob}")).collect();
        let words: Vec<&str> = since.into_iter().chain(globs.iter().map(String::as_str)).collect();
        if !git(dir, &words).map_err(|why| failed(&why))?.is_empty() {
            return Ok(Changed::All);
        }
    }
    let words = ["diff", "--name-only", "--no-renames", "-z", "--relative", &base, "--", "."];
    let differing = git(dir, &words).map_err(|why| failed(&why))?;
    let untracked = git(dir, &["ls-files", "--others", "--exclude-standard", "-z"]).map_err(|why| failed(&why))?;
    Ok(Changed::Names(names(&differing).chain(names(&untracked)).collect()))
}

/// Whether it is the hash of no object, in SHA-1 or SHA-256.
fn is_zero_hash(reference: &str) -> bool {
    matches!(reference.len(), 40 | 64) && reference.bytes().all(|byte| byte == b'0')
}

/// The first directory of each path in a NUL-terminated list.
fn names(list: &[u8]) -> impl Iterator<Item = String> {
    list.split(|byte| *byte == 0).filter_map(|path| {
        let path = String::from_utf8_lossy(path);
        path.split_once('/').map(|(site, _)| site.to_owned())
    })
}

/// What git prints, or why it failed.
fn git(dir: &Path, words: &[&str]) -> Result<Vec<u8>, String> {
    let Output { status, stdout, stderr } =
        Command::new("git").arg("-C").arg(dir).args(words).output().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(stdout);
    }
    let said = String::from_utf8_lossy(&stderr);
    Err(said.lines().next().unwrap_or("the two have no commit in common here").to_owned())
}

fn failure(reference: &str, why: &str) -> Fault {
    let help = if why.contains("dubious ownership") {
        "trust the checkout first: git config --global --add safe.directory \"$PWD\""
    } else if why.contains("not a git repository") {
        "run it in a checkout, or leave --changed-since out"
    } else {
        "fetch that commit and its history first; with actions/checkout: `fetch-depth: 0`"
    };
    Fault::usage(format!("git cannot tell what changed since `{reference}`")).cause(why).help(help)
}

#[cfg(test)]
mod tests {
    use super::{is_zero_hash, names};

    #[test]
    fn the_zero_hash_is_told_from_other_names() {
        assert!(is_zero_hash(&"0".repeat(40)) && is_zero_hash(&"0".repeat(64)));
        assert!(!is_zero_hash("0000000") && !is_zero_hash(&format!("{}1", "0".repeat(39))) && !is_zero_hash(""));
    }

    #[test]
    fn the_site_is_the_first_folder_and_loose_files_are_none() {
        let seen: Vec<String> = names(b"docs/src/a.md\0shop/x\0README.md\0").collect();
        assert_eq!(seen, ["docs", "shop"]);
    }
}

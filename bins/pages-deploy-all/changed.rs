//! Asks git which sites have changed since a commit.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fault::Fault;

use crate::configure::Site;

/// The names of the sites that have changed since `reference`: see [`since`]. A site that is a link has changed too if what it leads to
/// has, because git does not look behind links.
///
/// # Errors
/// git cannot tell.
pub(crate) fn sites_since(reference: &str, watch: &[String], sites: &[Site]) -> fault::Result<HashSet<String>> {
    let mut dirs: HashMap<PathBuf, fault::Result<Changed>> = HashMap::new();
    let mut has_changed = |path: &Path| {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Ok(true);
        };
        let changed = dirs.entry(dir.to_owned()).or_insert_with(|| since(reference, watch, dir));
        changed.clone().map(|changed| changed.has(name))
    };
    let mut names = HashSet::new();
    for site in sites {
        let path = std::path::absolute(&site.path).unwrap_or_else(|_| site.path.clone());
        let target = if site.path.is_symlink() { std::fs::canonicalize(&site.path).ok() } else { None };
        // What is behind a link may be in no repository: then it may have changed.
        if has_changed(&path)? || target.is_some_and(|target| has_changed(&target).unwrap_or(true)) {
            names.insert(site.name.clone());
        }
    }
    Ok(names)
}

/// The sites of one directory that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Changed {
    /// All of them: a shared file changed, or there is no earlier commit to compare with.
    All,
    /// Those with these names.
    Names(HashSet<String>),
}

impl Changed {
    /// Whether the site `name` changed.
    fn has(&self, name: &str) -> bool {
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
fn since(reference: &str, watch: &[String], dir: &Path) -> fault::Result<Changed> {
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

/// The first directory of each path in a NUL-terminated list, and the names of files and links beside them.
fn names(list: &[u8]) -> impl Iterator<Item = String> {
    list.split(|byte| *byte == 0).filter_map(|path| {
        let path = String::from_utf8_lossy(path);
        path.split('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
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
    fn the_site_is_the_first_folder_or_a_link() {
        let seen: Vec<String> = names(b"docs/src/a.md\0shop/x\0linked\0").collect();
        assert_eq!(seen, ["docs", "shop", "linked"]);
    }
}

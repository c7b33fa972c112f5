//! Which sites have changed since a commit, as git sees it.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output};

use fault::{Fault, Result};

/// The sites that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// All of them: something they share did.
    All,
    /// Those with these names.
    Names(HashSet<String>),
}

impl Changed {
    /// Whether the site `name` is among them.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.contains(name),
        }
    }
}

/// The sites in `dir` with a file that differs from where this branch left `reference`, committed or not; all of them when a file
/// that `watch` matches does (globs from the repository's root).
pub(crate) fn since(reference: &str, watch: &[String], dir: &Path) -> Result<Changed> {
    if reference.starts_with('-') {
        return Err(
            Fault::usage(format!("`{reference}` is no commit")).help("give --changed-since a branch, tag or hash")
        );
    }
    if !watch.is_empty() {
        let mut arguments =
            vec!["diff".to_owned(), "--name-only".to_owned(), "--merge-base".to_owned(), reference.to_owned()];
        arguments.push("--".to_owned());
        arguments.extend(watch.iter().map(|glob| format!(":(top,glob){glob}")));
        if !git(dir, &arguments, reference)?.is_empty() {
            return Ok(Changed::All);
        }
    }
    let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let differing =
        git(dir, &own(&["diff", "--name-only", "--relative", "-z", "--merge-base", reference, "--", "."]), reference)?;
    let untracked = git(dir, &own(&["ls-files", "--others", "--exclude-standard", "-z"]), reference)?;
    Ok(Changed::Names(names(&differing).chain(names(&untracked)).collect()))
}

/// The first folder of each path in a list with NUL ends.
fn names(list: &[u8]) -> impl Iterator<Item = String> {
    list.split(|byte| *byte == 0).filter_map(|path| {
        let path = String::from_utf8_lossy(path);
        path.split_once('/').map(|(site, _)| site.to_owned())
    })
}

fn git(dir: &Path, arguments: &[String], reference: &str) -> Result<Vec<u8>> {
    let failed = |why: String| {
        Fault::usage(format!("git cannot tell what changed since `{reference}`"))
            .cause(why)
            .help("fetch that commit and its history first; with actions/checkout: `fetch-depth: 0`")
    };
    let Output { status, stdout, stderr } =
        Command::new("git").arg("-C").arg(dir).args(arguments).output().map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(stdout);
    }
    let said = String::from_utf8_lossy(&stderr);
    Err(failed(said.lines().next().unwrap_or("it said nothing").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn the_site_is_the_first_folder_and_loose_files_are_none() {
        let seen: Vec<String> = names(b"docs/src/a.md\0shop/x\0README.md\0").collect();
        assert_eq!(seen, ["docs", "shop"]);
    }
}

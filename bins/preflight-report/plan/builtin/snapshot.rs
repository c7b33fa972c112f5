//! `clean-after`: what a command changes in the working tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use formats::{Diagnostic, Location};

use super::{Found, evidence, git};
use crate::plan::inputs;

/// What git finds changed: each path with its two letters, and a hash of what is in it.
type Changed = BTreeMap<String, (String, Option<String>)>;

/// The working tree before the command.
#[derive(Debug)]
pub(in crate::plan) struct Snapshot(Result<Changed, String>);

impl Snapshot {
    /// Asks git.
    pub(in crate::plan) fn take(folder: &Path, paths: &[String]) -> Self {
        Self(changed(folder, paths))
    }

    /// Asks git again: every difference is a finding.
    pub(in crate::plan) fn compare(self, folder: &Path, paths: &[String], command: &str) -> Found {
        let found = self.0.and_then(|before| {
            let after = changed(folder, paths)?;
            Ok(differences(&before, &after).into_iter().map(|path| finding(folder, path, command)).collect())
        });
        evidence("clean-after", found)
    }
}

/// The paths of which one knows something that the other does not.
fn differences<'a>(before: &'a Changed, after: &'a Changed) -> Vec<&'a str> {
    let all: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    all.into_iter().filter(|path| before.get(*path) != after.get(*path)).map(String::as_str).collect()
}

fn changed(folder: &Path, paths: &[String]) -> Result<Changed, String> {
    let root = PathBuf::from(git::output(folder, &["rev-parse", "--show-toplevel"], &[])?.trim_end());
    let mut lines =
        git::lines(folder, &["status", "--porcelain=v1", "-z", "-uall", "--no-renames"], paths)?.into_iter();
    let mut changed = Changed::new();
    for line in lines.by_ref() {
        if let Some((letters, path)) = line.split_at_checked(3) {
            let content = inputs::of_file(&root.join(path));
            changed.insert(path.to_owned(), (letters.trim_end().to_owned(), content));
        }
    }
    Ok(changed)
}

fn finding(folder: &Path, path: &str, command: &str) -> Diagnostic {
    let text = format!("{path} is not what `{command}` makes: run it and commit the result");
    // The path is relative to the repository's root.
    let top = format!(":(top,literal){path}");
    let diff = git::output(folder, &["diff", "--no-color", "--no-ext-diff", "HEAD"], &[top]).unwrap_or_default();
    let line = first_changed_line(&diff);
    Diagnostic::error(text).rule(Some("clean-after")).at(Location::new(path, line, None)).detail(diff)
}

/// The line of the first hunk.
fn first_changed_line(diff: &str) -> Option<i64> {
    let hunk = diff.lines().find(|line| line.starts_with("@@ "))?;
    hunk.split('+').nth(1)?.split([',', ' ']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Changed, differences, first_changed_line};

    #[test]
    fn what_was_changed_before_is_not_the_commands_unless_it_changed_again() {
        let state = |entries: &[(&str, &str, &str)]| -> Changed {
            let entry = |(path, letters, content): &(&str, &str, &str)| {
                ((*path).to_owned(), ((*letters).to_owned(), Some((*content).to_owned())))
            };
            entries.iter().map(entry).collect()
        };
        let before = state(&[("same", "M", "1"), ("again", "M", "1"), ("back", "M", "1")]);
        let after = state(&[("same", "M", "1"), ("again", "M", "2"), ("new", "??", "1")]);
        assert_eq!(differences(&before, &after), ["again", "back", "new"]);
    }

    #[test]
    fn the_first_hunk_gives_the_line() {
        assert_eq!(first_changed_line("--- a\n+++ b\n@@ -3,2 +5,4 @@ fn x\n"), Some(5));
        assert_eq!(first_changed_line(""), None);
    }
}

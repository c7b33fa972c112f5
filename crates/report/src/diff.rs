//! Which lines a change touches, read from a unified diff.

use std::collections::HashMap;

use crate::Finding;

/// How far a finding is from what a change touches; the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// On a line of the change.
    Line,
    /// In a file of the change.
    File,
    /// Elsewhere, or nothing is known of the change.
    Elsewhere,
}

/// The files of a change, with the lines that are new or different in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff(HashMap<String, Vec<(u64, u64)>>);

impl Diff {
    /// Reads what `git diff --unified=0 --dst-prefix=b/` prints. What is not understood is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (mut files, mut file, mut body) = (HashMap::<String, Vec<_>>::new(), None, 0);
        for line in text.lines() {
            // A line of the change itself may look like a heading.
            if body > 0 && line.starts_with(['+', '-', ' ']) {
                body -= 1;
            } else if let Some(path) = line.strip_prefix("+++ ") {
                file = path.strip_prefix("b/").map(|path| path.trim_end_matches('\t').to_owned());
                if let Some(file) = &file {
                    files.entry(file.clone()).or_default();
                }
            } else if let (Some((removed, first, added)), Some(file)) = (hunk(line), &file) {
                body = removed + added;
                if added > 0 {
                    files.entry(file.clone()).or_default().push((first, first + added - 1));
                }
            }
        }
        Self(files)
    }

    /// How near the finding is to the change.
    #[must_use]
    pub fn nearness(&self, finding: &Finding) -> Nearness {
        let Some(lines) = finding.path.as_deref().and_then(|path| self.0.get(path)) else {
            return Nearness::Elsewhere;
        };
        let is_there = |line: u64| lines.iter().any(|(first, last)| (*first..=*last).contains(&line));
        if finding.line.is_some_and(is_there) { Nearness::Line } else { Nearness::File }
    }
}

/// `@@ -1,2 +3,4 @@`: how many lines are removed, the first line that is added, how many are.
fn hunk(line: &str) -> Option<(u64, u64, u64)> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let new = rest.split(' ').next()?;
    let range = |text: &str| -> Option<(u64, u64)> {
        let (first, count) = text.split_once(',').unwrap_or((text, "1"));
        Some((first.parse().ok()?, count.parse().ok()?))
    };
    let ((_, removed), (first, added)) = (range(old)?, range(new)?);
    // Numbers that do not fit together are no lines.
    first.checked_add(added)?;
    removed.checked_add(added)?;
    Some((removed, first, added))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Diff, Nearness};
    use crate::{Finding, Level};

    fn nearness(diff: &Diff, path: &str, line: u64) -> Nearness {
        diff.nearness(&Finding { path: Some(path.to_owned()), line: Some(line), ..Finding::new(Level::Error, "") })
    }

    #[test]
    fn lines_files_and_what_is_elsewhere_are_told_apart() {
        let diff = Diff::parse(
            "diff --git a/x.ts b/x.ts\n--- a/x.ts\n+++ b/x.ts\n@@ -3 +3,2 @@ fn\n-old\n+++ b/y.ts\n+new\n@@ -9,2 +10,0 @@\n-a\n-b\n\
             diff --git a/gone b/gone\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
        );
        assert_eq!(nearness(&diff, "x.ts", 3), Nearness::Line);
        assert_eq!(nearness(&diff, "x.ts", 4), Nearness::Line);
        assert_eq!(nearness(&diff, "x.ts", 10), Nearness::File);
        assert_eq!(nearness(&diff, "y.ts", 1), Nearness::Elsewhere);
        assert_eq!(nearness(&diff, "gone", 1), Nearness::Elsewhere);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(@@ -|\\+\\+\\+ b/| \\+|[0-9]{1,20}|,|\\n|x| @@)*") {
            let _ = Diff::parse(&text);
        }
    }
}

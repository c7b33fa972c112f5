//! What changed since another report: new, known and fixed findings.
//!
//! A finding is recognised by its check, rule, file, test and message, not by its line, which moves with every edit above it. Numbers
//! in the message do not count either. A [`Digest`] holds a short hash of each, so that it fits into a comment or a check run.

use std::collections::HashMap;
use std::fmt::Write as _;

use ring::digest::{Context, SHA256};

use crate::{Check, Comparison, Finding, Report, Status};

/// The first word of a digest's text.
const VERSION: &str = "1";
/// How many bytes of each hash are kept.
const HASH: usize = 6;

type Hash = [u8; HASH];

/// Everything that a report found, as hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The commit that the report is about.
    pub commit: Option<String>,
    items: Vec<Hash>,
    total: u64,
}

impl Digest {
    /// The digest of a report about `commit`.
    #[must_use]
    pub fn of(report: &Report, commit: Option<&str>) -> Self {
        let mut digest = Self { commit: commit.map(str::to_owned), ..Self::default() };
        for (_, check) in report.checks() {
            digest.items.extend(check.findings.iter().map(|finding| of_finding(&check.id, finding)));
            digest.total += check.findings_omitted;
            if is_item(check) {
                digest.items.push(of_check(check));
            }
        }
        digest.total += digest.items.len() as u64;
        digest
    }

    /// The digest as one word of text, with at most `most` of its findings.
    #[must_use]
    pub fn encode(&self, most: usize) -> String {
        let mut text = format!("{VERSION}.{}.{}.", self.commit.as_deref().unwrap_or_default(), self.total);
        for byte in self.items.iter().take(most).flatten() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// Reads what [`Self::encode`] wrote; `None` for anything else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (version, commit, total, items) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_commit = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_hex = items.len() % (2 * HASH) == 0 && items.bytes().all(|byte| byte.is_ascii_hexdigit());
        if version != VERSION || !is_commit || !is_hex || parts.next().is_some() {
            return None;
        }
        let bytes: Vec<u8> =
            (0..items.len()).step_by(2).filter_map(|at| u8::from_str_radix(&items[at..at + 2], 16).ok()).collect();
        Some(Self {
            commit: (!commit.is_empty()).then(|| commit.to_owned()),
            items: bytes.as_chunks().0.to_vec(),
            total: total.parse().ok()?,
        })
    }

    fn is_partial(&self) -> bool {
        self.total > self.items.len() as u64
    }

    /// What changed from `base` to this report.
    #[must_use]
    pub fn since(&self, base: &Self, with: impl Into<String>) -> Comparison {
        let mut left = counted(base);
        let known = self.items.iter().filter(|item| is_known(**item, &mut left)).count() as u64;
        Comparison {
            with: Some(with.into()),
            why_not: None,
            new: self.items.len() as u64 - known,
            known,
            fixed: left.into_values().sum(),
            is_partial: self.is_partial() || base.is_partial(),
        }
    }
}

impl Report {
    /// Compares the report with `base`: marks each finding as new or known, new ones first, and keeps the outcome.
    pub fn compare(&mut self, base: &Digest, with: impl Into<String>) {
        let mut left = counted(base);
        for check in self.stages.iter_mut().flat_map(|stage| &mut stage.checks).filter(|check| check.has_details()) {
            let id = check.id.clone();
            for finding in &mut check.findings {
                finding.new = Some(!is_known(of_finding(&id, finding), &mut left));
            }
            check.findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.new == Some(false)));
        }
        self.comparison = Some(Digest::of(self, None).since(base, with));
    }
}

fn counted(digest: &Digest) -> HashMap<Hash, u64> {
    let mut counts = HashMap::new();
    for item in &digest.items {
        *counts.entry(*item).or_default() += 1;
    }
    counts
}

/// Takes the item from those that are left.
fn is_known(item: Hash, left: &mut HashMap<Hash, u64>) -> bool {
    left.get_mut(&item).filter(|count| **count > 0).is_some_and(|count| {
        *count -= 1;
        true
    })
}

/// A check that did not pass, without a finding that explains it, is an item itself.
fn is_item(check: &Check) -> bool {
    check.findings.is_empty() && matches!(check.status, Status::Failed | Status::Missing | Status::Cancelled)
}

fn of_check(check: &Check) -> Hash {
    let code = check.reason.as_ref().map_or("", |reason| reason.code.as_str());
    hash(&[&check.id, check.status.name(), code])
}

fn of_finding(check: &str, finding: &Finding) -> Hash {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let message: String = finding.message.chars().filter(|one| !one.is_ascii_digit() && !one.is_whitespace()).collect();
    hash(&[check, &part(&finding.rule), &part(&finding.path), &part(&finding.test), &message])
}

fn hash(parts: &[&str]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        // The length keeps neighbours apart.
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(&context.finish().as_ref()[..HASH]);
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Digest;
    use crate::{Finding, Level, Record, Report};

    fn report(messages: &[(&str, u64)]) -> Report {
        let mut lines = vec![r#"{"v":1,"event":"run_started","plan":["a/lint","a/unit"]}"#.to_owned()];
        for (message, line) in messages {
            let finding = serde_json::json!({"v":1,"event":"finding","check":"a/lint","level":"error","path":"x.ts",
                "line":line,"rule":"R","message":message});
            lines.push(finding.to_string());
        }
        lines.push(r#"{"v":1,"event":"check_finished","check":"a/lint","status":"failed"}"#.to_owned());
        lines.push(r#"{"v":1,"event":"check_finished","check":"a/unit","status":"passed"}"#.to_owned());
        lines.push(r#"{"v":1,"event":"run_finished","result":"failed"}"#.to_owned());
        Report::of(&lines.iter().map(|line| Record::parse(line).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn a_finding_that_only_moved_is_known_and_a_second_one_like_it_is_new() {
        let base = report(&[("unused import", 4), ("line 7 is too long", 7), ("gone", 9)]);
        let mut now = report(&[("unused import", 40), ("unused import", 41), ("line 70 is too long", 70)]);
        let verdict = now.result();
        now.compare(&Digest::of(&base, None), "main");
        let comparison = now.comparison.clone().unwrap();
        assert_eq!(comparison.sentence(), "1 new, 2 known, 1 fixed since main");
        let new: Vec<_> = now.stages[0].checks[0].findings.iter().map(|finding| finding.new).collect();
        assert_eq!(new, [Some(true), Some(false), Some(false)], "new ones come first");
        assert_eq!(now.result(), verdict);
    }

    #[test]
    fn a_failed_check_without_a_finding_counts() {
        let (red, green) = (report(&[]), Digest::default());
        assert_eq!(Digest::of(&red, None).since(&green, "main").new, 1);
        assert_eq!(green.since(&Digest::of(&red, None), "main").fixed, 1);
    }

    #[test]
    fn a_digest_that_was_cut_makes_the_comparison_partial() {
        let base = Digest::of(&report(&[("a", 1), ("b", 1), ("c", 1)]), None);
        let cut = Digest::decode(&base.encode(2)).unwrap();
        let comparison = base.since(&cut, "main");
        assert!(comparison.is_partial && comparison.sentence().ends_with("that were kept"), "{comparison:?}");
        assert_eq!((comparison.new, comparison.known), (1, 2));
    }

    #[test]
    fn text_that_is_no_digest_is_none() {
        for text in ["", "1", "2.ab.0.", "1.xyz.0.", "1.ab.0.0", "1.ab.zero.", "1.ab.0.0102030405zz", "1.ab.0..x"] {
            assert_eq!(Digest::decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_digest_reads_back_and_equals_itself(messages in prop::collection::vec("[a-z ]{1,12}", 0..12)) {
            let messages: Vec<_> = messages.iter().map(|message| (message.as_str(), 1)).collect();
            let digest = Digest::of(&report(&messages), Some("5ae7847"));
            let read = Digest::decode(&digest.encode(100)).unwrap();
            prop_assert_eq!(&read, &digest);
            let same = digest.since(&read, "itself");
            prop_assert!(!same.is_change());
        }

        #[test]
        fn new_known_and_fixed_add_up(
            now in prop::collection::vec(0_u8..5, 0..12), base in prop::collection::vec(0_u8..5, 0..12),
        ) {
            let digest = |items: &[u8]| {
                let mut report = report(&[]);
                report.stages[0].checks[0].findings =
                    items.iter().map(|item| Finding::new(Level::Error, char::from(b'a' + item))).collect();
                // The check is an item only without a finding.
                (Digest::of(&report, None), items.len().max(1) as u64)
            };
            let ((now, have), (base, had)) = (digest(&now), digest(&base));
            let comparison = now.since(&base, "main");
            prop_assert_eq!(comparison.new + comparison.known, have);
            prop_assert_eq!(comparison.fixed + comparison.known, had);
        }
    }
}

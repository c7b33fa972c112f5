//! Revisions: when the one that is found is the one that is wanted.
//!
//! A hash may be shortened, as people and tags do; everything else is exact, because a prefix of a version is another version.

use std::fmt;
use std::str::FromStr;

/// How long a shortened hash is at least; git's own default.
const SHORTEST: usize = 7;
/// Lengths of whole hashes: SHA-1, SHA-256.
const WHOLE: [usize; 2] = [40, 64];

/// A revision that is waited for, or that was found. Never blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `found` is this revision: equal after Flux's forms are taken apart, or one a hash of 7 to 39 digits that begins the other,
    /// whole one.
    #[must_use]
    pub fn is(&self, found: &str) -> bool {
        let (ours, found) = (core(&self.0), core(found.trim()));
        ours == found || (is_hash(ours) && is_hash(found) && same_hash(ours, found))
    }
}

impl FromStr for Revision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Err("the revision is empty: is an expression or a variable empty?".to_owned()),
            "null" | "undefined" => Err(format!("the revision is `{}`: an expression had no value", text.trim())),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The hash of `REF@sha1:HASH`, `sha1:HASH`, `REF@sha256:DIGEST` or `REF/HASH`; else the text itself.
#[must_use]
pub(crate) fn core(text: &str) -> &str {
    for algorithm in ["sha1:", "sha256:"] {
        if let Some((before, hash)) = text.rsplit_once(algorithm)
            && (before.is_empty() || before.ends_with('@'))
            && is_hash(hash)
        {
            return hash;
        }
    }
    // Before Flux 2.0: `main/HASH`. Only a whole hash, since `feature/deadbeef` is a branch.
    match text.rsplit_once('/') {
        Some((_, hash)) if is_hash(hash) && WHOLE.contains(&hash.len()) => hash,
        _ => text,
    }
}

fn is_hash(text: &str) -> bool {
    text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn same_hash(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let starts = long.get(..short.len()).is_some_and(|start| start.eq_ignore_ascii_case(short));
    starts && (short.len() == long.len() || (short.len() < WHOLE[0] && WHOLE.contains(&long.len())))
}

/// Whether this is a whole hash of a commit, for which git can be asked.
#[must_use]
pub(crate) fn is_commit(text: &str) -> bool {
    is_hash(core(text)) && core(text).len() <= WHOLE[1]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Revision;

    const FULL: &str = "8f4e2a91c0de8f4e2a91c0de8f4e2a91c0de8f4e";

    fn is(wanted: &str, found: &str) -> bool {
        wanted.parse::<Revision>().unwrap().is(found)
    }

    #[test]
    fn a_short_hash_is_the_whole_one_that_it_begins() {
        assert!(is(FULL, "8f4e2a9") && is("8f4e2a9", FULL) && is("8F4E2A9", FULL));
        assert!(!is(FULL, "8f4e2a"), "six digits are too few");
        assert!(!is("8f4e2a9", "8f4e2a91c0"), "neither is whole");
        assert!(!is(FULL, "8f4e2a8"));
        // A SHA-1 does not shorten a SHA-256.
        assert!(!is(FULL, &format!("{FULL}000000000000000000000000")));
    }

    #[test]
    fn flux_forms_are_taken_apart() {
        for form in ["main@sha1:", "sha1:", "v1.2@sha1:", "refs/pull/1/head@sha1:", "main/"] {
            assert!(is(FULL, &format!("{form}{FULL}")), "{form}");
            assert!(is(&format!("main@sha1:{FULL}"), &format!("{form}{FULL}")), "{form}");
        }
        assert!(!is("main@sha1:0000000", &format!("main@sha1:{FULL}")));
        assert!(!is("feature/deadbee", "other/deadbee"));
    }

    #[test]
    fn what_is_no_hash_is_exact() {
        assert!(is("v1.2.3", "v1.2.3\n"));
        assert!(!is("v1.2.3", "v1.2.30") && !is("1234567", "12345678"));
    }

    #[test]
    fn an_empty_revision_is_refused() {
        for text in ["", " \n", "null", "undefined"] {
            assert!(text.parse::<Revision>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn equality_is_symmetric(one in "[0-9a-fA-F]{6,42}|v[0-9.]{1,5}", other in "[0-9a-fA-F]{6,42}|v[0-9.]{1,5}") {
            prop_assert_eq!(is(&one, &other), is(&other, &one));
        }

        #[test]
        fn a_prefix_of_seven_digits_is_enough(hash in "[0-9a-f]{40}", length in 7_usize..40) {
            prop_assert!(is(&hash, &hash[..length].to_uppercase()));
        }
    }
}

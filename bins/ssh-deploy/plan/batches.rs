//! Which hosts change together, and how many failures stop the rollout.
//!
//! A percentage is of all hosts, rounded down, at least one. Reaching the limit stops: with 3, the third failure does. Any failure
//! in the first of several batches stops, whatever the limit: that is what a canary is for.

use std::str::FromStr;
use std::time::Duration;

/// A number of hosts, or a part of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// A number of hosts.
    Hosts(usize),
    /// A percentage of all hosts.
    Percent(usize),
}

impl Share {
    /// How many of `hosts` that is, at least one.
    fn of(self, hosts: usize) -> usize {
        match self {
            Self::Hosts(count) => count,
            Self::Percent(percent) => hosts * percent / 100,
        }
        .max(1)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, percent) = text.strip_suffix('%').map_or((text, false), |digits| (digits, true));
        let number = digits.parse::<usize>().ok().filter(|number| *number > 0 && (!percent || *number <= 100));
        let number = number.ok_or_else(|| "not a number of hosts: give 2 or 25%".to_owned())?;
        Ok(if percent { Self::Percent(number) } else { Self::Hosts(number) })
    }
}

/// How a deploy goes through its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batches {
    /// How many hosts each batch has; all of them together are all hosts.
    pub(crate) sizes: Vec<usize>,
    /// The pause between two batches.
    pub(crate) pause: Duration,
    /// The failures at which no further batch begins.
    limit: usize,
}

impl Batches {
    /// The batches of `hosts` hosts. The last share repeats; without any, all hosts are one batch.
    pub(crate) fn new(shares: &[Share], limit: Option<Share>, pause: Duration, hosts: usize) -> Self {
        let mut sizes = Vec::new();
        let mut left = hosts;
        let mut shares = shares.iter();
        let mut share = Share::Percent(100);
        while left > 0 {
            share = shares.next().copied().unwrap_or(share);
            let size = share.of(hosts).min(left);
            sizes.push(size);
            left -= size;
        }
        Self { sizes, pause, limit: limit.map_or(1, |limit| limit.of(hosts)) }
    }

    /// The same limits for batches of these sizes.
    pub(crate) fn with_sizes(self, sizes: Vec<usize>) -> Self {
        Self { sizes, ..self }
    }

    /// Whether a further batch may begin after `done` batches with `failures` failed hosts.
    pub(crate) fn go_on(&self, done: usize, failures: usize) -> bool {
        if done <= 1 { failures == 0 } else { failures < self.limit }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Batches, Share};

    fn batches(list: &str, limit: Option<&str>, hosts: usize) -> Batches {
        let shares: Vec<Share> =
            list.split(',').filter(|one| !one.is_empty()).map(|one| one.parse().unwrap()).collect();
        Batches::new(&shares, limit.map(|limit| limit.parse().unwrap()), Duration::ZERO, hosts)
    }

    #[test]
    fn the_last_share_repeats_until_all_hosts_have_their_batch() {
        assert_eq!(batches("", None, 7).sizes, [7]);
        assert_eq!(batches("2", None, 5).sizes, [2, 2, 1]);
        assert_eq!(batches("1,25%,100%", None, 20).sizes, [1, 5, 14]);
        assert_eq!(batches("10%", None, 5).sizes, [1; 5]);
    }

    #[test]
    fn the_limit_is_reached_and_the_first_batch_allows_no_failure() {
        let strict = batches("1", None, 9);
        assert!(strict.go_on(1, 0) && !strict.go_on(1, 1) && !strict.go_on(2, 1));
        let lenient = batches("1", Some("3"), 9);
        assert!(!lenient.go_on(1, 1));
        assert!(lenient.go_on(2, 2) && !lenient.go_on(2, 3));
        assert!(batches("1", Some("50%"), 9).go_on(5, 3) && !batches("1", Some("50%"), 9).go_on(5, 4));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in ["", "0", "-1", "101%", "x", "%", "1.5"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_host_is_in_one_batch(shares in proptest::collection::vec((1usize..200).prop_map(Share::Percent), 0..4), hosts in 1usize..300) {
            let sizes = Batches::new(&shares, None, Duration::ZERO, hosts).sizes;
            prop_assert_eq!(sizes.iter().sum::<usize>(), hosts);
            prop_assert!(sizes.iter().all(|size| *size > 0));
        }
    }
}

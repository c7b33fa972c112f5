//! `--shard I/N`: the part of the items that one of several parallel jobs takes.

use std::fmt;
use std::str::FromStr;

/// Part `index` of `count` parts, counted from 1. As a clap argument: `value_name = "I/N"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Keeps every `count`-th item, from the `index`-th on. No two shards share an item, and together they have all of them.
    #[must_use]
    pub fn select<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.index - 1).step_by(self.count).collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<usize>().ok();
        match text.split_once('/').map(|(index, count)| (number(index), number(count))) {
            Some((Some(index), Some(count))) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err("expected I/N with I from 1 to N: 2/8 is the second of eight parts".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Shard;

    #[test]
    fn only_a_part_of_a_whole_is_a_shard() {
        for bad in ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", " 1/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
        assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
    }

    proptest! {
        #[test]
        fn shards_share_nothing_have_all_and_are_alike_in_size(length in 0usize..50, count in 1usize..9) {
            let all: Vec<usize> = (0..length).collect();
            let parts: Vec<Vec<usize>> = (1..=count).map(|index| Shard { index, count }.select(all.clone())).collect();
            prop_assert!(parts.iter().all(|part| part.len().abs_diff(length / count) <= 1), "they are alike in size");
            let mut seen = parts.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, all);
        }
    }
}

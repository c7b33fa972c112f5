//! Which of the hosts this run is about: some by name or label, or the part of a matrix job.

use std::str::FromStr;

use fault::{Fault, Result};
use ssh::Target;

/// A host's name, or a label it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    /// The host of that name.
    Name(String),
    /// The hosts with that label.
    Label(String, String),
}

impl FromStr for Only {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('=') {
            Some((label, value)) => Self::Label(label.to_owned(), value.to_owned()),
            None => Self::Name(text.to_owned()),
        })
    }
}

impl Only {
    fn fits(&self, target: &Target) -> bool {
        match self {
            Self::Name(name) => target.name == *name || target.address.host.as_str() == name,
            Self::Label(label, value) => target.labels.get(label) == Some(value),
        }
    }
}

/// `i/n`: every n-th host, from the i-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    index: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if 1 <= index && index <= count => Ok(Self { index, count }),
            _ => Err("not a part: give 1/4 to 4/4".to_owned()),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.index, self.count)
    }
}

/// The hosts that are meant, in their order. A part may be empty: there are more jobs than hosts.
///
/// # Errors
/// A usage fault for a name or label that no host has: a deploy to nothing is no success.
pub(crate) fn meant(targets: Vec<Target>, only: &[Only], shard: Option<Shard>) -> Result<Vec<Target>> {
    if let Some(nobody) = only.iter().find(|only| !targets.iter().any(|target| only.fits(target))) {
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).take(10).collect();
        let what = match nobody {
            Only::Name(name) => format!("no host is named `{name}`"),
            Only::Label(label, value) => format!("no host has the label `{label}={value}`"),
        };
        return Err(Fault::usage(what).cause(format!("the hosts are {}", names.join(", "))));
    }
    let mut meant: Vec<Target> =
        targets.into_iter().filter(|target| only.is_empty() || only.iter().any(|only| only.fits(target))).collect();
    if let Some(Shard { index, count }) = shard {
        meant = meant.into_iter().skip(index - 1).step_by(count).collect();
    }
    Ok(meant)
}

#[cfg(test)]
mod tests {
    use ssh::inventory;

    use super::{Only, Shard, meant};

    fn names(only: &[&str], shard: Option<&str>) -> fault::Result<Vec<String>> {
        let list = r#"{"a": {"host": "10.0.0.1", "labels": {"zone": "x"}}, "b": {"host": "10.0.0.2", "labels": {"zone": "y"}},
                       "c": {"host": "10.0.0.3", "labels": {"zone": "x"}}}"#;
        let Ok(only) = only.iter().map(|text| text.parse()).collect::<Result<Vec<Only>, _>>();
        let targets = meant(inventory::parse(list).unwrap(), &only, shard.map(|text| text.parse().unwrap()))?;
        Ok(targets.into_iter().map(|target| target.name).collect())
    }

    #[test]
    fn hosts_are_meant_by_name_address_or_label() {
        assert_eq!(names(&[], None).unwrap(), ["a", "b", "c"]);
        assert_eq!(names(&["b", "10.0.0.1"], None).unwrap(), ["a", "b"]);
        assert_eq!(names(&["zone=x"], None).unwrap(), ["a", "c"]);
    }

    #[test]
    fn a_name_that_nobody_has_is_an_error_and_names_the_hosts() {
        let fault = names(&["a", "d"], None).unwrap_err();
        assert_eq!(
            (fault.message.as_str(), fault.causes[0].as_str()),
            ("no host is named `d`", "the hosts are a, b, c")
        );
        assert!(names(&["zone=z"], None).is_err());
    }

    #[test]
    fn the_parts_together_are_all_hosts_once() {
        let parts = ["1/2", "2/2"].map(|part| names(&[], Some(part)).unwrap());
        assert_eq!(parts, [vec!["a", "c"], vec!["b"]]);
        assert!(names(&[], Some("4/4")).unwrap().is_empty());
        for text in ["0/2", "3/2", "1", "a/b", "1/0"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}

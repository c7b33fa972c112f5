//! Which of the hosts this run deploys to: all, some by name or label, or the part of a matrix job.

use std::str::FromStr;

use cli::Shard;
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
    fn matches(&self, target: &Target) -> bool {
        match self {
            Self::Name(name) => target.name == *name || target.address.host.as_str() == name,
            Self::Label(label, value) => target.labels.get(label) == Some(value),
        }
    }
}

/// The selected hosts, in their order. A part may be empty: there may be more jobs than hosts.
///
/// # Errors
/// A usage fault for a name or label that no host has: a deploy to nothing is no success.
pub(crate) fn selected(targets: Vec<Target>, only: &[Only], shard: Option<Shard>) -> Result<Vec<Target>> {
    if let Some(absent) = only.iter().find(|only| !targets.iter().any(|target| only.matches(target))) {
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).take(10).collect();
        let what = match absent {
            Only::Name(name) => format!("no host is named `{name}`"),
            Only::Label(label, value) => format!("no host has the label `{label}={value}`"),
        };
        return Err(Fault::usage(what).cause(format!("the hosts are {}", names.join(", "))));
    }
    let chosen: Vec<Target> =
        targets.into_iter().filter(|target| only.is_empty() || only.iter().any(|only| only.matches(target))).collect();
    Ok(match shard {
        Some(shard) => shard.select(chosen),
        None => chosen,
    })
}

#[cfg(test)]
mod tests {
    use ssh::inventory;

    use super::{Only, selected};

    fn names(only: &[&str], shard: Option<&str>) -> fault::Result<Vec<String>> {
        let list = r#"{"a": {"host": "10.0.0.1", "labels": {"zone": "x"}}, "b": {"host": "10.0.0.2", "labels": {"zone": "y"}},
                       "c": {"host": "10.0.0.3", "labels": {"zone": "x"}}}"#;
        let Ok(only) = only.iter().map(|text| text.parse()).collect::<Result<Vec<Only>, _>>();
        let targets = selected(inventory::parse(list).unwrap(), &only, shard.map(|text| text.parse().unwrap()))?;
        Ok(targets.into_iter().map(|target| target.name).collect())
    }

    #[test]
    fn hosts_are_selected_by_name_address_or_label() {
        assert_eq!(names(&[], None).unwrap(), ["a", "b", "c"]);
        assert_eq!(names(&["b", "10.0.0.1"], None).unwrap(), ["a", "b"]);
        assert_eq!(names(&["zone=x"], None).unwrap(), ["a", "c"]);
    }

    #[test]
    fn a_name_that_no_host_has_is_an_error_and_names_the_hosts() {
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
    }
}

//! A YAML mapping of names to scalars, each scalar as it is written.

use fault::{Fault, Result};
use yaml::{ScalarStyle, Yaml};

use super::pair::{Pair, too_deep};

pub(super) fn parse(text: &str) -> Result<Vec<Pair>> {
    let documents = yaml::as_written(text).map_err(|error| Fault::usage(error.to_string()))?;
    let Some(mapping) = documents.first().and_then(Yaml::as_mapping) else {
        return Err(Fault::usage("neither dotenv, nor an object of JSON, nor a mapping of YAML"));
    };
    let mut pairs = Vec::new();
    for (name, value) in mapping {
        let Yaml::Representation(name, ..) = name else { return Err(Fault::usage("a name is not plain text")) };
        pairs.push((name.to_string(), scalar(name, value)?));
    }
    Ok(pairs)
}

fn scalar(name: &str, value: &Yaml<'_>) -> Result<Option<String>> {
    match value {
        Yaml::Representation(text, ScalarStyle::Plain, _)
            if ["", "~", "null", "Null", "NULL"].contains(&text.as_ref()) =>
        {
            Ok(None)
        }
        Yaml::Representation(text, ..) => Ok(Some(text.to_string())),
        Yaml::Tagged(_, inner) => scalar(name, inner),
        _ => Err(too_deep(name)),
    }
}

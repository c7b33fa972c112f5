//! A YAML mapping of names to scalars, each scalar as it is written.

use fault::{Fault, Result};
use saphyr::{ScalarStyle, Yaml, YamlLoader};
use saphyr_parser::{Event, Parser, ScanError};

use super::{Pair, too_deep};

/// The loader calls itself for each level, and a document of nothing but brackets must not end this program by a signal.
const DEPTH: usize = 64;

pub(super) fn parse(text: &str) -> Result<Vec<Pair>> {
    if is_deep(text) {
        return Err(Fault::usage(format!("it is nested deeper than {DEPTH} levels")));
    }
    let documents = load(text).map_err(|error| {
        Fault::usage(format!("not YAML at line {} column {}", error.marker().line(), error.marker().col() + 1))
    })?;
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

fn is_deep(text: &str) -> bool {
    let mut depth = 0;
    for (event, _) in Parser::new_from_str(text).map_while(std::result::Result::ok) {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth -= 1,
            _ => {}
        }
        if depth > DEPTH {
            return true;
        }
    }
    false
}

/// Scalars stay text: `1.10` is a version as often as a number.
fn load(text: &str) -> Result<Vec<Yaml<'_>>, ScanError> {
    let mut loader = YamlLoader::default();
    loader.early_parse(false);
    Parser::new_from_str(text).load(&mut loader, true)?;
    Ok(loader.into_documents())
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

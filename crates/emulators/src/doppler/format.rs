//! The formats and name transformers of `secrets/download`, as Doppler renders them on its side.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A name under one of the API's transformers; `None` for a transformer that the API does not know.
pub(super) fn transform(name: &str, transformer: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let words = || lower.split('_').filter(|word| !word.is_empty());
    Some(match transformer {
        "lower-snake" => lower.clone(),
        "lower-kebab" => lower.replace('_', "-"),
        "tf-var" => format!("TF_VAR_{lower}"),
        "upper-camel" => words().map(capital).collect(),
        "camel" => {
            words().enumerate().map(|(at, word)| if at == 0 { word.to_owned() } else { capital(word) }).collect()
        }
        "dotnet" => dotnet(&lower, ":"),
        "dotnet-env" => dotnet(&lower, "__"),
        _ => return None,
    })
}

/// `SMTP__USER_NAME` → `Smtp:UserName`; a lone final underscore is dropped.
fn dotnet(lower: &str, separator: &str) -> String {
    let sections = lower.split("__").map(|section| section.split('_').map(capital).collect::<String>());
    sections.filter(|section| !section.is_empty()).collect::<Vec<_>>().join(separator)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The body and content type of a download; `None` for a format that the API does not know.
pub(super) fn render(secrets: &BTreeMap<String, Value>, format: &str) -> Option<(&'static str, String)> {
    let lines = |line: fn(&str, &str) -> String| {
        let lines = secrets.iter().map(|(name, value)| line(name, value.as_str().unwrap_or_default()));
        lines.collect::<Vec<_>>().join("\n")
    };
    Some(match format {
        "json" => ("application/json; charset=utf-8", object(secrets, |name| Some(name.to_owned()))),
        "dotnet-json" => ("application/json; charset=utf-8", object(secrets, |name| transform(name, "dotnet"))),
        "env" => ("text/plain; charset=utf-8", lines(|name, value| format!("{name}=\"{}\"", quoted(value)))),
        "docker" | "env-no-quotes" => ("text/plain; charset=utf-8", lines(|name, value| format!("{name}={value}"))),
        "yaml" => ("text/plain; charset=utf-8", lines(|name, value| format!("{name}: {}", Value::from(value)))),
        _ => return None,
    })
}

fn object(secrets: &BTreeMap<String, Value>, rename: fn(&str) -> Option<String>) -> String {
    let entries = secrets.iter().filter_map(|(name, value)| Some((rename(name)?, value.clone())));
    Value::Object(entries.collect::<Map<_, _>>()).to_string()
}

/// Doppler's `env` escapes backslash and double quote, and nothing else.
fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_transformed_as_the_documentation_shows() {
        for (transformer, name, expected) in [
            ("camel", "API_KEY", "apiKey"),
            ("upper-camel", "API_KEY", "ApiKey"),
            ("lower-snake", "API_KEY", "api_key"),
            ("lower-kebab", "API_KEY", "api-key"),
            ("tf-var", "DOPPLER_CONFIG", "TF_VAR_doppler_config"),
            ("dotnet-env", "SMTP__USER_NAME", "Smtp__UserName"),
            ("dotnet", "TEST__SECRET", "Test:Secret"),
            ("dotnet", "TEST_", "Test"),
        ] {
            assert_eq!(transform(name, transformer).as_deref(), Some(expected));
        }
        assert_eq!(transform("A", "pascal"), None);
    }

    #[test]
    fn the_env_format_leaves_dollars_and_newlines_alone() {
        let secrets = BTreeMap::from([("K".to_owned(), Value::from("a\"b\\c$\nd"))]);
        assert_eq!(render(&secrets, "env").map(|(_, text)| text).as_deref(), Some("K=\"a\\\"b\\\\c$\nd\""));
    }
}

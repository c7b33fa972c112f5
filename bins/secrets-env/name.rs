//! Names in another shape: Doppler's seven name transformers, done here so that one read serves every shape.
//!
//! Held to the vectors of Doppler's own tests (`name_transformers_test.go`) and documentation.

use std::str::FromStr;

use clap::ValueEnum;
use fault::Fault;

/// One of Doppler's name transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transform {
    /// `apiKey`
    Camel,
    /// `ApiKey`
    UpperCamel,
    /// `api_key`
    LowerSnake,
    /// `TF_VAR_api_key`
    TfVar,
    /// `Api:Key` of `API__KEY`
    Dotnet,
    /// `Api__Key` of `API__KEY`
    DotnetEnv,
    /// `api-key`
    LowerKebab,
}

impl Transform {
    /// `name` in this shape.
    pub(crate) fn apply(self, name: &str) -> String {
        match self {
            Self::Camel => {
                let (first, rest) =
                    words(name).split_first().map_or((String::new(), String::new()), |(first, rest)| {
                        (first.clone(), rest.iter().map(|word| capitalised(word)).collect())
                    });
                first + &rest
            }
            Self::UpperCamel => pascal(name),
            Self::LowerSnake => name.to_lowercase(),
            Self::TfVar => format!("TF_VAR_{}", name.to_lowercase()),
            Self::Dotnet => sections(name).join(":"),
            Self::DotnetEnv => sections(name).join("__"),
            Self::LowerKebab => name.to_lowercase().replace('_', "-"),
        }
    }
}

fn words(name: &str) -> Vec<String> {
    name.split('_').filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn sections(name: &str) -> Vec<String> {
    name.split("__").map(pascal).filter(|section| !section.is_empty()).collect()
}

fn pascal(name: &str) -> String {
    words(name).iter().map(|word| capitalised(word)).collect()
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// `OLD=NEW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rename {
    /// The name in Doppler.
    pub(crate) old: String,
    /// The name it is handed on under.
    pub(crate) new: String,
}

impl FromStr for Rename {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match text.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => {
                Ok(Self { old: old.to_owned(), new: new.to_owned() })
            }
            _ => Err(Fault::usage("not of the form OLD=NEW")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Transform::{Camel, Dotnet, DotnetEnv, LowerKebab, LowerSnake, TfVar, UpperCamel};

    #[test]
    fn names_come_out_as_dopplers_transformers_write_them() {
        let vectors = [
            (Camel, "API_KEY", "apiKey"),
            (UpperCamel, "API_KEY", "ApiKey"),
            (LowerSnake, "API_KEY", "api_key"),
            (LowerKebab, "API_KEY", "api-key"),
            (TfVar, "DOPPLER_CONFIG", "TF_VAR_doppler_config"),
            (Dotnet, "TEST", "Test"),
            (Dotnet, "TEST_", "Test"),
            (Dotnet, "TEST_SECRET_NAME", "TestSecretName"),
            (Dotnet, "TEST__SECRET", "Test:Secret"),
            (DotnetEnv, "SMTP__USER_NAME", "Smtp__UserName"),
        ];
        for (transform, name, shaped) in vectors {
            assert_eq!(transform.apply(name), shaped);
        }
    }

    #[test]
    fn a_rename_has_two_names() {
        assert!("A=B".parse::<super::Rename>().is_ok());
        for text in ["A", "=B", "A="] {
            assert!(text.parse::<super::Rename>().is_err(), "{text}");
        }
    }
}

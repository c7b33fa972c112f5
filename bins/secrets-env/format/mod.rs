//! Prints secrets so that the format's consumer reads back exactly the values: each in a file of its own, all pure.

mod dotenv;
mod shell;
mod table;

use clap::ValueEnum;
use fault::{Fault, Result};
use secrecy::ExposeSecret as _;

use crate::select::Chosen;

/// How secrets are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Names, visibility and length; no values
    Text,
    /// One JSON object of strings
    Json,
    /// Lines that node --env-file, python-dotenv and shells read alike
    Dotenv,
    /// `export` lines for sh, bash, dash and zsh: eval "$(secrets-env --format shell)"
    Shell,
    /// The names, one a line
    Names,
    /// The value alone, of exactly one secret
    Raw,
}

/// The secrets in `format`, ready to print.
///
/// # Errors
/// [`fault::Kind::Usage`] when the format cannot hold a value, naming the secret and a format that can.
pub(crate) fn render(secrets: &[Chosen], format: Format) -> Result<String> {
    match format {
        Format::Text => Ok(table::render(secrets)),
        Format::Json => Ok(json(secrets)),
        Format::Dotenv => lines(secrets, dotenv::line),
        Format::Shell => lines(secrets, shell::line),
        Format::Names => Ok(secrets.iter().flat_map(|secret| [secret.name.as_str(), "\n"]).collect()),
        Format::Raw => raw(secrets),
    }
}

fn lines(secrets: &[Chosen], line: impl Fn(&str, &str) -> Result<String>) -> Result<String> {
    // Exposed to print them, which is what was asked for; so below.
    secrets.iter().map(|secret| line(&secret.name, secret.value.expose_secret())).collect()
}

fn json(secrets: &[Chosen]) -> String {
    let object: serde_json::Map<String, serde_json::Value> =
        secrets.iter().map(|secret| (secret.name.clone(), secret.value.expose_secret().into())).collect();
    format!("{:#}\n", serde_json::Value::Object(object))
}

fn raw(secrets: &[Chosen]) -> Result<String> {
    match secrets {
        [secret] => Ok(secret.value.expose_secret().to_owned()),
        _ => Err(Fault::usage(format!("--format raw prints exactly one secret, and {} are chosen", secrets.len()))
            .help("name it with --only")),
    }
}

/// That `format` cannot hold the value of `name`, and which can.
fn cannot_hold(name: &str, format: &str, why: &str, instead: &str) -> Fault {
    Fault::usage(format!("--format {format} cannot hold the value of {name}"))
        .cause(why)
        .help(format!("use {instead}, or leave it out with --except {name}"))
}

/// A name that the format's consumers can read.
fn check_name(name: &str, format: &str) -> Result<()> {
    if crate::gate::is_name(name) {
        return Ok(());
    }
    Err(Fault::usage(format!("--format {format} cannot hold the name `{}`", name.escape_debug()))
        .cause("a name is letters, digits and underscores there, and begins with no digit")
        .help("use --format json, or give it another name with --rename or --transform"))
}

//! Prints secrets so that the format's consumer reads back exactly the values: one format per file, all pure.
//!
//! If a format cannot hold a value, or its consumers disagree about it, the result is an error that names the secret and a format that
//! can hold it.

#[cfg(test)]
mod consumers;
mod docker;
mod dotenv;
mod fish;
mod powershell;
mod shell;
mod table;
mod tfvars;
mod yaml;

use clap::ValueEnum;
use fault::{Fault, Result};
use secrecy::ExposeSecret as _;

use crate::chosen::Chosen;

/// How secrets are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Dotenv,
    Yaml,
    Shell,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Docker,
    Tfvars,
    Names,
    Raw,
    Jsonl,
}

impl Format {
    /// The formats, as listed in `--help`.
    pub(crate) const LONG_HELP: &str = "\
Output format:
  text        names, visibility and size, no value
  json        one object of strings
  dotenv      what node --env-file, python-dotenv and POSIX shells read alike
  yaml        one mapping of strings
  shell       `export` lines: eval \"$(secrets-env --format shell)\"
  fish        `set -gx` lines: secrets-env --format fish | source
  powershell  `$env:` lines: secrets-env --format powershell | Out-String | Invoke-Expression
  docker      for docker run --env-file
  tfvars      for terraform -var-file
  names       the names, one per line
  raw         the value alone, of exactly one secret
  jsonl       records, with --check-names";

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Renders the secrets in `format`.
///
/// # Errors
/// [`fault::Kind::Usage`] when the format cannot hold a name or a value, naming the secret and a format that can hold it.
pub(crate) fn render(secrets: &[Chosen], format: Format) -> Result<String> {
    match format {
        Format::Text => Ok(table::render(secrets)),
        Format::Json => Ok(json(secrets)),
        Format::Yaml => Ok(lines(secrets, |name, value| Ok(yaml::line(name, value)), format)?),
        Format::Dotenv => lines(secrets, dotenv::line, format),
        Format::Shell => lines(secrets, shell::line, format),
        Format::Fish => lines(secrets, fish::line, format),
        Format::PowerShell => lines(secrets, powershell::line, format),
        Format::Docker => lines(secrets, docker::line, format),
        Format::Tfvars => lines(secrets, tfvars::line, format),
        Format::Names => Ok(secrets.iter().flat_map(|secret| [secret.name.as_str(), "\n"]).collect()),
        Format::Raw => raw(secrets),
        Format::Jsonl => {
            Err(Fault::usage("--format jsonl is for --check-names").help("use --format json for the secrets"))
        }
    }
}

/// Why a format cannot hold a value, and what can.
struct Unfit {
    why: &'static str,
    instead: &'static str,
}

fn unfit(why: &'static str, instead: &'static str) -> Result<String, Unfit> {
    Err(Unfit { why, instead })
}

/// Renders one entry per secret. All formats but YAML are of variables, so their names must be variable names.
fn lines(secrets: &[Chosen], line: impl Fn(&str, &str) -> Result<String, Unfit>, format: Format) -> Result<String> {
    let mut text = String::new();
    for secret in secrets {
        let (name, shown) = (&secret.name, format.name());
        if format != Format::Yaml && !runner::handoff::is_name(name) {
            return Err(Fault::usage(format!("--format {shown} cannot hold the name `{}`", name.escape_debug()))
                .cause("there, a name has letters, digits and underscores, and does not begin with a digit")
                .help("use --format json, or give it another name with --rename or --transform"));
        }
        // Exposed to print it, which is what was asked for; so below.
        match line(name, secret.value.expose_secret()) {
            Ok(line) => text.push_str(&line),
            Err(Unfit { why, instead }) => {
                return Err(Fault::usage(format!("--format {shown} cannot hold the value of {name}"))
                    .cause(why)
                    .help(format!("use --format {instead}, or leave it out with --except {}", secret.origin)));
            }
        }
    }
    Ok(text)
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

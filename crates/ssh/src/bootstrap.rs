//! What is sent to a server: one constant command line, then over stdin a small POSIX `sh` program, the values and the script.
//!
//! The command line holds no text of the user's and none of the characters on which login shells differ, so that bash, dash,
//! zsh, mksh, tcsh and fish all pass it on alike. The rest never stands in an argument list, on either side.

use std::time::Duration;

use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};

const PROGRAM: &str = include_str!("bootstrap.sh");

/// A script, what runs it, and what it is given.
#[derive(Debug)]
pub struct Program {
    /// The script's bytes, as they are.
    pub script: Vec<u8>,
    /// What runs it.
    pub interpreter: Interpreter,
    /// Environment variables, handed over in memory.
    pub values: Vec<(String, SecretString)>,
    /// How long the script's processes have between TERM and KILL.
    pub grace: Duration,
}

/// What runs a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interpreter {
    /// `bash -euo pipefail`, or `sh -eu` where there is no bash.
    Shell,
    /// These words, before the script's path.
    Words(Vec<String>),
}

impl Program {
    /// `script` under the interpreter of its `#!` line, else under a shell that stops at the first error.
    #[must_use]
    pub fn new(script: Vec<u8>) -> Self {
        let interpreter = shebang(&script).map_or(Interpreter::Shell, Interpreter::Words);
        Self { script, interpreter, values: Vec::new(), grace: Duration::from_secs(5) }
    }

    /// A command line: one word is shell text, several are a program and its arguments as they are.
    #[must_use]
    pub fn command(words: &[String]) -> Self {
        let text = match words {
            [text] => text.clone(),
            words => words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
        };
        Self { interpreter: Interpreter::Shell, ..Self::new(format!("{text}\n").into_bytes()) }
    }

    /// Adds an environment variable.
    ///
    /// # Errors
    /// A usage fault for a name that no shell can export, and for a value with a NUL.
    pub fn with_value(mut self, name: &str, value: SecretString) -> Result<Self> {
        let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !begins || !name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_') {
            return Err(Fault::usage(format!("`{}` is not a variable's name", name.escape_debug())));
        }
        if value.expose_secret().contains('\0') {
            return Err(Fault::usage(format!("the value of {name} holds a NUL, which no environment can carry")));
        }
        self.values.push((name.to_owned(), value));
        Ok(self)
    }

    /// The command line for the login shell. A program that arrives cut off does not run at all.
    pub(crate) fn command_line(stage: &str, nonce: &str) -> String {
        format!(
            "exec sh -c 'p=$(dd bs=1 count=\"$1\" 2>/dev/null); case \"$p\" in *\"#$2\") eval \"$p\";; *) exit 98;; esac' ssh-deploy {} {nonce}",
            stage.len()
        )
    }

    /// The remote program, sent first.
    pub(crate) fn stage(&self, nonce: &str) -> String {
        let interpreter = match &self.interpreter {
            Interpreter::Shell => {
                "if command -v bash >/dev/null; then set -- bash -euo pipefail; else set -- sh -eu; fi".to_owned()
            }
            Interpreter::Words(words) => {
                format!("set -- {}", words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "))
            }
        };
        let lines = PROGRAM.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let lines = lines.map(|line| if line == "sd_interpreter" { interpreter.as_str() } else { line });
        format!(
            "sd_nonce={nonce}\nsd_script_bytes={}\nsd_values_bytes={}\nsd_grace_tenths={}\n{}\n#{nonce}",
            self.script.len(),
            self.exports().expose_secret().len(),
            self.grace.as_millis() / 100,
            lines.collect::<Vec<_>>().join("\n"),
        )
    }

    /// The values and the script, sent when the host may be changed.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut bytes = self.exports().expose_secret().as_bytes().to_vec();
        bytes.extend_from_slice(&self.script);
        bytes
    }

    fn exports(&self) -> SecretString {
        let line = |(name, value): &(String, SecretString)| {
            format!("{name}={}\nexport {name}\n", quote(value.expose_secret()))
        };
        self.values.iter().map(line).collect::<String>().into()
    }
}

/// What the remote program says about itself, on its stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// It waits for the script, and will run it under this.
    Ready(String),
    /// The script arrived whole and runs.
    Started,
    /// It did not arrive whole, and did not run.
    Truncated,
    /// The host cannot run anything.
    Unusable(String),
    /// The script ended: its code, 128+n for a signal.
    Exit(u8),
}

/// The record on a line, if it is one: only the remote program knows `nonce`.
pub(crate) fn record(line: &[u8], nonce: &str) -> Option<Record> {
    let text = std::str::from_utf8(line.strip_prefix(nonce.as_bytes())?.strip_prefix(b" ")?).ok()?;
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "ready" => Some(Record::Ready(rest.to_owned())),
        "started" => Some(Record::Started),
        "truncated" => Some(Record::Truncated),
        "unusable" => Some(Record::Unusable(rest.to_owned())),
        "exit" => rest.parse().ok().map(Record::Exit),
        _ => None,
    }
}

/// `word` for a POSIX shell.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The words of a `#!` line as the kernel splits them: a path and at most one argument.
fn shebang(script: &[u8]) -> Option<Vec<String>> {
    let line = script.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim();
    let (path, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = argument.trim();
    (!path.is_empty())
        .then(|| [path, argument].into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;

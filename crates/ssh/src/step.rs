//! What runs on a server: a script, its interpreter, and how it is started.

use std::fmt::Write as _;
use std::time::Duration;

use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};

use crate::shell::quote;

/// A script and how it is started. It is staged first, and runs when the session is asked to run it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The name of its file in the private folder: letters and digits.
    pub name: String,
    /// The script's bytes, unchanged.
    pub script: Vec<u8>,
    /// What runs it.
    pub interpreter: Interpreter,
    /// The user that runs it through `sudo -n`; the login user if `None`.
    pub sudo: Option<String>,
    /// The working folder; the login's home if `None`.
    pub folder: Option<String>,
    /// Environment variables that are no secrets.
    pub environment: Vec<(String, String)>,
    /// Whether it gets a terminal.
    pub terminal: Terminal,
    /// How long it goes on when the client is gone; zero for a step that then ends at once.
    pub patience: Duration,
    /// Shell text that the remote loop runs after the step, with its exit code in `$sd_code`.
    pub after: String,
}

/// Whether a step runs under a pseudo-terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// It gets pipes.
    None,
    /// `script` on the server gives it a terminal.
    Pseudo,
}

/// What runs a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interpreter {
    /// `bash -eo pipefail`, or `sh -e` if there is no bash.
    Default,
    /// These words, before the script's path.
    Words(Vec<String>),
}

impl Interpreter {
    /// The words that run the script on a server, which has bash or not.
    #[must_use]
    pub fn words(&self, bash: bool) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Words(words) => return words.clone(),
            Self::Default if bash => &["bash", "-eo", "pipefail"],
            Self::Default => &["sh", "-e"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl Step {
    /// `script` under the interpreter of its `#!` line, else under a shell that stops at the first error.
    #[must_use]
    pub fn new(name: &str, script: Vec<u8>) -> Self {
        let interpreter = shebang(&script).map_or(Interpreter::Default, Interpreter::Words);
        Self {
            name: name.to_owned(),
            script,
            interpreter,
            sudo: None,
            folder: None,
            environment: Vec::new(),
            terminal: Terminal::None,
            patience: Duration::ZERO,
            after: String::new(),
        }
    }

    /// A command line: one word is shell text, several are a program and its arguments.
    #[must_use]
    pub fn command(name: &str, words: &[String]) -> Self {
        let text = match words {
            [text] => text.clone(),
            words => words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
        };
        Self { interpreter: Interpreter::Default, ..Self::new(name, format!("{text}\n").into_bytes()) }
    }

    /// The text that the remote loop evaluates to start the step; `values` is the number of lines of the secret values. Writing to a
    /// `String` cannot fail.
    pub(crate) fn start(&self, bash: bool, values: usize) -> String {
        let mut words = self.interpreter.words(bash);
        let mut text = format!("sd_script=$sd_folder/{}\n", self.name);
        let exports = self
            .environment
            .iter()
            .fold(String::new(), |text, (name, value)| text + &format!("{name}={}\nexport {name}\n", quote(value)));
        let folder = self.folder.as_deref().map(|folder| format!("cd {} || exit\n", quote(folder)));
        let folder = folder.unwrap_or_default();
        if let Some(user) = &self.sudo {
            words.splice(0..0, ["ssh-deploy".to_owned()]);
            let feed = format!("{exports}{folder}");
            let count = feed.matches('\n').count() + values;
            let _ = write!(
                text,
                "sd_user={}\nsd_feed={}\nsd_receiver={}\n",
                quote(user),
                quote(&feed),
                quote(&RECEIVER.replace("LINES", &count.to_string()))
            );
        } else {
            text += &exports;
            text += &folder;
            if bash && self.interpreter == Interpreter::Default {
                text += "BASH_ENV=$sd_folder/env sd_line=$sd_folder/line\nexport BASH_ENV sd_line\n";
            }
        }
        let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let _ = writeln!(text, "set -- {}", words.join(" "));
        if self.terminal == Terminal::Pseudo {
            text += PSEUDO_TERMINAL;
        }
        text
    }
}

/// The file of `BASH_ENV`: writes down which command made `bash -e` end, and is not passed on to other shells.
pub(crate) const BASH_ENVIRONMENT: &str = "\
sd_line_file=$sd_line
unset BASH_ENV sd_line
trap 'case $- in *e*) printf \"%s: %s\\n\" \"$LINENO\" \"$BASH_COMMAND\" >\"$sd_line_file\" ;; esac' ERR
";

/// What `sudo` starts: takes the values as lines of stdin into memory, then the script into a folder of its user, and runs it. After
/// SIGKILL the loop removes that folder, which it knows by `sd_name`.
const RECEIVER: &str = "\
sd_umask=$(umask); umask 077
sd_own=$(mktemp -d \"${TMPDIR:-/tmp}/$sd_name.XXXXXX\") || exit 97
trap 'rm -rf \"$sd_own\"' EXIT
trap 'exit 143' TERM
sd_text= sd_left=LINES
while [ \"$sd_left\" -gt 0 ]; do IFS= read -r sd_row || exit 98; sd_text=\"$sd_text$sd_row
\"; sd_left=$((sd_left - 1)); done
cat >\"$sd_own/script\"
umask \"$sd_umask\"
eval \"$sd_text\"
unset sd_text sd_row
\"$@\" \"$sd_own/script\" </dev/null
exit $?";

/// Wraps the words in `script`, whose arguments differ between util-linux and the BSDs.
const PSEUDO_TERMINAL: &str = "\
sd_all=
for sd_word in \"$@\" \"$sd_script\"; do sd_all=\"$sd_all '$(echo \"$sd_word\" | sed \"s/'/'\\\\\\\\''/g\")'\"; done
case $(script --version 2>&1) in
  *util-linux*) set -- script -qec \"$sd_all\" /dev/null ;;
  *) set -- script -q /dev/null \"$@\" \"$sd_script\" ;;
esac
sd_script=
";

/// Environment variables for steps, as lines of shell.
///
/// # Errors
/// A usage fault for a name that no shell can export, and for a value with a NUL.
pub fn exports(values: &[(String, SecretString)]) -> Result<SecretString> {
    let mut text = String::new();
    for (name, value) in values {
        let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !begins || !name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_') {
            return Err(Fault::usage(format!("`{}` is not a variable's name", name.escape_debug())));
        }
        if value.expose_secret().contains('\0') {
            return Err(Fault::usage(format!("the value of {name} has a NUL, which no environment can carry")));
        }
        let _ = write!(text, "{name}={}\nexport {name}\n", quote(value.expose_secret()));
    }
    Ok(text.into())
}

/// The words of a `#!` line as the kernel splits them: a path and at most one argument.
pub(crate) fn shebang(script: &[u8]) -> Option<Vec<String>> {
    let line = script.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim();
    let (path, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = argument.trim();
    (!path.is_empty())
        .then(|| [path, argument].into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

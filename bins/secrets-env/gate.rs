//! What may become a variable: of a command, or of a job's later steps. Pure, and all at once: nothing is handed over when
//! anything is refused.

use cli::Destination;
use fault::{Fault, Result};
use secrecy::ExposeSecret as _;

use crate::select::Chosen;

/// Linux gives `NAME=value` with its final NUL 128 KiB (`MAX_ARG_STRLEN`); one byte more and no program starts.
const VARIABLE_LIMIT: usize = 128 * 1024;

/// The most bytes of an exported value: a larger one makes every later step of the job fail to start.
const EXPORT_LIMIT: usize = 100 * 1024;

/// Names that would change how later steps run rather than what they know.
const RESERVED: [&str; 7] = ["PATH", "HOME", "NODE_OPTIONS", "BASH_ENV", "ENV", "CI", "SHELL"];
const RESERVED_PREFIXES: [&str; 5] = ["LD_", "DYLD_", "GITHUB_", "RUNNER_", "ACTIONS_"];

/// Names whose value in the command's environment stays its own, as `doppler run` has it.
pub(crate) const KEPT: [&str; 3] = ["PATH", "HOME", "PS1"];

/// Whether every secret can be an environment variable of a command.
pub(crate) fn check_command(secrets: &[Chosen]) -> Result<()> {
    for secret in secrets {
        check_variable(secret)?;
        let value = secret.value.expose_secret();
        if secret.name.len() + value.len() + 2 > VARIABLE_LIMIT {
            return Err(Fault::usage(format!("{} is too large for an environment variable", secret.name))
                .cause(format!("{} bytes; the system's limit is {VARIABLE_LIMIT} with its name", value.len()))
                .help(format!("hand it over as a file: --file {}", secret.name)));
        }
    }
    Ok(())
}

/// Whether every secret may be exported to later steps.
pub(crate) fn check_export(secrets: &[Chosen], to: Destination) -> Result<()> {
    for secret in secrets {
        check_variable(secret)?;
        let (name, origin) = (&secret.name, &secret.origin);
        if to == Destination::Env && is_reserved(name) {
            return Err(Fault::usage(format!("{name} is not exported: it would change how every later step runs"))
                .help(format!("export it under another name with --prefix or --rename {origin}=NEW, or leave it out with --except {origin}")));
        }
        let size = secret.value.expose_secret().len();
        if size > EXPORT_LIMIT {
            return Err(Fault::usage(format!("{name} is too large to export"))
                .cause(format!("{size} bytes; over {EXPORT_LIMIT}, later steps would not start"))
                .help(format!("give it to the command that needs it as a file: --file {name} -- COMMAND")));
        }
    }
    Ok(())
}

fn is_reserved(name: &str) -> bool {
    // The runner compares without regard to case, and so do macOS and Windows.
    let name = name.to_ascii_uppercase();
    RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn check_variable(secret: &Chosen) -> Result<()> {
    check_name(secret)?;
    if secret.value.expose_secret().contains('\0') {
        let (name, origin) = (&secret.name, &secret.origin);
        return Err(Fault::usage(format!("the value of {name} holds a NUL, which no variable can"))
            .help(format!("hand it over as a file (--file {name}), or leave it out with --except {origin}")));
    }
    Ok(())
}

/// Whether the secret's name can be a variable's.
pub(crate) fn check_name(secret: &Chosen) -> Result<()> {
    if is_name(&secret.name) {
        return Ok(());
    }
    let origin = secret.origin.escape_debug();
    Err(Fault::usage(format!("`{}` cannot name a variable", secret.name.escape_debug()))
        .cause("a name is letters, digits and underscores, and begins with no digit")
        .help(format!("give it another name with --rename or --transform, or leave it out with --except '{origin}'")))
}

/// POSIX's names of variables: what every shell can read.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use cli::Destination;
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;
    use secrets::Visibility;

    use super::{check_command, check_export};
    use crate::select::Chosen;

    fn chosen(name: &str, value: &str) -> Chosen {
        Chosen { origin: name.to_owned(), name: name.to_owned(), value: value.into(), visibility: Visibility::Masked }
    }

    #[test]
    fn what_would_change_later_steps_is_refused_whatever_its_case() {
        for name in [
            "PATH",
            "Path",
            "HOME",
            "NODE_OPTIONS",
            "BASH_ENV",
            "LD_PRELOAD",
            "DYLD_X",
            "GITHUB_TOKEN",
            "RUNNER_TEMP",
            "CI",
        ] {
            assert!(check_export(&[chosen(name, "x")], Destination::Env).is_err(), "{name}");
            assert!(check_export(&[chosen(name, "x")], Destination::Output).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_variable_may_be_as_large_as_the_system_lets_it_and_no_larger() {
        let fits = 128 * 1024 - "BIG".len() - 2;
        assert!(check_command(&[chosen("BIG", &"x".repeat(fits))]).is_ok());
        assert!(check_command(&[chosen("BIG", &"x".repeat(fits + 1))]).is_err());
    }

    proptest! {
        /// The stand-in's port of the runner's parser is the oracle.
        #[test]
        fn what_passes_the_gate_arrives_in_later_steps_as_it_was(
            pairs in prop::collection::btree_map("[A-Za-z_=<a-]{0,6}", "[ -~\n\r=<é\x00]{0,40}|ghadelimiter_.{0,9}", 1..6),
        ) {
            let secrets: Vec<Chosen> = pairs.iter().map(|(name, value)| chosen(name, value)).collect();
            if check_export(&secrets, Destination::Env).is_ok() {
                let file = tempfile::NamedTempFile::new().unwrap();
                let lines: Vec<(String, String)> =
                    secrets.iter().map(|secret| (secret.name.clone(), secret.value.expose_secret().to_owned())).collect();
                runner::file::append_pairs(file.path(), &lines).unwrap();
                let text = std::fs::read_to_string(file.path()).unwrap();
                let mut job = emulators::Runner::new();
                prop_assert_eq!(job.file("env", &text), pairs);
                prop_assert!(job.complaints.is_empty());
            }
        }
    }
}

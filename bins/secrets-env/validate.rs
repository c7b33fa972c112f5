//! Checks that names and values can be environment variables, of a command or of a job's later steps. Pure; everything is checked
//! before anything is handed over.

use fault::{Fault, Result};
use runner::handoff::{self, Refused, StepFile, VARIABLE_LIMIT};
use secrecy::ExposeSecret as _;

use crate::chosen::Chosen;

/// Variables that secrets never override, as in `doppler run`.
pub(crate) const KEPT: [&str; 3] = ["PATH", "HOME", "PS1"];

/// Checks that every secret can be an environment variable of a command.
pub(crate) fn check_command(secrets: &[Chosen]) -> Result<()> {
    for secret in secrets {
        check_name(secret)?;
        let value = secret.value.expose_secret();
        if value.contains('\0') {
            return Err(refused(secret, Refused::Nul, StepFile::Env));
        }
        if secret.name.len() + value.len() + 2 > VARIABLE_LIMIT {
            return Err(Fault::usage(format!("{} is too large for an environment variable", secret.name))
                .cause(format!("{} bytes; the system's limit is {VARIABLE_LIMIT} with its name", value.len()))
                .help(format!("hand it over as a file: --file {}", secret.name)));
        }
    }
    Ok(())
}

/// Checks that every secret may be exported to later steps.
pub(crate) fn check_export(secrets: &[Chosen], to: StepFile) -> Result<()> {
    for secret in secrets {
        let outcome = handoff::check(&secret.name, secret.value.expose_secret(), to);
        outcome.map_err(|why| refused(secret, why, to))?;
    }
    Ok(())
}

/// Checks that the secret's name can name a variable.
pub(crate) fn check_name(secret: &Chosen) -> Result<()> {
    if handoff::is_name(&secret.name) { Ok(()) } else { Err(refused(secret, Refused::Name, StepFile::Env)) }
}

/// The error, with the option that helps.
fn refused(secret: &Chosen, why: Refused, to: StepFile) -> Fault {
    let (name, origin) = (&secret.name, &secret.origin.escape_debug());
    why.fault(name, to).help(match why {
        Refused::Name => {
            format!("give it another name with --rename or --transform, or leave it out with --except '{origin}'")
        }
        Refused::Reserved => format!(
            "export it under another name with --prefix or --rename {origin}=NEW, or leave it out with --except {origin}"
        ),
        Refused::Nul => format!("hand it over as a file (--file {name}), or leave it out with --except {origin}"),
        Refused::Size(_) => format!("give it to the command that needs it as a file: --file {name} -- COMMAND"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use runner::handoff::StepFile;
    use secrecy::ExposeSecret as _;
    use secrets::Visibility;

    use super::{check_command, check_export};
    use crate::chosen::Chosen;

    fn chosen(name: &str, value: &str) -> Chosen {
        Chosen { origin: name.to_owned(), name: name.to_owned(), value: value.into(), visibility: Visibility::Masked }
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
        fn what_passes_the_checks_arrives_in_later_steps_as_it_was(
            pairs in prop::collection::btree_map("[A-Za-z_=<a-]{0,6}", "[ -~\n\r=<é\x00]{0,40}|ghadelimiter_.{0,9}", 1..6),
        ) {
            let secrets: Vec<Chosen> = pairs.iter().map(|(name, value)| chosen(name, value)).collect();
            if check_export(&secrets, StepFile::Env).is_ok() {
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

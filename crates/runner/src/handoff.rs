//! What may be handed to later steps through `GITHUB_ENV` and `GITHUB_OUTPUT`: names, reserved names, sizes. Pure.
//!
//! The runner takes almost anything from these files and fails later, in a step that has done nothing wrong: an environment
//! string over 128 KiB makes every `exec` of the job fail (`Argument list too long`), and a variable such as `NODE_OPTIONS` or
//! `LD_PRELOAD` changes programs that know nothing of it. So values are checked before they are written.

use fault::{Fault, Result};

/// One of the runner's files for later steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepFile {
    /// `GITHUB_ENV`: environment variables of the job's later steps.
    Env,
    /// `GITHUB_OUTPUT`: outputs of this step.
    Output,
}

impl StepFile {
    /// The variable that holds the file's path.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Env => "GITHUB_ENV",
            Self::Output => "GITHUB_OUTPUT",
        }
    }

    /// What its entries are called, in the plural.
    #[must_use]
    pub fn entries(self) -> &'static str {
        match self {
            Self::Env => "variables of later steps",
            Self::Output => "outputs of this step",
        }
    }

    /// The most bytes that one value may have.
    fn value_limit(self) -> usize {
        match self {
            Self::Env => EXPORT_LIMIT,
            Self::Output => OUTPUT_LIMIT,
        }
    }
}

/// Linux allows `NAME=value` with its final NUL 128 KiB (`MAX_ARG_STRLEN`). With one byte more, `exec` fails.
pub const VARIABLE_LIMIT: usize = 128 * 1024;

/// The most bytes of one exported variable, below [`VARIABLE_LIMIT`] because later steps may build on it (`PREFIX$VALUE`).
pub(crate) const EXPORT_LIMIT: usize = 100 * 1024;

/// The most bytes of all variables exported at once. Linux allows arguments and environment 2 MiB together (a quarter of the stack).
pub(crate) const EXPORT_TOTAL_LIMIT: usize = 1024 * 1024;

/// The most bytes of an output: GitHub's limit for the outputs of a job.
pub(crate) const OUTPUT_LIMIT: usize = 1024 * 1024;

/// Variables that change how later steps run, and not only what they know.
const RESERVED: [&str; 7] = ["PATH", "HOME", "NODE_OPTIONS", "BASH_ENV", "ENV", "CI", "SHELL"];
const RESERVED_PREFIXES: [&str; 5] = ["LD_", "DYLD_", "GITHUB_", "RUNNER_", "ACTIONS_"];

/// Why a value is not handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its name cannot be a variable's or an output's.
    Name,
    /// Its name would change how later steps run.
    Reserved,
    /// It contains a NUL.
    Nul,
    /// It has so many bytes.
    Size(usize),
}

impl Refused {
    /// The error for the value `name`, without advice: what helps depends on the tool's options.
    #[must_use]
    pub fn fault(self, name: &str, to: StepFile) -> Fault {
        let name = name.escape_debug();
        match (self, to) {
            (Self::Name, StepFile::Env) => Fault::usage(format!("`{name}` cannot name a variable"))
                .cause("a name is letters, digits and underscores, and does not begin with a digit"),
            (Self::Name, StepFile::Output) => Fault::usage(format!("`{name}` cannot name an output of a step"))
                .cause("a name is letters, digits, `_` and `-`"),
            (Self::Reserved, _) => {
                Fault::usage(format!("{name} is not exported: it would change how every later step runs"))
            }
            (Self::Nul, _) => Fault::usage(format!("the value of {name} contains a NUL, which no variable can")),
            (Self::Size(size), to) => {
                let limit = to.value_limit();
                let consequence = match to {
                    StepFile::Env => "later steps would not start",
                    StepFile::Output => "GitHub drops it",
                };
                Fault::usage(format!("{name} is too large to export"))
                    .cause(format!("{size} bytes; over {limit}, {consequence}"))
            }
        }
    }
}

/// Checks one value.
///
/// # Errors
/// The first reason not to hand it on.
pub fn check(name: &str, value: &str, to: StepFile) -> std::result::Result<(), Refused> {
    match to {
        StepFile::Env if !is_name(name) => Err(Refused::Name),
        StepFile::Output if !is_output_name(name) => Err(Refused::Name),
        StepFile::Env if is_reserved(name) => Err(Refused::Reserved),
        _ if value.contains('\0') => Err(Refused::Nul),
        _ if value.len() > to.value_limit() => Err(Refused::Size(value.len())),
        _ => Ok(()),
    }
}

/// Checks all values that are handed on together: each of them, and their size as a whole.
///
/// # Errors
/// [`fault::Kind::Usage`] for the first value that is refused.
pub fn check_all(pairs: &[(String, String)], to: StepFile) -> Result<()> {
    for (name, value) in pairs {
        check(name, value, to).map_err(|refused| refused.fault(name, to))?;
    }
    let total: usize = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    if to == StepFile::Env && total > EXPORT_TOTAL_LIMIT {
        let mut largest: Vec<&(String, String)> = pairs.iter().collect();
        largest.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let names: Vec<&str> = largest.iter().take(3).map(|(name, _)| name.as_str()).collect();
        return Err(Fault::usage("the values are too large to export together")
            .cause(format!("{total} bytes; over {EXPORT_TOTAL_LIMIT}, later steps would not start"))
            .help(format!("export fewer; the largest are {}", names.join(", "))));
    }
    Ok(())
}

/// Whether `name` is a POSIX variable name: letters, digits and underscores, not beginning with a digit. Every shell can read these.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether an expression can read the output: as `outputs.NAME`, or as `outputs['NAME']` if it begins with a digit or a dash.
fn is_output_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether exporting `name` would change how later steps run. Compared without regard to case, as the runner, macOS and Windows do.
#[must_use]
pub(crate) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::{EXPORT_LIMIT, OUTPUT_LIMIT, Refused, StepFile, check, check_all, is_name};

    #[test]
    fn what_would_change_later_steps_is_refused_in_any_case() {
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
            assert_eq!(check(name, "x", StepFile::Env), Err(Refused::Reserved), "{name}");
            assert_eq!(check(name, "x", StepFile::Output), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_variable_is_letters_digits_and_underscores_and_an_output_may_have_dashes() {
        for (name, variable, output) in
            [("API_KEY", true, true), ("_x1", true, true), ("a-b", false, true), ("1a", false, true)]
        {
            assert_eq!(is_name(name), variable, "{name}");
            assert_eq!(check(name, "", StepFile::Output).is_ok(), output, "{name}");
        }
        for name in ["", "a b", "a=b", "é", "a\n"] {
            assert_eq!(check(name, "", StepFile::Env), Err(Refused::Name), "{name:?}");
            assert_eq!(check(name, "", StepFile::Output), Err(Refused::Name), "{name:?}");
        }
    }

    #[test]
    fn a_value_is_as_large_as_its_file_allows_and_no_larger() {
        for (to, limit) in [(StepFile::Env, EXPORT_LIMIT), (StepFile::Output, OUTPUT_LIMIT)] {
            assert_eq!(check("BIG", &"x".repeat(limit), to), Ok(()));
            assert_eq!(check("BIG", &"x".repeat(limit + 1), to), Err(Refused::Size(limit + 1)));
        }
        assert_eq!(check("A", "a\0b", StepFile::Env), Err(Refused::Nul));
    }

    #[test]
    fn variables_that_are_too_large_together_are_refused_by_name() {
        let mut pairs: Vec<(String, String)> = (0..10).map(|at| (format!("V{at}"), "x".repeat(EXPORT_LIMIT))).collect();
        assert!(check_all(&pairs, StepFile::Env).is_ok());
        pairs.push(("ONE_MORE".to_owned(), "x".repeat(EXPORT_LIMIT)));
        let fault = check_all(&pairs, StepFile::Env).unwrap_err();
        assert!(fault.help.unwrap().contains("V0"), "the largest are named");
        assert!(check_all(&pairs, StepFile::Output).is_ok(), "outputs are not in the environment");
    }
}

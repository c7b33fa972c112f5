//! Command lines: parsing, exit codes, what a tool may write where, and the only place an error becomes text.
//!
//! A tool's `main` is one call of [`main`] with a function from its arguments to an [`Exit`]. Everything the contract promises of
//! all tools is kept here: stdout carries the result only and survives a closed pipe, a blank variable is none, secrets are masked
//! and flushed first, foreign text cannot begin a workflow command, and an error names what failed, why, and what to do.

mod console;
mod destination;
mod exit;
mod failure;
mod generate;
mod runtime;
mod shard;
mod shared;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
pub use console::{Console, within_budget};
/// The type of `--deadline`, the parser of every option that takes a time, and how a time is shown.
pub use deadline::{Deadline, shown, time};
pub use destination::{Destination, stdout_or_output};
pub use exit::Exit;
pub use failure::{error_document, fault_of, report as report_fault};
pub use generate::Generate;
use runner::Environment;
pub use runtime::block_on;
pub use shard::Shard;
pub use shared::Shared;

/// A tool's command line.
pub trait Tool: clap::Parser {
    /// The schema of its JSON document, for `--generate schema`; blank if there is none.
    const SCHEMA: &str = "";

    /// The options that every tool has.
    fn shared(&self) -> &Shared;

    /// Whether stdout carries one JSON document, which then has to tell of an error too.
    fn prints_json(&self) -> bool;

    /// Whether an empty value of the option `--OPTION` means that it is not given: `--only "${{ inputs.only }}"`.
    #[must_use]
    fn drops_blank(_option: &str) -> bool {
        false
    }
}

/// Runs a tool: parses, hands over, turns the outcome into text and an exit code.
pub fn main<T: Tool>(run: impl FnOnce(T, &Console) -> anyhow::Result<Exit>) -> ExitCode {
    let command = T::command();
    let console = Console::new(command.get_name().to_owned(), Environment::of_process());
    let command = without_blank_variables(command, console.environment());
    let exit = match parse::<T>(command, std::env::args_os()) {
        Ok(Parsed::Tool(tool)) => {
            let prints_json = tool.prints_json();
            run(tool, &console).unwrap_or_else(|error| failure::report(&console, &fault_of(&error), prints_json))
        }
        Ok(Parsed::Generate(kind)) => printed(&console, generate::text(kind, T::command(), T::SCHEMA)),
        Err(error) if !error.use_stderr() => printed(&console, failure::help(&console, &error)),
        Err(error) => failure::report_usage(&console, &error),
    };
    ExitCode::from(exit.code())
}

/// Prints a result that ends the program: help, a version, a man page.
fn printed(console: &Console, text: impl AsRef<[u8]>) -> Exit {
    match console.print(text) {
        Ok(()) => Exit::Success,
        Err(fault) => failure::report(console, &fault, false),
    }
}

enum Parsed<T> {
    Tool(T),
    Generate(Generate),
}

fn parse<T: Tool>(command: Command, words: impl Iterator<Item = OsString>) -> Result<Parsed<T>, clap::Error> {
    let words = without_blank_options(&command, words, T::drops_blank);
    let mut matches = command.clone().try_get_matches_from(&words)?;
    // Before the tool's own arguments, which may be required otherwise.
    if let Some(kind) = matches.get_one::<Generate>("generate") {
        return Ok(Parsed::Generate(*kind));
    }
    refuse_empty_tail(command, &words, &matches)?;
    T::from_arg_matches_mut(&mut matches).map(Parsed::Tool).map_err(|error| error.format(&mut T::command()))
}

/// Refuses `--` with nothing after it. In a script it comes from an empty variable (`-- $CMD`), and the tool would do something
/// else than the caller meant, or nothing, and succeed.
fn refuse_empty_tail(mut command: Command, words: &[OsString], matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some((last, before)) = words.split_last().filter(|(last, _)| *last == "--") else { return Ok(()) };
    // A command of the user's may end in `--` too: then it counts as an argument, and its absence changes the outcome.
    let changes_nothing = command.try_get_matches_from_mut(before).is_ok_and(|without| without == *matches);
    if !changes_nothing {
        return Ok(());
    }
    let text = format!("nothing follows `{}`; is a variable there empty?", last.display());
    Err(command.error(clap::error::ErrorKind::WrongNumberOfValues, text))
}

/// The words without the options that `drops` names and whose value is empty. What follows `--` is not ours.
fn without_blank_options(
    command: &Command,
    words: impl Iterator<Item = OsString>,
    drops: impl Fn(&str) -> bool,
) -> Vec<OsString> {
    let takes_value = |name: &str| {
        let option = command.get_arguments().find(|argument| argument.get_long() == Some(name));
        option.is_some_and(|option| option.get_action().takes_values()) && drops(name)
    };
    let (mut kept, mut words) = (Vec::new(), words.peekable());
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word);
            kept.extend(words);
            break;
        }
        let (name, value) = match word.to_str().and_then(|word| word.strip_prefix("--")) {
            Some(option) => option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value))),
            None => ("", None),
        };
        let is_blank = |value: &str| value.trim().is_empty();
        if takes_value(name) {
            if value.is_some_and(is_blank) {
                continue;
            }
            if value.is_none() && words.next_if(|next| next.to_str().is_some_and(is_blank)).is_some() {
                continue;
            }
        }
        kept.push(word);
    }
    kept
}

/// An empty expression in a workflow arrives as an empty variable: an argument must not take it for a value. Nor may help
/// texts show what a variable holds.
fn without_blank_variables(command: Command, environment: &Environment) -> Command {
    command.mut_args(|argument: Arg| {
        let name = argument.get_env().and_then(|name| name.to_str());
        match name.map(|name| environment.get(name)) {
            Some(None) => argument.env(None),
            _ => argument.hide_env_values(true),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::{CommandFactory as _, Parser};
    use runner::Environment;

    use super::{Parsed, Shared, Tool, parse, without_blank_variables};

    #[derive(Debug, Parser)]
    #[command(name = "tool")]
    struct Arguments {
        #[arg(required = true)]
        names: Vec<String>,
        // Cargo sets this variable for tests.
        #[arg(long, env = "CARGO_PKG_NAME")]
        stack: Option<String>,
        #[command(flatten)]
        shared: Shared,
    }

    impl Tool for Arguments {
        fn shared(&self) -> &Shared {
            &self.shared
        }
        fn prints_json(&self) -> bool {
            false
        }
    }

    fn parsed(environment: &Environment, words: &[&str]) -> Parsed<Arguments> {
        let command = without_blank_variables(Arguments::command(), environment);
        parse(command, words.iter().map(Into::into)).unwrap()
    }

    #[test]
    fn a_separator_with_nothing_after_it_is_refused_and_one_of_a_command_is_not() {
        let outcome = |words: &[&str]| parse::<Arguments>(Arguments::command(), words.iter().map(Into::into));
        assert!(outcome(&["tool", "a", "--"]).is_err());
        assert!(outcome(&["tool", "a", "--", "b"]).is_ok());
        assert!(outcome(&["tool", "a", "--", "sh", "--"]).is_ok());
    }

    #[test]
    fn a_blank_variable_is_not_given() {
        let Parsed::Tool(tool) = parsed(&Environment::from([("CARGO_PKG_NAME", "")]), &["tool", "a"]) else { panic!() };
        assert_eq!(tool.stack, None);
        let Parsed::Tool(tool) = parsed(&Environment::from([("CARGO_PKG_NAME", "cli")]), &["tool", "a"]) else {
            panic!()
        };
        assert_eq!(tool.stack.as_deref(), Some("cli"));
    }

    #[test]
    fn an_option_with_a_blank_value_is_not_given_where_the_tool_says_so() {
        let words = ["tool", "--stack", "", "--stack=", "--stack= ", "--stack", "x", "--", "--stack", ""];
        let words = || words.iter().map(OsString::from);
        let kept = super::without_blank_options(&Arguments::command(), words(), |name| name == "stack");
        assert_eq!(kept, ["tool", "--stack", "x", "--", "--stack", ""]);
        assert_eq!(super::without_blank_options(&Arguments::command(), words(), |_| false).len(), words().len());
    }

    #[test]
    fn generate_needs_no_other_argument() {
        assert!(matches!(parsed(&Environment::default(), &["tool", "--generate", "man"]), Parsed::Generate(_)));
    }
}

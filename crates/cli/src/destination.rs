//! `--to`: where a tool's result goes.

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use runner::handoff::StepFile;

/// Where the result goes. As a clap argument: `value_enum, default_value_t = Destination::Stdout`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Destination {
    /// Standard output
    #[default]
    Stdout,
    /// Variables of the job's later steps (`GITHUB_ENV`)
    Env,
    /// Outputs of this step (`GITHUB_OUTPUT`)
    Output,
}

impl Destination {
    /// The runner's file to write to; `None` for stdout.
    #[must_use]
    pub fn step_file(self) -> Option<StepFile> {
        match self {
            Self::Stdout => None,
            Self::Env => Some(StepFile::Env),
            Self::Output => Some(StepFile::Output),
        }
    }
}

/// The `value_parser` of a tool whose result is no variable: `stdout` and `output` only.
#[must_use]
pub fn stdout_or_output() -> impl TypedValueParser<Value = Destination> {
    let values = [Destination::Stdout, Destination::Output];
    PossibleValuesParser::new(values.iter().filter_map(ValueEnum::to_possible_value))
        .map(|name| if name == "output" { Destination::Output } else { Destination::Stdout })
}

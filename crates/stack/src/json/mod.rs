//! JSON: read in pieces from a stream, as a tree, or only checked at its end.
//!
//! This reader is our own because the streaming crates refuse states that the vendors' programs write and read:
//! - Go's decoder accepts lone surrogate escapes and bytes that are not UTF-8, and replaces both by U+FFFD. `struson` and
//!   `serde_json` reject the whole document.
//! - Reading has to stop a given number of bytes after the outputs are known, so that a state of 100 MB costs as little as a
//!   small one. A deserializer offers no such limit.
//! - A file that was not read to its end is still checked for one, by scanning its last bytes backwards ([`is_closed`]), so
//!   that a truncated copy is refused.

mod scan;
mod tail;
mod text;
mod tree;

pub(crate) use scan::{Broken, Scanner};
pub(crate) use tail::is_closed;
pub(crate) use tree::{Json, parse};

use fault::Fault;

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::NotAnObject => {
                Self::usage("it is JSON, but a single value and not an object that has the outputs by name")
                    .help("leave the output's name out of the command that prints it, and give it to stack-output")
            }
            Broken::Syntax { offset: 0, expected } => {
                Self::usage(format!("it is not JSON: {expected} was expected at byte 0"))
                    .help("print outputs with `pulumi stack output --json` or `terraform output -json`")
            }
            Broken::Commands => crate::encoding::wrapper(),
            Broken::Syntax { offset, expected } => {
                Self::usage(format!("it is not JSON: {expected} was expected at byte {offset}"))
            }
            Broken::Truncated { offset } => {
                Self::usage(format!("it is cut off: it ends at byte {offset}, inside a value"))
                    .help("fetch the state again, or restore it from a backup")
            }
            Broken::Open => Self::usage("it is cut off: brackets opened at its beginning are not closed at its end")
                .help("fetch the state again, or restore it from a backup"),
            Broken::Empty => Self::usage("it is empty"),
            Broken::TooLarge { what, limit } => Self::usage(format!("{what} is larger than {} MiB", limit >> 20)),
            Broken::TooDeep { offset } => Self::usage(format!("it is nested too deep at byte {offset}")),
            Broken::Enough => Self::usage("it was not read to its end"),
            Broken::Read(error) => Self::usage(error.to_string()),
        }
    }
}

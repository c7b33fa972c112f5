//! Gathers what is read: operands, the files they stand for, the files that git tracks, what the commit changes.

mod changes;
mod command;
mod operands;
mod patient;
mod reports;
mod repository;

pub(crate) use changes::changes;
pub(crate) use command::{LINES, NotStarted, Plan, Ran, code_and_help, ending, run, shell_line, text_of};
pub(crate) use operands::{Input, Name, Operand, matching, sources};
pub(crate) use patient::Patience;
pub(crate) use reports::{Watch, within};
pub(crate) use repository::Repository;

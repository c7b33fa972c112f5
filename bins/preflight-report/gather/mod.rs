//! Gathers what is read: operands, the files they stand for, the files that git tracks.

mod command;
mod operands;
mod repository;

pub(crate) use command::{NotStarted, Plan, Ran, ending, run};
pub(crate) use operands::{Input, Name, Operand, sources};
pub(crate) use repository::Repository;

//! Gathers what is read: operands, the files they stand for, the files that git tracks.

mod operands;
mod repository;

pub(crate) use operands::{Input, Name, Operand, sources};
pub(crate) use repository::Repository;

//! The table of linters: the names that each gives to the parts of a finding.

mod documents;
mod linter;
mod lists;

pub(super) use linter::{Linter, Shape};

/// The linters, in the order in which they are tried.
pub(super) fn linters() -> impl Iterator<Item = &'static Linter> {
    lists::LISTS.iter().chain(documents::DOCUMENTS)
}

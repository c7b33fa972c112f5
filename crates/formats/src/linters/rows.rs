//! The table of linters: the names that each gives to the parts of a finding.

mod documents;
mod lists;

/// How a linter writes its findings.
pub(super) struct Linter {
    pub(super) name: &'static str,
    /// Members that its document, or the first finding of its array, has.
    pub(super) sniff: &'static [&'static str],
    /// A text that tells it from others with the same members.
    pub(super) holds: &'static str,
    /// Where the findings are: the document itself, a member, or the items of each item's member.
    pub(super) shape: Shape,
    pub(super) path: &'static str,
    pub(super) line: &'static str,
    pub(super) column: &'static str,
    /// What to add to lines and columns: those that count from 0 need 1.
    pub(super) origin: (i64, i64),
    pub(super) rule: &'static str,
    pub(super) message: &'static str,
    pub(super) level: &'static str,
}

pub(super) enum Shape {
    /// The document is the array.
    Array,
    /// The findings are in this member.
    Member(&'static str),
    /// The document is an array of files, each with findings in this member and its path in another.
    Files(&'static str),
    /// The files are in the first member, an array or an object by path, each with findings in the second.
    Nested(&'static str, &'static str),
    /// The document is an object: paths with lists of findings.
    ByPath,
    /// Each value of a stream is a finding.
    Lines,
}

pub(super) const ROW: Linter = Linter {
    name: "",
    sniff: &[],
    holds: "",
    shape: Shape::Array,
    path: "",
    line: "line",
    column: "column",
    origin: (0, 0),
    rule: "",
    message: "message",
    level: "",
};

/// The linters, in the order in which they are tried.
pub(super) fn linters() -> impl Iterator<Item = &'static Linter> {
    lists::LISTS.iter().chain(documents::DOCUMENTS)
}

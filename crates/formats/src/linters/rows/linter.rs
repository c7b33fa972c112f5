//! One linter: the names that it gives to the parts of a finding.

/// How a linter writes its findings.
pub(crate) struct Linter {
    pub(crate) name: &'static str,
    /// Members that its document, or the first finding of its array, has.
    pub(crate) sniff: &'static [&'static str],
    /// A text that tells it from others with the same members.
    pub(crate) holds: &'static str,
    /// Where the findings are: the document itself, a member, or the items of each item's member.
    pub(crate) shape: Shape,
    pub(crate) path: &'static str,
    pub(crate) line: &'static str,
    pub(crate) column: &'static str,
    /// What to add to lines and columns: those that count from 0 need 1.
    pub(crate) origin: (i64, i64),
    pub(crate) rule: &'static str,
    pub(crate) message: &'static str,
    pub(crate) level: &'static str,
}

pub(crate) enum Shape {
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

pub(crate) const ROW: Linter = Linter {
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

//! The pieces in which a report is read.

use super::attributes::Attributes;
use super::json::Json;

/// A piece of a report.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// An element begins: its name without a prefix, and its attributes.
    Open(&'a str, &'a Attributes<'a>),
    /// Text of an element, as it is after references are resolved; at most 64 KiB of it.
    Text(&'a str),
    /// An element ends.
    Close(&'a str),
    /// A JSON value.
    Json(&'a Json<'a>),
    /// A line without its end.
    Line(&'a str),
}

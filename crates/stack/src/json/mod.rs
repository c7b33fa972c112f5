//! JSON: read in pieces from a stream, as a tree, or only looked at from its end.

mod scan;
mod tail;
mod text;
mod tree;

pub(crate) use scan::{Broken, Scanner};
pub(crate) use tail::is_closed;
pub(crate) use tree::{Json, parse};

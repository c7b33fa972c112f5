//! Text of compilers and linters.

use crate::{Item, Reader, Sink, Unreadable};

/// The reader of text.
#[derive(Debug, Default)]
pub(crate) struct Text;

impl Reader for Text {
    fn feed(&mut self, _: Item<'_>, _: &mut dyn Sink) -> Result<(), Unreadable> {
        Ok(())
    }
}

//! What a reader is: it takes a report piece by piece and reports to a [`Sink`].

use crate::sink::Sink;
use crate::source::Item;
use crate::unreadable::Unreadable;

/// Reads one report, piece by piece.
pub trait Reader {
    /// Takes the next piece.
    ///
    /// # Errors
    /// The report is damaged, or not of this format after all.
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable>;

    /// Ends the report. It is called for one that was cut off too, so that what was read is reported.
    ///
    /// # Errors
    /// As [`Reader::feed`].
    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let _ = sink;
        Ok(())
    }
}

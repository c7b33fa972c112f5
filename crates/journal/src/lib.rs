//! Append-only records on disk, flushed, folded into a state.

//! What a process has from its parent, and what its children get: ignored signals and open descriptors.
//!
//! Neither the standard library nor `rustix` has safe functions for this. Each unsafe block states why it is sound.

#![cfg(unix)]

mod descriptors;
mod session;
mod signals;

#[cfg(target_os = "linux")]
pub use descriptors::close_all_but;
pub use descriptors::{is_same_description, leave_open, take};
pub use session::{from_the_background, new_session, new_session_told};
pub use signals::{ignored_at_start, pass_on_ignored};

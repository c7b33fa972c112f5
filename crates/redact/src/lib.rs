//! Every form in which a secret may appear, and its removal from a stream.
//!
//! One [`Plan`] feeds both: the masks that the runner is told, and the [`Redactor`] that our own output passes through.

mod plan;
mod stream;

pub use plan::{Plan, Reason, Spared};
pub use stream::Redactor;

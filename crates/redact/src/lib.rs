//! Every form in which a secret may appear, and its removal from a stream.
//!
//! One [`Plan`] feeds both: the masks that the runner is told, and the [`Redactor`] that our own output passes through. A secret is
//! first taken apart into what is really secret in it (the password of a URL, the leaves of a JSON document, the body of a PEM
//! block), then each part is written in the encodings it may meet on its way to a log. What would ruin a log without protecting
//! anything (`{`, `true`, `production`) is spared.

mod engine;
mod form;
mod mask;
mod ordinary;
mod part;
mod plan;
mod stream;
mod stretch;

pub use ordinary::Reason;
pub use plan::{Plan, Spared};
pub use stream::Redactor;

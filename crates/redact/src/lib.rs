//! Finds secrets in a stream, in every encoding they are likely to appear in, and replaces them.
//!
//! One [`Plan`] makes both the masks for the runner and the [`Redactor`] for a command's output. A secret is first split into
//! its sensitive components (the password of a URL, the leaves of a JSON document, the body of a PEM block). Each component is
//! then looked for in the encodings that programs use for logs. Values that logs are full of anyway (`{`, `true`, `production`)
//! are not hidden; [`Plan::spared`] names them.

mod common;
mod component;
mod encoding;
mod engine;
mod escape;
mod index;
mod mask;
mod numbers;
mod patterns;
mod plan;
mod stream;
mod unescaped;

pub use common::Exemption;
pub use plan::{CannotShow, Plan, Spared};
pub use stream::Redactor;

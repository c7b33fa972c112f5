//! One short message about a run: to Discord, Slack, ntfy or any endpoint that takes JSON.
//!
//! [`body`] makes what is sent, without any effect: cut to the service's limits, and so that nothing in it mentions a person or a
//! channel. [`send`] sends it. The address is a secret (with a webhook's address anyone can write to the channel), so no error holds it.

mod body;
mod deliver;
mod message;
mod send;
mod service;

pub use body::{Body, body};
pub use deliver::{Receiver, deliver, sentence};
pub use message::{Message, Outcome};
pub use send::send;
pub use service::Service;

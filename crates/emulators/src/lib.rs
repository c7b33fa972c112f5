//! Loopback stand-ins for the services a deploy talks to; never linked into a release.
//!
//! Each stand-in is a handle: starting it takes a free loopback port and a thread, dropping it stops both. Each
//! keeps the state of the real service, answers as the real one was documented or seen to answer, records every request,
//! and can be made to fail. None of them shares code with the tools: an oracle that uses the code under test proves nothing.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a stand-in that cannot work must stop the test at once, with the line that noticed"
)]

pub mod amazon;
pub mod cloudflare;
pub mod doppler;
pub mod entra;
mod forms;
pub mod github;
pub mod google;
pub mod http;
pub mod internet;
mod jwt;
pub mod kubernetes;
pub mod pulumi;
mod random;
pub mod runner;
pub mod sandbox;
pub mod sshd;

pub use amazon::Amazon;
pub use cloudflare::Cloudflare;
pub use doppler::{Doppler, Visibility};
pub use entra::Entra;
pub use forms::leaks;
pub use github::GitHub;
pub use google::Google;
pub use http::{Fault, Request, Secrets};
pub use internet::Internet;
pub use kubernetes::Kubernetes;
pub use pulumi::PulumiCloud;
pub use runner::Runner;
pub use sshd::Sshd;

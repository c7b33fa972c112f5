//! Loopback stand-ins for the services a deploy talks to; never linked into a release.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a stand-in that cannot work must stop the test at once, with the line that noticed"
)]
pub mod cloudflare;
pub mod http;

pub use cloudflare::Cloudflare;

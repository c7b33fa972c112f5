//! Holds each stand-in to the real service's behaviour, with raw HTTP and with real programs.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test, as its functions do")]

mod cloudflare;
mod doppler;
mod emulate;
mod http;
mod pulumi;
mod raw;
mod sshd;

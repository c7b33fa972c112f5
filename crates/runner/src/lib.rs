//! The GitHub Actions runner's protocol: workflow commands, the per-step files, masks, the run's context, and
//! the neutralising of text that other programs wrote.
//!
//! Two command grammars are alive in the runner (`ActionCommand.cs`): `::name::` at the start of a line, after blanks, and
//! `##[name]` anywhere in one, on both streams. Whatever this crate emits on purpose is escaped for the first;
//! whatever it passes on is made harmless for both. Forgejo, Gitea and GHES runners speak the same protocol.

pub mod command;
mod context;
mod environment;
pub mod file;
pub mod foreign;
pub mod handoff;
mod home;
pub mod oidc;

pub use context::Context;
pub use environment::Environment;
pub use home::HomeRule;

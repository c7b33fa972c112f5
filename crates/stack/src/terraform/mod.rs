//! Terraform and OpenTofu: the contents of their state, and where it is stored.

pub mod backend_block;
pub mod cli_configuration;
pub mod configuration;
pub mod encryption;
mod hcl;
pub mod http;
pub mod local;
pub mod pointer;
pub mod remote;
mod state;

pub(crate) use state::{is_printed_output, is_sensitive_key, outputs, state};

//! Pulumi, Terraform and OpenTofu state: named outputs, each plain or secret.
//!
//! [`source`] reads any of their documents from a stream. [`pulumi`] and [`terraform`] know where states are stored.
//! [`select`] finds the outputs that were asked for. [`mod@print`] writes them as `pulumi stack output` and
//! `terraform output` do.

mod compression;
mod document;
mod encoding;
mod fields;
mod files;
mod json;
pub mod outputs;
pub mod print;
pub mod pulumi;
pub mod select;
pub mod source;
mod state;
pub mod terraform;
pub mod value;
pub mod value_path;
pub mod value_type;

pub use document::StackDocument;
pub use fields::Decryption;
pub use outputs::{Dialect, Outputs, StackOutput};

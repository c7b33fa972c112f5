//! Pulumi, Terraform and OpenTofu state: named outputs, each plain or secret.
//!
//! [`source`] reads any of their documents from a stream; [`pulumi`] and [`terraform`] know where states stand;
//! [`select`] finds what was asked for; [`mod@print`] writes it as `pulumi stack output` and `terraform output` do.

mod json;
pub mod kind;
pub mod outputs;
mod packing;
pub mod path;
pub mod print;
pub mod pulumi;
pub mod select;
pub mod source;
mod state;
pub mod terraform;
pub mod value;

pub use outputs::{Dialect, Document, Output, Outputs};
pub use state::Secrets;

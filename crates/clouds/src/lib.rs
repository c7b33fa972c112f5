//! AWS, Google Cloud and Azure: the identities that sign requests, and objects in their stores.
//!
//! Reading only: the caller finds a key or a token, this crate exchanges it if necessary, and one GET fetches an object.
//! Secrets go into headers and request bodies, never into an error.

pub mod aws;
pub mod azure;
pub mod google;
mod object;
mod store;
mod text;

pub use object::Object;
pub use store::Store;

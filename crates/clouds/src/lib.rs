//! AWS, Google Cloud and Azure: the identities that sign requests, and objects in their stores.
//!
//! Only what reading takes: a key or a token is found by the caller, traded here where it has to be, and one GET fetches an object.
//! Secrets go into headers and request bodies, never into an error.

pub mod aws;
pub mod azure;
pub mod google;
mod store;
mod text;

pub use store::{Object, Store};

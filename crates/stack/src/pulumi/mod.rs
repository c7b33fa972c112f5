//! Pulumi: what its state holds and where it stands.

pub mod account;
pub mod address;
pub mod bucket;
pub mod cloud;
pub mod key;
pub mod key_service;
mod number;
pub mod oidc;
pub mod project;
pub mod provider;
pub mod signature;
pub mod store;

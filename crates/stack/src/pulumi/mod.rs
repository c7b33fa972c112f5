//! Pulumi: the contents of its state, and where it is stored.

pub mod bucket;
pub mod key;
pub mod key_service;
mod number;
pub mod oidc;
pub mod project;
pub mod pulumi_cloud;
pub mod saved_logins;
pub mod secrets_provider;
pub mod signature;
pub mod store;
pub mod store_url;

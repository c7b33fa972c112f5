//! Cloudflare Pages direct upload: hashing, manifest, upload, deployment.
//!
//! The endpoints are wrangler's private protocol, so wrangler is the specification: the same hashes, manifest pairs, form fields and
//! bytes. What wrangler gets wrong is left out: it retries little, loses track of deployments, and can call a failure a success.

mod answer;
mod assets;
mod base64_stream;
mod buffer_pool;
mod client;
pub mod config;
mod digest;
mod form;
mod hash;
mod hash_cache;
mod manifest;
mod mime;
mod model;
pub mod probe;
mod rate_limit;
mod release;
mod rules;
mod token;
mod tree;
mod unpublished;
mod upload_batch;
mod worker;
mod worker_keys;

pub use assets::{Assets, Sent};
pub use client::PagesClient;
pub use config::Configured;
pub use digest::{digest, with_digest};
pub use form::{Form, commit_message};
pub use hash::{AssetHash, extension};
pub use hash_cache::FileIdentity;
pub use manifest::{Asset, Hasher, Manifest};
pub use mime::content_type;
pub use model::{Commit, Deployment, DeploymentStage, DeploymentState, Project, Trigger, find_ours};
pub use rate_limit::RateLimit;
pub use release::{Created, Origin, Release, WorkTree, wait};
pub use rules::Rules;
pub use token::UploadToken;
pub use tree::{FILE_LIMIT, File, Links, Walked, walk};
pub use unpublished::LeftOut;
pub use upload_batch::{UploadBatch, deal};
pub use worker::{Code, DeploymentEnvironment, prebuilt, routes, with_configuration};

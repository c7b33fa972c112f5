//! Cloudflare Pages direct upload: hashing, manifest, upload, deployment.
//!
//! The endpoints are wrangler's private protocol, so wrangler is the specification: the same hashes, manifest pairs, form fields and
//! bytes. What wrangler gets wrong is left out: it retries little, loses track of deployments, and can call a failure a success.

mod account;
mod answer;
mod assets;
mod bucket;
mod chunk;
pub mod config;
mod digest;
mod form;
mod hash;
mod manifest;
mod mime;
mod model;
mod pace;
mod pieces;
pub mod probe;
mod release;
mod shared;
mod token;
mod tree;
mod worker;

pub use account::Account;
pub use assets::{Assets, Sent};
pub use bucket::{Bucket, deal};
pub use digest::{digest, with_digest};
pub use form::{Form, commit_message};
pub use hash::{AssetHash, extension};
pub use manifest::{Asset, Hasher, Manifest};
pub use mime::content_type;
pub use model::{Commit, Deployment, Progress, Project, Stage, Trigger, find_ours};
pub use pace::Pace;
pub use release::{Configured, Origin, Release, Rules, WorkTree, wait};
pub use shared::Identity;
pub use token::UploadToken;
pub use tree::{FILE_LIMIT, File, Links, walk};
pub use worker::{Code, Environment, prebuilt, routes, with_configuration};

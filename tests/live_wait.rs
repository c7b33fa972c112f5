//! `live-wait` on real servers: the old version is hidden in every way that we know, and must be found.

mod bad_input;
mod caches;
mod cluster;
mod flux;
mod flux_story;
mod http;
mod image;
mod kubernetes;
mod kubernetes_api;
mod limits;
mod plan;
mod secure;
mod server;
mod swarm;

use serde_json::Value;

use crate::support::{Seen, Step};

/// The revision that is waited for, and the one before it.
const NEW: &str = "8f4e2a91c0de8f4e2a91c0de8f4e2a91c0de8f4e";
const OLD: &str = "0000000000000000000000000000000000000000";

/// A wait that looks often, so that tests are short.
fn wait(kind: &str) -> Step {
    let quick = ["--interval", "0.05s", "--deadline", "20s", "--grace", "0.3s", "--format", "json"];
    Step::new("live-wait").plain().arg(kind).args(quick)
}

/// The document's only target.
#[track_caller]
fn target(seen: &Seen) -> Value {
    let document = seen.json();
    assert_eq!(document["targets"].as_array().map(Vec::len), Some(1), "{document}");
    document["targets"][0].clone()
}

/// All evidence of a target, as one text.
fn evidence(target: &Value) -> String {
    target["looks"].to_string()
}

//! GitHub through octocrab: sticky comment, check run, deployments.

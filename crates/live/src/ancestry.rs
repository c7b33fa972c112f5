//! Whether one commit contains another, by git in a checkout.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::revision::{core, is_commit};

/// How long git may take.
const GIT: Duration = Duration::from_secs(20);

/// Whether git knows that `found` contains `ours`. A shallow checkout, an unknown commit and an absent git are all a no.
pub(crate) async fn contains(checkout: &Path, found: &str, ours: &str) -> bool {
    if !is_commit(found) || !is_commit(ours) {
        return false;
    }
    let mut command = tokio::process::Command::new("git");
    command.arg("-C").arg(checkout).args(["merge-base", "--is-ancestor", core(ours), core(found)]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let status = tokio::time::timeout(GIT, command.status()).await;
    matches!(status, Ok(Ok(status)) if status.success())
}

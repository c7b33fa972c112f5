//! Whether a login goes on, however slowly: on a busy machine, each of many takes long, and none is lost.

use std::path::Path;
use std::time::{Duration, Instant};

/// A login that goes on may take so many times the limit of one that does not.
pub(super) const TOGETHER: u32 = 4;

/// How often to look, in parts of the limit.
const LOOKS: u32 = 8;

/// Completes when the client's log has not grown for `limit`. ssh writes a line there at each of its steps.
pub(super) async fn stalled(log: &Path, limit: Duration) {
    let (mut size, mut grown) = (0, Instant::now());
    loop {
        tokio::time::sleep(limit / LOOKS).await;
        let now = std::fs::metadata(log).map_or(0, |file| file.len());
        if now != size {
            (size, grown) = (now, Instant::now());
        } else if grown.elapsed() >= limit {
            return;
        }
    }
}

//! The parts that every tool with several items (sites, hosts, checks) needs once per run.
//!
//! [`Reporter`]: its records, printed as they happen with `--format jsonl`, its status lines on stderr, its [`Progress`], its verdict.
//! [`Stop`]: SIGINT, SIGTERM, SIGHUP and the deadline, noticed once and seen by everything that waits.

mod progress;
mod reporter;
mod stop;

pub use progress::Progress;
pub use reporter::{Records, Reporter};
pub use stop::{Stop, StopReason, StopTrigger};

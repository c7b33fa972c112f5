//! The plan file of `preflight-report` and `stage-run`, as plain data, and what of it runs next.
//!
//! Everything here is pure: a plan is read from text, its faults name line and column, and [`Schedule`] decides what starts and what
//! is skipped from nothing but the plan and how checks ended. [`Source`], [`Section`], [`Condition`], [`slug`] and [`bytes`] know
//! nothing of checks: `stage-run` reads its own plan with them.

pub mod checks;
mod condition;
mod cycle;
mod schedule;
mod section;
mod size;
mod slug;
mod source;
pub mod stages;

pub use checks::{Action, Builtin, Check, Command, Need, Order, Plan, Stage, Variable, Work};
pub use condition::{Condition, Subject};
pub use cycle::cycle;
pub use schedule::{Outcome, Schedule, Step, Why};
pub use section::{Located, Section, TextOrFlag};
pub use size::bytes;
pub use slug::slug;
pub use source::{Source, Spot};

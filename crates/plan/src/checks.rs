//! The plan of `preflight-report`: stages and their checks.

mod builtin;
mod command;
mod model;
mod needs;
mod read;

pub use model::{Action, Builtin, Check, Command, Need, Order, Plan, SUBJECTS, Stage, Variable, Work};

#[cfg(test)]
mod tests;

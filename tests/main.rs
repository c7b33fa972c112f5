//! Drives the five programs as a user does.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test, as its functions do")]

mod action;
mod command_lines;
mod contract;
mod live_wait;
mod pages_deploy_all;
mod pipes;
mod preflight_report;
mod recipes;
mod secrets_env;
mod ssh_deploy;
mod stack_output;
mod stage_run;
mod step;
mod support;
mod tutorial;

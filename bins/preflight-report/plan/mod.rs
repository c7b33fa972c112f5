//! `--plan`: runs the checks of a plan file and judges each as `-- COMMAND` judges its one.
//!
//! [`load`] reads and chooses, the `plan` crate decides what starts next, [`conduct`] starts it and waits, [`check`] runs one check to
//! its end, and the records of all of it make the report.

mod attempt;
mod builtin;
mod cache;
mod check;
mod conduct;
mod finished;
mod inputs;
mod list;
mod load;
mod options;
mod records;
mod shared;
mod shell;
mod show;
mod values;

use cli::{Console, Exit};
use plan::{Action, Builtin};
use report::Policy;

use crate::args::Args;
use crate::conclude;
use crate::publish::Publishing;
pub(crate) use options::PlanOptions;

/// Runs the plan, or lists it.
///
/// # Errors
/// The plan cannot be read, or the report not be written.
pub(crate) fn run(args: &Args, publishing: &Publishing<'_>, console: &Console) -> anyhow::Result<Exit> {
    let loaded = load::load(&args.planned, console)?;
    if args.planned.list {
        return Ok(list::list(&loaded, args, console)?);
    }
    verify(&loaded)?;
    let policy = policy(&loaded, args.policy());
    if args.planned.dry_run {
        return Ok(list::dry_run(&loaded, args, console)?);
    }
    crate::target::check(args, &[], console)?;
    let ended = conduct::conduct(&loaded, args, &policy, &publishing.masks, console)?;
    let mut reading = ended.reading;
    conclude::conclude(publishing, &mut reading, &policy, ended.stopped, args, console)
}

/// Checks what can be checked before anything runs: `inputs` that match nothing, builtins that this system lacks.
fn verify(loaded: &load::Loaded) -> fault::Result<()> {
    for (_, check) in loaded.chosen().filter(|(at, _)| loaded.holds[*at]) {
        inputs::files(loaded, check)?;
        if let Action::Builtin(Builtin::Disk { .. }) = check.action {
            builtin::disk_is_supported(loaded, check)?;
        }
    }
    Ok(())
}

/// What is accepted: by the plan, and on top of it by the command line.
fn policy(loaded: &load::Loaded, mut policy: Policy) -> Policy {
    let pattern = |id: &str| id.parse().ok();
    let levels = loaded.plan.checks.iter().filter_map(|check| Some((pattern(&check.id)?, check.fail_on?)));
    policy.fail_on = levels.chain(policy.fail_on).collect();
    let empty = loaded.plan.checks.iter().filter(|check| check.allow_empty);
    policy.allow_empty.extend(empty.filter_map(|check| pattern(&check.id)));
    policy
}

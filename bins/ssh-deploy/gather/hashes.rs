//! The hashes of a run that is about to begin.

use crate::args::Args;
use crate::plan::Plan;
use crate::resume::fingerprint::{Fingerprint, hash};

/// The hashes of a run.
pub(crate) fn of(args: &Args, plan: &Plan) -> Fingerprint {
    let script = plan.command.as_ref().map(|step| (&step.script, &step.interpreter, step.terminal));
    let sent = |one: &ssh::Upload| (one.payload.digest.clone(), one.payload.mode, one.destination.clone());
    let uploads: Vec<_> = plan.uploads.iter().map(sent).collect();
    let release = plan.release.as_ref().map(|plan| &plan.release);
    let release = release.map(|one| (one.payload.as_ref().map(|payload| &payload.digest), &one.base, &one.shared));
    let checks = (&args.checks.check, &args.checks.check_http, &args.checks.check_tcp, &args.files.activate);
    let back = (&args.checks.rollback, args.checks.rollback_all);
    let order = (&args.rollout.batch, args.rollout.max_failures, &args.locking.fence, &args.locking.lock_dir);
    let lock = plan.lock.as_ref().map(|plan| &plan.lock.name);
    let options = (&args.running.env, &args.running.sudo, checks, back, order, lock, args.files.keep);
    Fingerprint { script: hash(&script), uploads: hash(&(uploads, release)), options: hash(&options) }
}

//! What decides the result of a deploy, as hashes: a run that resumes it is held to them.
//!
//! Not in them: how hosts are reached, limits of time, what is printed, and the values of `--env`, which are secrets.

use serde::{Deserialize, Serialize};
use ssh::sha256;

use crate::args::Args;
use crate::plan::Plan;

/// The hashes of a deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// Of the command and what runs it.
    script: String,
    /// Of what is sent, and where it goes.
    uploads: String,
    /// Of the options that decide which hosts change, in what order, and when a host has succeeded.
    options: String,
}

impl Fingerprint {
    /// The hashes of a run.
    pub(crate) fn of(args: &Args, plan: &Plan) -> Self {
        let script = plan.command.as_ref().map(|step| (&step.script, &step.interpreter, step.terminal));
        let uploads: Vec<_> = plan.uploads.iter().map(|upload| (&upload.payload.digest, &upload.destination)).collect();
        let release = plan.release.as_ref().map(|plan| &plan.release);
        let release = release.map(|one| (one.payload.as_ref().map(|payload| &payload.digest), &one.base, &one.shared));
        let checks = (&args.checks.check, &args.checks.check_http, &args.checks.check_tcp, &args.files.activate);
        let back = (&args.checks.rollback, args.checks.rollback_all);
        let order = (&args.rollout.batch, args.rollout.max_failures, &args.locking.fence, &args.locking.lock_dir);
        let lock = plan.lock.as_ref().map(|plan| &plan.lock.name);
        let options = (&args.running.env, &args.running.sudo, checks, back, order, lock, args.files.keep);
        Self { script: hash(&script), uploads: hash(&(uploads, release)), options: hash(&options) }
    }

    /// What of a deploy is not the same, for a message.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let parts = [
            ("commands", self.script != other.script),
            ("uploads", self.uploads != other.uploads),
            ("options", self.options != other.options),
        ];
        parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }

    /// A name for the deploy that all shards and attempts of a workflow run have in common, and no other.
    pub(crate) fn name(&self, run: Option<&str>) -> String {
        match run {
            Some(run) => hash(&(run, &self.script, &self.uploads, &self.options))[..12].to_owned(),
            None => ssh::random_word(),
        }
    }
}

/// The text of a value for debugging has all of it, and differs when the value does.
fn hash(value: &impl std::fmt::Debug) -> String {
    sha256(format!("{value:?}").as_bytes())
}

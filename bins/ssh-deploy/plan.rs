//! What a run does, decided before anything is done.

pub(crate) mod batches;

use std::time::Duration;

use secrecy::SecretString;
use ssh::{Authority, Clean, Destinations, Release, Step, Target, Upload};

use crate::host_runner::probe::Probe;
use crate::locking::LockPlan;
use crate::resume::fingerprint::Fingerprint;
use crate::resume::{Resume, ResumedHost, Start};
use batches::Batches;

/// What to do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The hosts, in the order they were given.
    pub(crate) targets: Vec<Target>,
    /// The command that deploys; none if an earlier release is made current again.
    pub(crate) command: Option<Step>,
    /// The release that is deployed, if it is one.
    pub(crate) release: Option<ReleasePlan>,
    /// What is sent to every host before the command runs.
    pub(crate) uploads: Vec<Upload>,
    /// Environment variables for every step, as lines of shell.
    pub(crate) values: SecretString,
    /// How many hosts run the command at the same time; no limit if `None`.
    pub(crate) jobs: Option<usize>,
    /// How long the command may take on a host.
    pub(crate) timeout: Option<Duration>,
    /// How long to wait for hosts that are booting.
    pub(crate) wait: Option<Wait>,
    /// Which hosts change together.
    pub(crate) batches: Batches,
    /// What follows the command on each host.
    pub(crate) post_deploy: PostDeploy,
    /// What has to hold on every host before the first is changed.
    pub(crate) preflight: ssh::Preflight,
    /// The lock that is held from before the first staged byte to the end.
    pub(crate) lock: Option<LockPlan>,
    /// Which run this is.
    pub(crate) run: Run,
    /// What decides its result.
    pub(crate) fingerprint: Fingerprint,
    /// What becomes of hosts that cannot be reached.
    pub(crate) unreachable: Unreachable,
    /// The deploy that this run goes on with, if it does.
    pub(crate) resume: Option<Resume>,
    /// Whether to change nothing.
    pub(crate) dry_run: bool,
}

/// A release and what makes it live.
#[derive(Debug)]
pub(crate) struct ReleasePlan {
    /// What is sent, and where.
    pub(crate) release: Release,
    /// Which release becomes current.
    pub(crate) becomes: Becomes,
    /// What runs in `BASE/current` after every switch.
    pub(crate) activate: Option<Step>,
}

/// Which release becomes current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// A new one of this name.
    New(String),
    /// An earlier one of this name.
    Earlier(String),
    /// The newest good one that is not current.
    Previous,
}

/// How long to wait for hosts that are booting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// How long in all.
    pub(crate) limit: Duration,
    /// How long after the n-th try, from 0.
    pub(crate) pause: fn(u32) -> Duration,
}

/// 1, 2, 4, then 5 s.
pub(crate) fn pause(tries: u32) -> Duration {
    Duration::from_secs(1 << tries.min(3)).min(Duration::from_secs(5))
}

/// The steps that follow the command on each host: health checks, diagnostics on failure, rollback.
#[derive(Debug, Default)]
pub(crate) struct PostDeploy {
    /// What must succeed, in this order.
    pub(crate) checks: Vec<NamedCommand>,
    /// What must answer from here, after them.
    pub(crate) probes: Vec<Probe>,
    /// How long a check may take to pass.
    pub(crate) check_timeout: Duration,
    /// How long between two tries.
    pub(crate) check_interval: Duration,
    /// What runs for the report when the command or a check has failed.
    pub(crate) diagnoses: Vec<NamedCommand>,
    /// What runs then to restore the previous state.
    pub(crate) rollback: Option<Step>,
    /// How long that may take.
    pub(crate) rollback_timeout: Duration,
    /// Which hosts it runs on.
    pub(crate) scope: RollbackScope,
}

impl PostDeploy {
    /// Whether nothing has to hold after the command.
    pub(crate) fn has_no_checks(&self) -> bool {
        self.checks.is_empty() && self.probes.is_empty()
    }

    /// The steps that look at a host.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.checks.iter().chain(&self.diagnoses).map(|command| &command.step)
    }
}

/// Which hosts are rolled back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RollbackScope {
    /// Those that were changed and failed.
    #[default]
    Failed,
    /// If one fails, every host that was changed, the last one first.
    All,
}

/// Which run this is, for the hosts' state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// Its name.
    pub(crate) key: String,
    /// The commit that is deployed.
    pub(crate) commit: String,
    /// Which deploy it is part of: an attempt that resumes another has the same.
    pub(crate) deploy: String,
    /// Its place in the order of deploys, if older ones must not follow newer ones.
    pub(crate) fence: Option<u64>,
    /// Whether it may follow a deploy that did not reach its end.
    pub(crate) clean: Clean,
}

/// What becomes of hosts that cannot be reached.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unreachable {
    /// How many the run may go on without.
    pub(crate) allowed: usize,
    /// Whether they are tried once more at the end.
    pub(crate) retry: bool,
}

impl Unreachable {
    /// Whether the run may go on without this many hosts.
    pub(crate) fn allows(self, hosts: usize) -> bool {
        hosts <= self.allowed || self.retry
    }
}

/// A command with a name.
#[derive(Debug)]
pub(crate) struct NamedCommand {
    /// Its name in messages and records.
    pub(crate) name: String,
    /// What runs.
    pub(crate) step: Step,
}

impl Plan {
    /// Who does what happens to files on a host.
    pub(crate) fn authority(&self) -> Authority<'_> {
        Authority { sudo: self.preflight.sudo.as_deref(), lock: self.lock.as_ref().map(|plan| &plan.lock) }
    }

    /// Where the run puts things on a host.
    pub(crate) fn destinations(&self) -> Destinations {
        Destinations {
            uploads: self.uploads.iter().map(|upload| upload.destination.clone()).collect(),
            base: self.release.as_ref().map(|plan| plan.release.base.clone()),
        }
    }

    /// Every step of the run but the rollback: all are staged before the first host is changed.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        let activate = self.release.as_ref().and_then(|plan| plan.activate.as_ref());
        self.command.iter().chain(activate).chain(self.post_deploy.steps())
    }

    /// What the first record of the run has for those who resume it.
    pub(crate) fn start(&self) -> Start {
        let release = self.release.as_ref().and_then(|plan| match &plan.becomes {
            Becomes::New(id) | Becomes::Earlier(id) => Some(id.clone()),
            Becomes::Previous => None,
        });
        Start {
            deploy: self.run.deploy.clone(),
            commit: self.run.commit.clone(),
            release,
            fence: self.run.fence,
            batches: self.batches.sizes.clone(),
            fingerprint: self.fingerprint.clone(),
        }
    }

    /// What is known of a host's part in the deploy that is resumed.
    pub(crate) fn resumed(&self, host: usize) -> Option<&ResumedHost> {
        self.resume.as_ref()?.hosts.get(host)
    }
}

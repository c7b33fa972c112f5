//! What is waited for: one request per target of the command line or the plan.

use std::time::Duration;

use live::{Want, Watch};

use crate::args::{TargetArgs, TimeArgs};

/// One target, with its times.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// What.
    pub(crate) target: TargetArgs,
    /// How long, how often.
    pub(crate) time: TimeArgs,
}

impl Request {
    /// What is asked of the looks. `deadline` is the whole run's.
    pub(crate) fn want(&self, deadline: Duration) -> Want {
        let (times, stable) = self.target.enough();
        let time = &self.time;
        // Either may be named for any target, and takes nothing from the other: who asks for more looks does not ask for less time.
        let (times, stable) = (time.times.unwrap_or(times), time.stable.unwrap_or(stable));
        Want { deadline, interval: time.interval, times, stable, grace: time.grace }
    }
}

impl TargetArgs {
    /// The subcommand's name.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Image(_) => "image",
            Self::Swarm(_) => "swarm",
            Self::Kube(_) => "kube",
            Self::Flux(_) => "flux",
        }
    }

    /// How many good looks, over which time, are enough.
    fn enough(&self) -> (u32, Duration) {
        match self {
            Self::Http(_) | Self::Image(_) => (3, Duration::ZERO),
            Self::Swarm(_) | Self::Kube(_) | Self::Flux(_) => (1, Duration::from_secs(30)),
        }
    }
}

/// A wait and what it is called in reports.
#[derive(Debug)]
pub(crate) struct Wait {
    /// `http`, `image`, …
    pub(crate) kind: &'static str,
    /// What is waited for, for people.
    pub(crate) wanted: String,
    /// The address that people can open, if it is one.
    pub(crate) url: Option<String>,
    /// The wait.
    pub(crate) watch: Watch,
}

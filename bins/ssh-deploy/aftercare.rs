//! After a host has been changed: does it work, what happened where it does not, and the way back.
//!
//! Each step is a connection of its own through the same transport. A check that passes must pass once more a moment later,
//! because what has just started may be about to fall over.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use ssh::{Line, Program, Session as _, Target, Transport, Verdict};

use crate::deploy::{Cut, expired};
use crate::stop::{Stop, Told};

/// What follows a command, on each host.
#[derive(Debug, Default)]
pub(crate) struct Aftercare {
    /// What must succeed, in this order.
    pub(crate) checks: Vec<Named>,
    /// How long a check may take to pass.
    pub(crate) patience: Duration,
    /// How long between two tries.
    pub(crate) interval: Duration,
    /// What to run for the report where the command or a check has failed.
    pub(crate) diagnoses: Vec<Named>,
    /// What to run then to get the old state back.
    pub(crate) rollback: Option<Program>,
}

/// A command with a name.
#[derive(Debug)]
pub(crate) struct Named {
    /// What it is about.
    pub(crate) name: String,
    /// What runs.
    pub(crate) program: Program,
}

/// A check that did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unhealthy {
    /// The check.
    pub(crate) check: String,
    /// What it said last.
    pub(crate) words: String,
    /// Whether it had passed before.
    pub(crate) relapsed: bool,
}

/// How a command on the side ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The host's verdict.
    Ended(Verdict),
    /// The host could not be reached any more.
    Unreachable(String),
    /// It took too long.
    TimedOut,
    /// We were told to stop.
    Told(Told),
}

/// One host and the way there.
pub(crate) struct Ward<'a, T> {
    pub(crate) target: &'a Target,
    pub(crate) transport: &'a T,
    pub(crate) stop: &'a Stop,
}

impl<T: Transport> Ward<'_, T> {
    /// Runs `program` and nothing more; its lines go to `sink`.
    pub(crate) async fn run(&self, program: &Program, limit: Option<Duration>, sink: impl FnMut(Line<'_>)) -> Side {
        let begun = Instant::now();
        let connecting = self.transport.connect(self.target, program);
        let session = tokio::select! {
            session = connecting => session,
            () = expired(limit) => return Side::TimedOut,
            () = self.stop.requested() => return Side::Told(self.stop.told().unwrap_or(Told::Terminate)),
        };
        let session = match session {
            Ok(session) => session,
            Err(refusal) => return Side::Unreachable(refusal.text),
        };
        let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
        let cut = Cell::new(None);
        let told_to_end = async { cut.set(Some(cut_off(self.stop, left).await)) };
        let ending = session.run(program, told_to_end, sink).await;
        match cut.get() {
            None => Side::Ended(ending.verdict),
            Some(Cut::Timeout) => Side::TimedOut,
            Some(Cut::Told(told)) => Side::Told(told),
        }
    }

    /// Waits until every check passes, and passes once more.
    pub(crate) async fn recovers(&self, care: &Aftercare) -> Result<(), Unhealthy> {
        for check in &care.checks {
            self.passes(check, care).await?;
        }
        if care.checks.is_empty() {
            return Ok(());
        }
        self.pause(care.interval).await;
        for check in &care.checks {
            let (side, words) = self.try_once(check, care.patience).await;
            if side != Side::Ended(Verdict::Exited(0)) {
                return Err(Unhealthy { check: check.name.clone(), words, relapsed: true });
            }
        }
        Ok(())
    }

    async fn passes(&self, check: &Named, care: &Aftercare) -> Result<(), Unhealthy> {
        let begun = Instant::now();
        let mut earlier = None;
        loop {
            let left = care.patience.saturating_sub(begun.elapsed());
            let (side, words) = self.try_once(check, left).await;
            if side == Side::Ended(Verdict::Exited(0)) {
                return Ok(());
            }
            // The last try has what time is left, often too little: what an earlier one said tells more.
            let words = earlier.filter(|_| side == Side::TimedOut).unwrap_or(words);
            if matches!(side, Side::Told(_)) || begun.elapsed() + care.interval >= care.patience {
                return Err(Unhealthy { check: check.name.clone(), words, relapsed: false });
            }
            earlier = Some(words);
            self.pause(care.interval).await;
        }
    }

    /// How a check ends, and its last line.
    async fn try_once(&self, check: &Named, limit: Duration) -> (Side, String) {
        let last = RefCell::new(String::new());
        let side = self
            .run(&check.program, Some(limit), |line| {
                if !line.bytes.trim_ascii().is_empty() {
                    last.replace(String::from_utf8_lossy(line.bytes).into_owned());
                }
            })
            .await;
        let last = last.into_inner();
        let words = match (&side, last.is_empty()) {
            (_, false) => last,
            (side, true) => side.words(),
        };
        (side, words)
    }

    async fn pause(&self, time: Duration) {
        tokio::select! { () = tokio::time::sleep(time) => {}, () = self.stop.requested() => {} }
    }
}

impl Side {
    /// For people.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Ended(Verdict::Exited(code)) => format!("exit code {code}"),
            Self::Ended(Verdict::NotStarted(words) | Verdict::Lost(words)) | Self::Unreachable(words) => words.clone(),
            Self::TimedOut => "it was not done in time".to_owned(),
            Self::Told(told) => format!("{} came first", told.name()),
        }
    }
}

/// Ends when a command has to.
pub(crate) async fn cut_off(stop: &Stop, timeout: Option<Duration>) -> Cut {
    tokio::select! {
        () = stop.requested() => Cut::Told(stop.told().unwrap_or(Told::Terminate)),
        () = expired(timeout) => Cut::Timeout,
    }
}

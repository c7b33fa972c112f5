//! What the last deploy of a host came to, kept beside its lock: so that a run that was killed half-way is named by the next.

use fault::Kind;

use crate::{Lock, Lost, Session, quote};

/// The state of a host's last deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The run that wrote it.
    pub run: String,
    /// The commit that it deployed.
    pub commit: String,
    /// Which deploy it was part of: an attempt that resumes another has the same.
    pub deploy: String,
    /// How far it came.
    pub phase: Phase,
    /// Whether the host wrote it by itself, at the end of a rollback: the run may have been gone by then, and unable to report it.
    pub alone: bool,
    /// The release that it deployed, if it did.
    pub release: String,
    /// The highest fence that was ever deployed here.
    pub fence: Option<u64>,
}

/// How far a deploy came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The command was started.
    #[default]
    Command,
    /// The activation was started.
    Activate,
    /// The checks were started.
    Check,
    /// The rollback was started.
    Rollback,
    /// It succeeded.
    Done,
    /// It failed, and was reported so.
    Failed,
    /// It failed, and the rollback succeeded.
    RolledBack,
    /// It failed, and so did the rollback.
    RollbackFailed,
    /// It failed, and all of the rollback that a host can do alone succeeded: the checks that run elsewhere did not.
    RolledBackUnchecked,
}

const PHASES: [(Phase, &str); 9] = [
    (Phase::Command, "command"),
    (Phase::Activate, "activate"),
    (Phase::Check, "check"),
    (Phase::Rollback, "rollback"),
    (Phase::Done, "done"),
    (Phase::Failed, "failed"),
    (Phase::RolledBack, "rolled_back"),
    (Phase::RollbackFailed, "rollback_failed"),
    (Phase::RolledBackUnchecked, "rolled_back_unchecked"),
];

impl Phase {
    /// Its name in the state file and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        PHASES.iter().find(|(phase, _)| *phase == self).map_or("command", |(_, name)| name)
    }

    /// Whether the run that wrote it did not reach its end.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Command | Self::Activate | Self::Check | Self::Rollback)
    }
}

impl State {
    /// Reads the state beside `lock`; `None` if nothing was deployed under it yet.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn read(session: &mut impl Session, lock: &Lock) -> Result<Option<Self>, Lost> {
        let text = format!("while IFS= read -r sd_row; do sd_say state \"$sd_row\"; done <{}.state\n", lock.path());
        let answer = session.ask(&text).await?;
        let mut fields = answer.iter().filter_map(|line| line.strip_prefix("state ")?.split_once('=')).peekable();
        if fields.peek().is_none() {
            return Ok(None);
        }
        Ok(Some(fields.fold(Self::default(), Self::with)))
    }

    fn with(mut self, (name, value): (&str, &str)) -> Self {
        match name {
            "run" => value.clone_into(&mut self.run),
            "commit" => value.clone_into(&mut self.commit),
            "release" => value.clone_into(&mut self.release),
            "deploy" => value.clone_into(&mut self.deploy),
            "alone" => self.alone = value == "yes",
            "fence" => self.fence = value.parse().ok(),
            "phase" => {
                self.phase = PHASES.iter().find(|(_, name)| *name == value).map_or(Phase::Command, |(phase, _)| *phase);
            }
            _ => {}
        }
        self
    }

    /// Writes the state beside `lock`.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn write(&self, session: &mut impl Session, lock: &Lock) -> Result<(), Lost> {
        session.ask(&self.text(lock, &quote(self.phase.name()))).await.map(drop)
    }

    /// Shell text that writes the state after a rollback, with its exit code in `$sd_code`: for one whose client is gone. After a
    /// success the phase is `success`.
    #[must_use]
    pub fn after_rollback(&self, lock: &Lock, success: Phase) -> String {
        let phase = "\"$sd_phase\"";
        format!(
            "if [ \"$sd_code\" = 0 ]; then sd_phase={}; else sd_phase={}; fi\n{}",
            success.name(),
            Phase::RollbackFailed.name(),
            Self { alone: true, ..self.clone() }.text(lock, phase)
        )
    }

    /// Writes a new file and renames it over the old one, so that a reader never sees half of it.
    fn text(&self, lock: &Lock, phase: &str) -> String {
        let clean = |text: &str| quote(&text.chars().filter(|one| !one.is_control()).collect::<String>());
        let fence = self.fence.map(|fence| fence.to_string()).unwrap_or_default();
        let path = lock.path();
        // Not echo, which in some shells reads backslashes.
        format!(
            "sd_put run={}\"$sd_newline\"commit={}\"$sd_newline\"phase={phase}\"$sd_newline\"release={}\"$sd_newline\"deploy={}\"$sd_newline\"alone={}\"$sd_newline\"fence={fence}\"$sd_newline\" >{path}.state.new && mv -f {path}.state.new {path}.state\n",
            clean(&self.run),
            clean(&self.commit),
            clean(&self.release),
            clean(&self.deploy),
            if self.alone { "yes" } else { "no" },
        )
    }
}

/// Why a host that is locked must not be deployed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A later run has deployed here.
    Fenced {
        /// Our fence.
        ours: u64,
        /// The one deployed here.
        theirs: u64,
    },
    /// The last deploy here did not reach its end.
    Unfinished(Box<State>),
    /// The deploy that is resumed is not the last one here.
    Superseded(Box<State>),
}

impl Guard {
    /// The `reason.code` of records; stable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fenced { .. } => "fenced",
            Self::Unfinished(_) => "unfinished",
            Self::Superseded(_) => "superseded",
        }
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Fenced { .. } => Kind::Temporary,
            Self::Unfinished(_) | Self::Superseded(_) => Kind::Failed,
        }
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Fenced { ours, theirs } => format!("a newer deploy is live here: its fence is {theirs}, ours {ours}"),
            Self::Unfinished(state) => state.notice().unwrap_or_default(),
            Self::Superseded(state) => format!("another deploy followed the one that is resumed: {}", state.name()),
        }
    }

    /// What to do.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Fenced { .. } => "deploy the newer commit, or allow the older one with --fence none",
            Self::Unfinished(_) => "look at the host, then deploy without --require-clean",
            Self::Superseded(_) => "deploy anew, without --resume",
        }
    }
}

impl State {
    /// What the next run has to know: where an unfinished deploy stopped, and how a rollback ended that may have outlived its run.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        let end = match self.phase {
            phase if phase.is_unfinished() => format!("stopped in `{}`", phase.name()),
            _ if !self.alone => return None,
            Phase::RolledBack => "was rolled back by the host, after its run had ended".to_owned(),
            Phase::RolledBackUnchecked => {
                "was rolled back by the host, after its run had ended: --check-http and --check-tcp did not run"
                    .to_owned()
            }
            Phase::RollbackFailed => "was rolled back by the host, after its run had ended, and that failed".to_owned(),
            _ => return None,
        };
        Some(format!("the deploy of {} {end}", self.name()))
    }

    /// Whether the host is neither in its old nor in its new state, as far as is known.
    #[must_use]
    pub fn is_unclean(&self) -> bool {
        let unclean = matches!(self.phase, Phase::RollbackFailed | Phase::RolledBackUnchecked);
        self.phase.is_unfinished() || (self.alone && unclean)
    }

    /// The run, its commit and its release.
    fn name(&self) -> String {
        let commit: String = self.commit.chars().take(12).collect();
        let parts = [("commit", commit.as_str()), ("release", self.release.as_str())];
        let parts: Vec<String> =
            parts.iter().filter(|(_, text)| !text.is_empty()).map(|(word, text)| format!("{word} {text}")).collect();
        if parts.is_empty() { self.run.clone() } else { format!("{} ({})", self.run, parts.join(", ")) }
    }

    /// Whether a run with `fence` may deploy over this state, and only over a finished one if `clean`.
    ///
    /// # Errors
    /// Why it may not.
    pub fn admit(&self, fence: Option<u64>, clean: Clean) -> Result<(), Guard> {
        if let (Some(ours), Some(theirs)) = (fence, self.fence)
            && ours < theirs
        {
            return Err(Guard::Fenced { ours, theirs });
        }
        match clean {
            Clean::Required if self.is_unclean() => Err(Guard::Unfinished(Box::new(self.clone()))),
            Clean::Required | Clean::Any => Ok(()),
        }
    }
}

/// Whether a deploy may follow one that did not reach its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clean {
    /// It may, with a warning.
    #[default]
    Any,
    /// It may not.
    Required,
}

#[cfg(test)]
mod tests {
    use super::{Clean, Guard, Phase, State};

    #[test]
    fn a_lower_fence_is_refused_and_an_equal_one_passes() {
        let state = State { fence: Some(7), phase: Phase::Done, ..State::default() };
        assert_eq!(state.admit(Some(6), Clean::Any), Err(Guard::Fenced { ours: 6, theirs: 7 }));
        for fence in [Some(7), Some(8), None] {
            assert_eq!(state.admit(fence, Clean::Required), Ok(()));
        }
    }

    #[test]
    fn an_unfinished_deploy_is_refused_only_on_request_and_names_its_phase() {
        let state = State {
            run: "7.1".to_owned(),
            commit: "0123456789abcdef".to_owned(),
            phase: Phase::Activate,
            ..State::default()
        };
        assert_eq!(state.admit(None, Clean::Any), Ok(()));
        let guard = state.admit(None, Clean::Required).unwrap_err();
        assert_eq!(guard.text(), "the deploy of 7.1 (commit 0123456789ab) stopped in `activate`");
        let state = State { release: "20261130T1-abc".to_owned(), ..state };
        assert_eq!(
            state.notice().unwrap(),
            "the deploy of 7.1 (commit 0123456789ab, release 20261130T1-abc) stopped in `activate`"
        );
        for phase in [Phase::Done, Phase::Failed, Phase::RolledBack, Phase::RollbackFailed] {
            assert!(!phase.is_unfinished());
        }
    }

    #[test]
    fn a_rollback_that_outlived_its_run_is_named_and_one_that_was_reported_is_not() {
        for (phase, unclean) in
            [(Phase::RolledBack, false), (Phase::RolledBackUnchecked, true), (Phase::RollbackFailed, true)]
        {
            let state = State { phase, alone: true, ..State::default() };
            assert!(state.notice().unwrap().contains("by the host"), "{phase:?}");
            assert_eq!(state.admit(None, Clean::Required).is_err(), unclean, "{phase:?}");
            let reported = State { alone: false, ..state };
            assert_eq!((reported.notice(), reported.admit(None, Clean::Required)), (None, Ok(())), "{phase:?}");
        }
    }
}

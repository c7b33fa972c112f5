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
    /// How far it came.
    pub phase: Phase,
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
}

const PHASES: [(Phase, &str); 8] = [
    (Phase::Command, "command"),
    (Phase::Activate, "activate"),
    (Phase::Check, "check"),
    (Phase::Rollback, "rollback"),
    (Phase::Done, "done"),
    (Phase::Failed, "failed"),
    (Phase::RolledBack, "rolled_back"),
    (Phase::RollbackFailed, "rollback_failed"),
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

    /// Shell text that writes the state after a rollback, with its exit code in `$sd_code`: for one whose client is gone.
    #[must_use]
    pub fn after_rollback(&self, lock: &Lock) -> String {
        let phase = "\"$sd_phase\"";
        format!(
            "if [ \"$sd_code\" = 0 ]; then sd_phase={}; else sd_phase={}; fi\n{}",
            Phase::RolledBack.name(),
            Phase::RollbackFailed.name(),
            self.text(lock, phase)
        )
    }

    /// Writes a new file and renames it over the old one, so that a reader never sees half of it.
    fn text(&self, lock: &Lock, phase: &str) -> String {
        let clean = |text: &str| quote(&text.chars().filter(|one| !one.is_control()).collect::<String>());
        let fence = self.fence.map(|fence| fence.to_string()).unwrap_or_default();
        let path = lock.path();
        // Not echo, which in some shells reads backslashes.
        format!(
            "sd_put run={}\"$sd_newline\"commit={}\"$sd_newline\"phase={phase}\"$sd_newline\"release={}\"$sd_newline\"fence={fence}\"$sd_newline\" >{path}.state.new && mv -f {path}.state.new {path}.state\n",
            clean(&self.run),
            clean(&self.commit),
            clean(&self.release),
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
    Unfinished(State),
}

impl Guard {
    /// The `reason.code` of records; stable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Fenced { .. } => "fenced",
            Self::Unfinished(_) => "unfinished",
        }
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Fenced { .. } => Kind::Temporary,
            Self::Unfinished(_) => Kind::Failed,
        }
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Fenced { ours, theirs } => format!("a newer deploy is live here: its fence is {theirs}, ours {ours}"),
            Self::Unfinished(state) => state.unfinished_text(),
        }
    }

    /// What to do.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Fenced { .. } => "deploy the newer commit, or allow the older one with --fence none",
            Self::Unfinished(_) => "look at the host, then deploy without --require-clean",
        }
    }
}

impl State {
    /// Where an unfinished deploy stopped.
    #[must_use]
    pub fn unfinished_text(&self) -> String {
        let commit: String = self.commit.chars().take(12).collect();
        let commit = if commit.is_empty() { commit } else { format!(" (commit {commit})") };
        format!("the deploy of {}{commit} stopped in `{}`", self.run, self.phase.name())
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
            Clean::Required if self.phase.is_unfinished() => Err(Guard::Unfinished(self.clone())),
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
        for phase in [Phase::Done, Phase::Failed, Phase::RolledBack, Phase::RollbackFailed] {
            assert!(!phase.is_unfinished());
        }
    }
}

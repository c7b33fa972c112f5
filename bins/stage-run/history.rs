//! What a journal says of each stage, as plain data. Pure.

use journal::Round;
use report::{Status, Verdict};
use serde_json::{Map, Value};

/// The steps of a stage, as the journal names them.
pub(crate) const BEFORE: &str = "before";
pub(crate) const RUN: &str = "run";
pub(crate) const READY: &str = "ready";
pub(crate) const UNDO: &str = "undo";

/// The reason code of a stage that a signal or its timeout ended, and whose processes all ended by themselves.
pub(crate) const INTERRUPTED: &str = "interrupted";
/// The reason code of a stage that had to be killed: how far it came is not known.
pub(crate) const HALF_DONE: &str = "half_done";

/// The reason code of a stage whose deciding command could not be started.
pub(crate) const NOT_STARTED: &str = "not_started";

/// How far a stage has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has not begun, or has been undone.
    NotBegun,
    /// It passed.
    Passed,
    /// It ended and did not pass.
    Failed,
    /// Its condition did not hold.
    Skipped,
    /// It began and its end is not known, or it was killed.
    HalfDone,
    /// `run` passed, and `ready` began or was about to.
    ReadyDue,
    /// It was undone.
    Undone,
    /// Its undo failed or did not end.
    NotClean,
}

impl Standing {
    /// As status lines have it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NotBegun => "pending",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::HalfDone => "half done",
            Self::ReadyDue => "half done: `run` passed, `ready` did not end",
            Self::Undone => "undone",
            Self::NotClean => "not clean: its undo did not pass",
        }
    }
}

/// What a journal says of one stage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StageHistory {
    pub(crate) standing: Standing,
    /// Whether it began since it was last undone: then its undo has something to undo.
    pub(crate) began: bool,
    /// What was kept with its last beginning: hashes, commit.
    pub(crate) facts: Map<String, Value>,
    /// What was kept with its last step: the process group.
    pub(crate) step_facts: Map<String, Value>,
    /// How often it began.
    pub(crate) times: usize,
}

impl StageHistory {
    /// A fact of its last beginning.
    pub(crate) fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).and_then(Value::as_str)
    }
}

/// What a journal says of a run.
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
#[derive(Clone, Debug, Default)]
pub(crate) struct RunHistory {
    rounds: Vec<Round>,
    /// The stages that it promised.
    pub(crate) promised: Vec<String>,
    /// How it ended, if it did.
    pub(crate) result: Option<Verdict>,
    /// Its last line was cut short.
    pub(crate) torn: bool,
    /// It promises all stages of the plan.
    pub(crate) whole: bool,
    /// It has failed, or died, and has not passed since.
    pub(crate) failed: bool,
    /// The last thing that was asked of it is to be undone.
    pub(crate) undone: bool,
    /// The checks that ended since it was last started or resumed.
    ended: Vec<String>,
}

/// The fact of a run that promises all stages.
pub(crate) const WHOLE: &str = "whole";

impl RunHistory {
    /// Adds up the journal.
    pub(crate) fn of(history: &journal::History) -> Self {
        let mut run = Self { rounds: journal::rounds(&history.records), torn: history.torn, ..Self::default() };
        let mut has_started = false;
        for record in &history.records {
            match &record.event {
                report::Event::RunStarted { plan, .. } => {
                    // A process that died before it recorded an end has failed.
                    run.failed |= has_started && run.result.is_none();
                    has_started = true;
                    run.whole |= journal::facts(record).get(WHOLE).and_then(Value::as_bool).unwrap_or(false);
                    // An undo promises nothing.
                    run.undone = plan.is_empty();
                    run.ended.clear();
                    let new: Vec<_> = plan.iter().filter_map(|check| stage_of(check)).map(str::to_owned).collect();
                    for stage in new {
                        if !run.promised.contains(&stage) {
                            run.promised.push(stage);
                        }
                    }
                    run.result = None;
                }
                report::Event::RunFinished { result, .. } => {
                    run.result = Some(*result);
                    run.failed = match result {
                        Verdict::Passed => false,
                        Verdict::Failed => run.failed || !run.undone,
                        Verdict::Incomplete => run.failed,
                    };
                }
                report::Event::CheckFinished { check, .. } => run.ended.push(check.clone()),
                _ => {}
            }
        }
        run.failed |= has_started && run.result.is_none();
        run
    }

    /// Whether a check has ended since the run was last started or resumed.
    pub(crate) fn has_ended(&self, check: &str) -> bool {
        self.ended.iter().any(|ended| ended == check)
    }

    /// Whether a stage belongs to the run. Of a run whose first record was lost, every stage does.
    pub(crate) fn promises(&self, id: &str) -> bool {
        self.promised.is_empty() || self.promised.iter().any(|promised| promised == id)
    }

    /// One stage of it.
    pub(crate) fn stage(&self, id: &str) -> StageHistory {
        let (deploy, undo) = (format!("deploy/{id}"), format!("undo/{id}"));
        let mut stage = StageHistory {
            standing: Standing::NotBegun,
            began: false,
            facts: Map::new(),
            step_facts: Map::new(),
            times: 0,
        };
        for round in &self.rounds {
            if round.check == deploy {
                let begun = has_begun(round);
                stage.standing = standing(round);
                stage.facts.clone_from(&round.facts);
                stage.began |= begun;
                stage.times += usize::from(begun);
            } else if round.check == undo {
                let clean = matches!(round.end, Some((Status::Passed, _)));
                stage.standing = if clean { Standing::Undone } else { Standing::NotClean };
                stage.began &= !clean;
            } else {
                continue;
            }
            stage.step_facts = round.last().map(|step| step.facts.clone()).unwrap_or_default();
        }
        stage
    }

    /// The facts of the last step of any kind that has no end: a process of it may still run.
    pub(crate) fn open_step(&self) -> Option<(&Round, &Map<String, Value>)> {
        let round = self.rounds.iter().rev().find(|round| round.last().is_some())?;
        let step = round.last()?;
        Some((round, &step.facts))
    }
}

/// The stage of a check's id.
pub(crate) fn stage_of(check: &str) -> Option<&str> {
    check.strip_prefix("deploy/")
}

/// Whether anything of the stage itself ran: `before` is not the stage.
fn has_begun(round: &Round) -> bool {
    round.steps.iter().any(|step| step.step.name == RUN)
}

fn standing(round: &Round) -> Standing {
    match &round.end {
        Some((Status::Passed, _)) => Standing::Passed,
        Some((Status::Skipped, _)) => Standing::Skipped,
        Some((_, reason)) => match reason.as_ref().map(|reason| reason.code.as_str()) {
            // `run` passed, and what is left is `ready`, which was killed, or could not be started.
            Some(HALF_DONE | NOT_STARTED) if round.passed(RUN) => Standing::ReadyDue,
            Some(HALF_DONE) => Standing::HalfDone,
            _ => Standing::Failed,
        },
        // A crash in `ready` goes on at `ready`.
        None if round.passed(RUN) => Standing::ReadyDue,
        None if has_begun(round) => Standing::HalfDone,
        None => Standing::NotBegun,
    }
}

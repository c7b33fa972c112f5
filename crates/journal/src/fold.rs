//! What records add up to: for each check its rounds, in the order they began.

use report::{Event, Reason, Record, Status};
use serde_json::{Map, Value};

use crate::step::{Change, Step, StepEnd, facts, step_of};

/// One time that a check was begun, by whichever process.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// The check.
    pub check: String,
    /// What the tool kept with its beginning and its end.
    pub facts: Map<String, Value>,
    /// Its commands, in the order they began.
    pub steps: Vec<StepRound>,
    /// How it ended; `None`: the process that began it did not come to its end.
    pub end: Option<(Status, Option<Reason>)>,
}

/// One command of a round.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRound {
    /// The command.
    pub step: Step,
    /// What the tool kept with its beginning.
    pub facts: Map<String, Value>,
    /// How it ended, if it did before us.
    pub end: Option<StepEnd>,
}

impl Round {
    /// The last command that began.
    #[must_use]
    pub fn last(&self) -> Option<&StepRound> {
        self.steps.last()
    }

    /// Whether the last command of this name passed.
    #[must_use]
    pub fn passed(&self, step: &str) -> bool {
        let last = self.steps.iter().rev().find(|round| round.step.name == step);
        last.and_then(|round| round.end.as_ref()).is_some_and(|end| end.passed)
    }
}

/// The rounds of all checks, in the order they began. Records about a round that did not begin are left out.
#[must_use]
pub fn rounds(records: &[Record]) -> Vec<Round> {
    let mut rounds: Vec<Round> = Vec::new();
    for record in records {
        match &record.event {
            Event::CheckStarted { check, .. } => {
                rounds.push(Round { check: check.clone(), facts: facts(record), steps: Vec::new(), end: None });
            }
            Event::CheckFinished { check, status, reason, .. } => {
                if let Some(round) = open(&mut rounds, check) {
                    round.end = Some((*status, reason.clone()));
                    round.facts.extend(facts(record));
                }
            }
            Event::Unknown => {
                if let Some((step, change)) = step_of(record) {
                    take_step(&mut rounds, step, change, record);
                }
            }
            _ => {}
        }
    }
    rounds
}

fn open<'r>(rounds: &'r mut [Round], check: &str) -> Option<&'r mut Round> {
    rounds.iter_mut().rev().find(|round| round.check == check).filter(|round| round.end.is_none())
}

fn take_step(rounds: &mut [Round], step: Step, change: Change, record: &Record) {
    let Some(round) = open(rounds, &step.check) else { return };
    if matches!(change, Change::Started) {
        round.steps.push(StepRound { step, facts: facts(record), end: None });
        return;
    }
    let Some(begun) = round.steps.iter_mut().rev().find(|begun| begun.step == step) else { return };
    match change {
        Change::Finished(end) => begun.end = Some(end),
        Change::Started | Change::Running => begun.facts.extend(facts(record)),
    }
}

//! What starts next, what is skipped, and why: nothing but the plan and how checks ended decides it.

use crate::{Need, Order, Plan};

/// How a check ended, as far as others depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// What to do with a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start it, and report its end with [`Schedule::ended`].
    Start(usize),
    /// Leave it out: its end is known.
    Skip(usize, Why),
}

/// Why a check is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its `when` is false.
    Condition,
    /// This stage or check, which its stage needs, did not pass.
    NeedsFailed(String),
    /// This check, which comes before it in its sequence, failed.
    EarlierFailed(String),
    /// This check failed first.
    FailFast(String),
    /// The run was stopped.
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Ended(Outcome),
    Skipped,
}

/// The state of a run.
#[derive(Clone, Debug)]
pub struct Schedule<'p> {
    plan: &'p Plan,
    /// Of each check; those that are not selected have none.
    states: Vec<Option<State>>,
    /// Of each check: whether its `when` holds.
    holds: Vec<bool>,
    jobs: usize,
    fail_fast: bool,
    first_failure: Option<usize>,
    stopped: bool,
}

impl<'p> Schedule<'p> {
    /// A run of the checks that `selected` is true for, at most `jobs` at a time. `holds` is whether a check's `when` is true.
    #[must_use]
    pub fn new(
        plan: &'p Plan,
        selected: impl Fn(usize) -> bool,
        holds: impl Fn(usize) -> bool,
        jobs: usize,
        fail_fast: bool,
    ) -> Self {
        let all = 0..plan.checks.len();
        Self {
            plan,
            states: all.clone().map(|check| selected(check).then_some(State::Waiting)).collect(),
            holds: all.map(holds).collect(),
            jobs: jobs.max(1),
            fail_fast,
            first_failure: None,
            stopped: false,
        }
    }

    /// The next step, if there is one now: call it until it returns `None`, then wait for an end.
    pub fn step(&mut self) -> Option<Step> {
        for (number, stage) in self.plan.stages.iter().enumerate() {
            let waiting = stage.checks.clone().find(|check| self.states[*check] == Some(State::Waiting));
            let Some(check) = waiting.filter(|_| self.may_decide(number)) else { continue };
            if let Some(why) = self.why_not(number, check) {
                self.states[check] = Some(State::Skipped);
                return Some(Step::Skip(check, why));
            }
            let running = self.states.iter().filter(|state| **state == Some(State::Running)).count();
            let is_next = stage.order == Order::Parallel || !self.any_of(number, State::Running);
            if running < self.jobs && is_next {
                self.states[check] = Some(State::Running);
                return Some(Step::Start(check));
            }
        }
        None
    }

    /// A check that was started has ended.
    pub fn ended(&mut self, check: usize, outcome: Outcome) {
        self.states[check] = Some(State::Ended(outcome));
        if outcome == Outcome::Failed && self.plan.checks[check].required {
            self.first_failure.get_or_insert(check);
        }
    }

    /// Stops the run: nothing starts any more.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// The check whose failure cancels what runs, with `--fail-fast`.
    #[must_use]
    pub fn cancelled_by(&self) -> Option<&'p str> {
        self.first_failure.filter(|_| self.fail_fast).map(|check| self.plan.checks[check].id.as_str())
    }

    /// Whether every check has ended or is left out.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.states.iter().any(|state| matches!(state, Some(State::Waiting | State::Running)))
    }

    /// How many checks have not started.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.states.iter().filter(|state| **state == Some(State::Waiting)).count()
    }

    /// Whether all selected checks of a stage have ended or are left out.
    #[must_use]
    pub fn stage_is_over(&self, stage: usize) -> bool {
        !self.any_of(stage, State::Waiting) && !self.any_of(stage, State::Running)
    }

    fn any_of(&self, stage: usize, wanted: State) -> bool {
        self.plan.stages[stage].checks.clone().any(|check| self.states[check] == Some(wanted))
    }

    /// Whether it is known if this stage starts: what it waits for is over, or nothing starts any more.
    fn may_decide(&self, stage: usize) -> bool {
        if self.stopped || self.cancelled_by().is_some() {
            return true;
        }
        match &self.plan.stages[stage].needs {
            None => stage == 0 || self.stage_is_over_before(stage - 1),
            Some(needs) => needs.iter().all(|need| match need {
                Need::Stage(stage) => self.stage_is_over_before(*stage),
                Need::Check(check) => self.is_over_check(*check),
            }),
        }
    }

    /// Whether a stage is over. One without a selected check does not end by itself: what comes before it counts.
    fn stage_is_over_before(&self, stage: usize) -> bool {
        let is_selected = self.plan.stages[stage].checks.clone().any(|check| self.states[check].is_some());
        if is_selected {
            return self.stage_is_over(stage);
        }
        // Bounded: the needs of a plan have no cycle.
        self.may_decide(stage)
    }

    fn is_over_check(&self, check: usize) -> bool {
        !matches!(self.states[check], Some(State::Waiting | State::Running))
    }

    fn why_not(&self, stage: usize, check: usize) -> Option<Why> {
        if self.stopped {
            return Some(Why::Stopped);
        }
        if let Some(first) = self.cancelled_by() {
            return Some(Why::FailFast(first.to_owned()));
        }
        let needs = self.plan.stages[stage].needs.as_deref().unwrap_or_default();
        if let Some(failed) = needs.iter().find_map(|need| self.did_not_pass(*need)) {
            return Some(Why::NeedsFailed(failed.to_owned()));
        }
        if self.plan.stages[stage].order == Order::Sequence
            && let Some(earlier) = self.plan.stages[stage].checks.clone().find(|one| self.is_bad(*one))
        {
            return Some(Why::EarlierFailed(self.plan.checks[earlier].id.clone()));
        }
        (!self.holds[check]).then_some(Why::Condition)
    }

    /// Whether a check failed or was stopped and is required.
    fn is_bad(&self, check: usize) -> bool {
        let ended = matches!(self.states[check], Some(State::Ended(Outcome::Failed | Outcome::Cancelled)));
        ended && self.plan.checks[check].required
    }

    /// The name of what is needed, if it did not pass. Checks that are not selected count as passed.
    fn did_not_pass(&self, need: Need) -> Option<&'p str> {
        let passed = |check: usize| matches!(self.states[check], None | Some(State::Ended(Outcome::Passed)));
        match need {
            Need::Check(check) => (!passed(check)).then_some(self.plan.checks[check].id.as_str()),
            Need::Stage(stage) => {
                let stage = &self.plan.stages[stage];
                // A check that its condition leaves out does not hold the stage up, unless nothing of it ran.
                let holds_up = |check: usize| self.is_bad(check) || self.is_skipped_for_cause(check);
                let any_ran = stage.checks.clone().any(|check| !matches!(self.states[check], Some(State::Skipped)));
                (!any_ran || stage.checks.clone().any(holds_up)).then_some(stage.id.as_str())
            }
        }
    }

    /// Whether a check was left out for another reason than its condition.
    fn is_skipped_for_cause(&self, check: usize) -> bool {
        self.states[check] == Some(State::Skipped) && self.holds[check]
    }
}

#[cfg(test)]
mod tests;

//! What runs next and what is undone. Pure functions of the plan and the journal.

use report::Verdict;

use crate::history::{RunHistory, Standing};

/// What the decisions need to know of a stage of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: String,
    /// Of its commands.
    pub(crate) hash: String,
    /// Of its undo, if it has one.
    pub(crate) undo: Option<String>,
    /// Of the files it depends on; `None` if it depends on none.
    pub(crate) inputs: Option<String>,
    pub(crate) again: bool,
    pub(crate) destroys: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// All stages, in a new run.
    New,
    /// The newest run, from its first stage that has not passed.
    Resume {
        /// Even if passed stages have changed.
        anyway: bool,
    },
    /// From this stage on.
    From(usize),
    /// These stages and no others.
    Only(Vec<usize>),
}

/// Where a stage begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    Run,
    /// `run` has passed; what is left is `ready`.
    Ready,
}

/// A stage to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Todo {
    pub(crate) stage: usize,
    pub(crate) begin: Begin,
}

/// Why nothing runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no run to go on with, or it has passed.
    NothingToResume { passed: bool },
    /// A stage is half done and may not run again by itself.
    HalfDone(String),
    /// A stage that has passed is no longer what passed.
    Changed { stage: String, what: &'static str },
    /// The plan no longer has a stage that began.
    Gone(String),
}

/// The stages to run, in order. `history` is the newest run's, if there is one.
pub(crate) fn next(
    stages: &[Known],
    history: Option<&RunHistory>,
    request: &Request,
    until: Option<usize>,
) -> Result<Vec<Todo>, Refusal> {
    let standing = |stage: usize| history.map_or(Standing::NotBegun, |run| run.stage(&stages[stage].id).standing);
    let (wanted, named): (Vec<usize>, Vec<usize>) = match request {
        Request::New => ((0..stages.len()).collect(), Vec::new()),
        Request::From(first) => ((*first..stages.len()).collect(), vec![*first]),
        Request::Only(named) => (named.clone(), named.clone()),
        Request::Resume { anyway } => {
            let history = history.ok_or(Refusal::NothingToResume { passed: false })?;
            let wanted = unpassed(stages, history, *anyway)?;
            // A run that died between its last stage and its end is not over: its end is still to be recorded.
            if wanted.is_empty() && history.result == Some(Verdict::Passed) {
                return Err(Refusal::NothingToResume { passed: true });
            }
            (wanted, Vec::new())
        }
    };
    let resumes = matches!(request, Request::Resume { .. });
    let mut todo = Vec::new();
    for stage in wanted.into_iter().filter(|stage| until.is_none_or(|until| *stage <= until)) {
        let standing = standing(stage);
        let unknown = matches!(standing, Standing::HalfDone | Standing::NotClean);
        if unknown && !stages[stage].again && !named.contains(&stage) {
            return Err(Refusal::HalfDone(stages[stage].id.clone()));
        }
        // Only a resumed run goes on inside a stage. Otherwise `run` would run a second time by accident.
        let begin = match standing {
            Standing::ReadyDue if resumes => Begin::Ready,
            Standing::ReadyDue if !stages[stage].again && !named.contains(&stage) => {
                return Err(Refusal::HalfDone(stages[stage].id.clone()));
            }
            _ => Begin::Run,
        };
        todo.push(Todo { stage, begin });
    }
    Ok(todo)
}

/// The stages that have not passed. Those that have must be what they were.
fn unpassed(stages: &[Known], history: &RunHistory, anyway: bool) -> Result<Vec<usize>, Refusal> {
    let mut wanted = Vec::new();
    for (number, stage) in stages.iter().enumerate() {
        let was = history.stage(&stage.id);
        match was.standing {
            Standing::Passed if anyway => {}
            Standing::Passed => {
                let changed = |what| Refusal::Changed { stage: stage.id.clone(), what };
                if was.fact("hash") != Some(stage.hash.as_str()) {
                    return Err(changed("its commands"));
                }
                if was.fact("inputs") != stage.inputs.as_deref() {
                    return Err(changed("its files"));
                }
            }
            Standing::Skipped if history.promises(&stage.id) => {}
            // A run of some stages does not run the others. A run of all stages also runs one that the plan did not have yet.
            _ if !history.promises(&stage.id) && !history.whole && was.standing == Standing::NotBegun => {}
            _ => wanted.push(number),
        }
    }
    Ok(wanted)
}

/// What becomes of a stage when a run is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undo {
    /// Its undo runs.
    Run(usize),
    /// It began and has no undo.
    Nothing(usize),
    /// Its undo destroys, and was not asked for.
    Destroys(usize),
}

/// What is undone, the last stage first. Stages that did not begin, or are undone, are not in it.
pub(crate) fn undo(
    stages: &[Known],
    history: &RunHistory,
    on_failure: bool,
    anyway: bool,
) -> Result<Vec<Undo>, Refusal> {
    let gone = history.promised.iter().find(|id| {
        let began = history.stage(id).began;
        began && !stages.iter().any(|stage| stage.id == **id)
    });
    if let Some(gone) = gone.filter(|_| !anyway) {
        return Err(Refusal::Gone(gone.clone()));
    }
    let mut undos = Vec::new();
    for (number, stage) in stages.iter().enumerate().rev() {
        let was = history.stage(&stage.id);
        if !was.began {
            continue;
        }
        let same = was.fact("undo") == stage.undo.as_deref();
        undos.push(match &stage.undo {
            _ if !same && !anyway => return Err(Refusal::Changed { stage: stage.id.clone(), what: "its undo" }),
            None => Undo::Nothing(number),
            Some(_) if stage.destroys && on_failure => Undo::Destroys(number),
            Some(_) => Undo::Run(number),
        });
    }
    Ok(undos)
}

#[cfg(test)]
mod tests;

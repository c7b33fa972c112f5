//! Every order of crashes: an imagined world runs what is decided, and dies anywhere.

use journal::{History, Step, StepEnd, step_finished, step_started};
use proptest::prelude::*;
use report::{Event, Reason, Record, Status, Verdict};
use serde_json::Map;

use super::{Begin, Known, Refusal, Request, Todo, Undo, next, undo};
use crate::history::{HALF_DONE, INTERRUPTED, READY, RUN, RunHistory, Standing, UNDO};

fn known(id: &str, again: bool, ready: bool) -> Known {
    let undo = Some(format!("undo {id}"));
    let _ = ready;
    Known { id: id.to_owned(), hash: format!("run {id}"), undo, inputs: None, again, destroys: false }
}

#[derive(Default)]
struct World {
    records: Vec<Record>,
}

impl World {
    fn add(&mut self, (event, rest): (Event, Map<String, serde_json::Value>)) {
        let seq = self.records.len() as u64;
        self.records.push(Record { run: "r".to_owned(), shard: None, seq, at: None, event, rest });
    }

    fn start(&mut self, stages: &[Known]) {
        let plan = stages.iter().map(|stage| format!("deploy/{}", stage.id)).collect();
        self.add((Event::RunStarted { tool: None, title: None, plan }, Map::new()));
    }

    fn begin(&mut self, kind: &str, stage: &Known) {
        let mut facts = Map::new();
        facts.insert("hash".to_owned(), stage.hash.clone().into());
        facts.insert("undo".to_owned(), stage.undo.clone().into());
        let event = Event::CheckStarted { check: format!("{kind}/{}", stage.id), name: None };
        self.add((event, journal::with_facts(Map::new(), facts)));
    }

    fn step(&mut self, kind: &str, stage: &Known, name: &str) -> Step {
        let step = Step { check: format!("{kind}/{}", stage.id), name: name.to_owned(), attempt: 1 };
        self.add(step_started(&step, Map::new()));
        step
    }

    fn end(&mut self, step: &Step, passed: bool) {
        self.add(step_finished(step, &StepEnd { passed, exit_code: None }));
    }

    fn finish(&mut self, kind: &str, stage: &Known, status: Status, code: Option<&str>) {
        let event = Event::CheckFinished {
            check: format!("{kind}/{}", stage.id),
            status,
            duration_seconds: None,
            reason: code.map(|code| Reason::new(code, "")),
            url: None,
            exit_code: None,
            data: Map::new(),
        };
        self.add((event, Map::new()));
    }

    fn over(&mut self, result: Verdict) {
        self.add((Event::RunFinished { result, duration_seconds: None }, Map::new()));
    }

    fn history(&self) -> RunHistory {
        RunHistory::of(&History { records: self.records.clone(), torn: false, whole: 0 })
    }
}

/// What happens to a process that carries out a decision.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Pass,
    Fail,
    Interrupt,
    Kill,
    CrashInRun,
    CrashBeforeReady,
    CrashInReady,
    CrashInUndo,
}

/// Carries out a run; returns the stages whose `run` was started.
fn carry_out(world: &mut World, stages: &[Known], todo: &[Todo], fates: &[Fate]) -> Vec<usize> {
    let mut started = Vec::new();
    world.start(stages);
    for (number, item) in todo.iter().enumerate() {
        let (stage, fate) = (&stages[item.stage], fates.get(number).copied().unwrap_or(Fate::Pass));
        world.begin("deploy", stage);
        // A resumed round knows that `run` has passed.
        let step = world.step("deploy", stage, RUN);
        if item.begin == Begin::Run {
            started.push(item.stage);
            match fate {
                Fate::CrashInRun | Fate::CrashInUndo => return started,
                Fate::Fail => {
                    world.end(&step, false);
                    world.finish("deploy", stage, Status::Failed, Some("exit_code"));
                    world.over(Verdict::Failed);
                    return started;
                }
                Fate::Interrupt | Fate::Kill => {
                    world.end(&step, false);
                    let code = if fate == Fate::Kill { HALF_DONE } else { INTERRUPTED };
                    world.finish("deploy", stage, Status::Failed, Some(code));
                    world.over(Verdict::Failed);
                    return started;
                }
                _ => {}
            }
        }
        world.end(&step, true);
        if fate == Fate::CrashBeforeReady {
            return started;
        }
        let ready = world.step("deploy", stage, READY);
        if fate == Fate::CrashInReady {
            return started;
        }
        world.end(&ready, true);
        world.finish("deploy", stage, Status::Passed, None);
    }
    world.over(Verdict::Passed);
    started
}

fn carry_out_undo(world: &mut World, stages: &[Known], undos: &[Undo], fate: Fate) -> Vec<usize> {
    let mut undone = Vec::new();
    for one in undos {
        let Undo::Run(stage) = one else { continue };
        world.begin("undo", &stages[*stage]);
        let step = world.step("undo", &stages[*stage], UNDO);
        undone.push(*stage);
        if fate == Fate::CrashInUndo {
            return undone;
        }
        world.end(&step, fate != Fate::Fail);
        let status = if fate == Fate::Fail { Status::Failed } else { Status::Passed };
        world.finish("undo", &stages[*stage], status, None);
    }
    undone
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Pass),
        1 => Just(Fate::Fail),
        1 => Just(Fate::Interrupt),
        1 => Just(Fate::Kill),
        1 => Just(Fate::CrashInRun),
        1 => Just(Fate::CrashBeforeReady),
        1 => Just(Fate::CrashInReady),
        1 => Just(Fate::CrashInUndo),
    ]
}

#[derive(Clone, Debug)]
enum Act {
    New,
    Resume,
    Undo,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![1 => Just(Act::New), 4 => Just(Act::Resume), 1 => Just(Act::Undo)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No order of crashes runs a half-done stage a second time unless it may, passes an interrupted one, or undoes what did not begin.
    #[test]
    fn no_order_of_crashes_breaks_a_promise(
        again in prop::collection::vec(any::<bool>(), 1..4),
        acts in prop::collection::vec((act(), prop::collection::vec(fate(), 4)), 1..8),
    ) {
        let stages: Vec<Known> =
            again.iter().enumerate().map(|(number, again)| known(&format!("s{number}"), *again, true)).collect();
        let mut world = World::default();
        for (act, fates) in acts {
            let history = world.history();
            let before: Vec<_> = stages.iter().map(|stage| history.stage(&stage.id)).collect();
            if let Act::Undo = act {
                let undos = undo(&stages, &history, false, false).unwrap();
                for one in &undos {
                    let (Undo::Run(stage) | Undo::Nothing(stage) | Undo::Destroys(stage)) = one;
                    prop_assert!(before[*stage].began, "an undo of what did not begin");
                }
                let order: Vec<_> = undos.iter().map(|(Undo::Run(stage) | Undo::Nothing(stage) | Undo::Destroys(stage))| *stage).collect();
                prop_assert!(order.is_sorted_by(|one, other| one > other), "the last first");
                for stage in carry_out_undo(&mut world, &stages, &undos, fates[0]) {
                    let after = world.history().stage(&stages[stage].id);
                    prop_assert_eq!(after.began, after.standing != Standing::Undone);
                }
                continue;
            }
            let request = if matches!(act, Act::New) { Request::New } else { Request::Resume { anyway: false } };
            let decided = next(&stages, Some(&history), &request, None);
            let Ok(todo) = decided else { continue };
            for item in &todo {
                let (was, stage) = (before[item.stage].standing, &stages[item.stage]);
                let unknown = matches!(was, Standing::HalfDone | Standing::NotClean | Standing::ReadyDue);
                prop_assert!(item.begin == Begin::Ready || !unknown || stage.again, "{was:?} ran again");
                if request != Request::New {
                    prop_assert_ne!(was, Standing::Passed, "a passed stage runs again when a run is resumed");
                }
            }
            carry_out(&mut world, &stages, &todo, &fates);
            let after = world.history();
            for (number, fate) in fates.iter().enumerate().take(todo.len()) {
                let cut = matches!(fate, Fate::Interrupt | Fate::Kill | Fate::CrashInRun | Fate::CrashInUndo);
                if cut && todo[number].begin == Begin::Run {
                    prop_assert_ne!(after.stage(&stages[todo[number].stage].id).standing, Standing::Passed);
                    break;
                }
                if *fate != Fate::Pass {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_resumed_run_goes_on_at_its_first_stage_that_has_not_passed() {
    let stages = [known("a", false, false), known("b", false, false), known("c", false, false)];
    let mut world = World::default();
    carry_out(&mut world, &stages, &next(&stages, None, &Request::New, None).unwrap(), &[Fate::Pass, Fate::Fail]);
    let resume = |world: &World, stages: &[Known]| {
        next(stages, Some(&world.history()), &Request::Resume { anyway: false }, None)
    };
    let todo = resume(&world, &stages).unwrap();
    assert_eq!(todo.iter().map(|item| item.stage).collect::<Vec<_>>(), [1, 2]);
    let mut changed = stages.clone();
    changed[0].hash = "other".to_owned();
    assert_eq!(resume(&world, &changed), Err(Refusal::Changed { stage: "a".to_owned(), what: "its commands" }));
    changed[0].hash.clone_from(&stages[0].hash);
    changed[0].inputs = Some("files".to_owned());
    assert_eq!(resume(&world, &changed), Err(Refusal::Changed { stage: "a".to_owned(), what: "its files" }));
    assert!(next(&changed, Some(&world.history()), &Request::Resume { anyway: true }, None).is_ok());
    carry_out(&mut world, &stages, &todo, &[]);
    assert_eq!(resume(&world, &stages), Err(Refusal::NothingToResume { passed: true }));
}

#[test]
fn a_half_done_stage_runs_again_only_if_it_is_named_or_may() {
    let mut stages = [known("a", false, false), known("b", false, false)];
    let mut world = World::default();
    carry_out(&mut world, &stages, &next(&stages, None, &Request::New, None).unwrap(), &[Fate::CrashInRun]);
    let history = world.history();
    let refused = Err(Refusal::HalfDone("a".to_owned()));
    assert_eq!(next(&stages, Some(&history), &Request::Resume { anyway: true }, None), refused);
    assert_eq!(next(&stages, Some(&history), &Request::New, None), refused);
    assert_eq!(next(&stages, Some(&history), &Request::Only(vec![0]), None).unwrap().len(), 1);
    assert_eq!(next(&stages, Some(&history), &Request::From(0), None).unwrap().len(), 2);
    stages[0].again = true;
    assert_eq!(next(&stages, Some(&history), &Request::Resume { anyway: false }, None).unwrap().len(), 2);
}

#[test]
fn a_crash_in_ready_goes_on_at_ready() {
    let stages = [known("a", false, true)];
    for fate in [Fate::CrashBeforeReady, Fate::CrashInReady] {
        let mut world = World::default();
        carry_out(&mut world, &stages, &next(&stages, None, &Request::New, None).unwrap(), &[fate]);
        let todo = next(&stages, Some(&world.history()), &Request::Resume { anyway: false }, None).unwrap();
        assert_eq!(todo, [Todo { stage: 0, begin: Begin::Ready }]);
    }
}

#[test]
fn an_undo_that_changed_is_refused_and_one_that_destroys_is_left_unless_it_is_asked_for() {
    let mut stages = [known("a", false, false), known("b", false, false)];
    stages[1].destroys = true;
    let mut world = World::default();
    carry_out(&mut world, &stages, &next(&stages, None, &Request::New, None).unwrap(), &[Fate::Pass, Fate::Fail]);
    let history = world.history();
    assert_eq!(undo(&stages, &history, true, false).unwrap(), [Undo::Destroys(1), Undo::Run(0)]);
    assert_eq!(undo(&stages, &history, false, false).unwrap(), [Undo::Run(1), Undo::Run(0)]);
    let mut changed = stages.clone();
    changed[0].undo = Some("other".to_owned());
    let refused = Err(Refusal::Changed { stage: "a".to_owned(), what: "its undo" });
    assert_eq!(undo(&changed, &history, false, false), refused);
    assert_eq!(undo(&changed, &history, false, true).unwrap().len(), 2);
    assert_eq!(undo(&stages[..1], &history, false, false), Err(Refusal::Gone("b".to_owned())));
    carry_out_undo(&mut world, &stages, &[Undo::Run(1)], Fate::Pass);
    assert_eq!(undo(&stages, &world.history(), false, false).unwrap(), [Undo::Run(0)], "a second undo skips it");
}

#[test]
fn the_gate_by_hand_stops_after_its_stage() {
    let stages = [known("a", false, false), known("b", false, false)];
    let todo = next(&stages, None, &Request::New, Some(0)).unwrap();
    assert_eq!(todo.iter().map(|item| item.stage).collect::<Vec<_>>(), [0]);
}

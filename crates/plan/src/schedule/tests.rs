use std::collections::HashMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Outcome, Schedule, Step, Why};
use crate::{Need, Order, Plan, Source};

fn plan(text: &str) -> Plan {
    let mut toml = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (stage, checks) = line.split_once(':').unwrap();
        let (name, keys) = stage.split_once(' ').unwrap_or((stage, ""));
        writeln!(toml, "[[stage]]\nname = \"{name}\"\n{keys}").unwrap();
        for check in checks.split_whitespace() {
            let (name, required) = check.strip_suffix('?').map_or((check, true), |name| (name, false));
            writeln!(toml, "[[stage.check]]\nname = \"{name}\"\nrun = \"true\"\nrequired = {required}").unwrap();
        }
    }
    Plan::read(&Source::new("p", toml)).unwrap()
}

/// Runs to the end; checks named in `bad` fail, those in `off` have a false condition. Returns what happened, in order.
fn ran(plan: &Plan, jobs: usize, fail_fast: bool, bad: &[&str], off: &[&str]) -> Vec<String> {
    let id = |check: usize| plan.checks[check].id.as_str();
    let mut schedule = Schedule::new(plan, |_| true, |check| !off.contains(&id(check)), jobs, fail_fast);
    let (mut events, mut running) = (Vec::new(), Vec::new());
    loop {
        while let Some(step) = schedule.step() {
            match step {
                Step::Start(check) => {
                    events.push(format!("+{}", id(check)));
                    running.push(check);
                }
                Step::Skip(check, why) => events.push(format!("{} {why:?}", id(check))),
            }
        }
        if running.is_empty() {
            assert!(schedule.is_over());
            return events;
        }
        let check = running.remove(0);
        let outcome = if bad.contains(&id(check)) {
            Outcome::Failed
        } else if schedule.cancelled_by().is_some() {
            Outcome::Cancelled
        } else {
            Outcome::Passed
        };
        events.push(format!("-{}", id(check)));
        schedule.ended(check, outcome);
    }
}

#[test]
fn stages_run_one_after_the_other_whatever_the_first_one_is() {
    let plan = plan("a: x y\n b: z");
    assert_eq!(ran(&plan, 8, false, &["a/x"], &[]), ["+a/x", "+a/y", "-a/x", "-a/y", "+b/z", "-b/z"]);
    assert_eq!(ran(&plan, 1, false, &[], &[]), ["+a/x", "-a/x", "+a/y", "-a/y", "+b/z", "-b/z"]);
}

#[test]
fn needs_make_a_graph_and_what_did_not_pass_skips_those_that_need_it() {
    let plan = plan("a: x\n b needs=[]: y\n c needs=[\"a/x\"]: z\n d needs=[\"c\"]: w");
    assert_eq!(ran(&plan, 8, false, &[], &[])[..2], ["+a/x", "+b/y"]);
    let seen = ran(&plan, 8, false, &["a/x"], &[]);
    assert_eq!(seen, ["+a/x", "+b/y", "-a/x", "c/z NeedsFailed(\"a/x\")", "d/w NeedsFailed(\"c\")", "-b/y"]);
}

#[test]
fn a_sequence_stops_at_its_first_failure_and_a_check_that_is_not_required_stops_nothing() {
    let sequence = plan("a order=\"sequence\": x y z");
    assert_eq!(
        ran(&sequence, 8, false, &["a/x"], &[]),
        ["+a/x", "-a/x", "a/y EarlierFailed(\"a/x\")", "a/z EarlierFailed(\"a/x\")"]
    );
    let lenient = plan("a order=\"sequence\": x? y\n b needs=[\"a\"]: z\n c needs=[\"a/x\"]: w");
    let seen = ran(&lenient, 8, true, &["a/x"], &[]);
    assert_eq!(seen, ["+a/x", "-a/x", "+a/y", "c/w NeedsFailed(\"a/x\")", "-a/y", "+b/z", "-b/z"]);
}

#[test]
fn fail_fast_names_the_check_that_failed_first() {
    let plan = plan("a: x y\n b: z");
    let seen = ran(&plan, 2, true, &["a/x"], &[]);
    assert_eq!(seen, ["+a/x", "+a/y", "-a/x", "b/z FailFast(\"a/x\")", "-a/y"]);
}

#[test]
fn a_false_condition_leaves_out_a_check_and_a_stage_of_which_nothing_ran_is_not_passed() {
    let plan = plan("a: x y\n b needs=[\"a\"]: z");
    assert_eq!(ran(&plan, 8, false, &[], &["a/x"])[..2], ["a/x Condition", "+a/y"]);
    assert!(ran(&plan, 8, false, &[], &["a/x"]).contains(&"+b/z".to_owned()));
    assert!(ran(&plan, 8, false, &[], &["a/x", "a/y"]).contains(&"b/z NeedsFailed(\"a\")".to_owned()));
}

#[test]
fn a_stopped_run_starts_nothing_and_only_what_is_selected_runs_in_order() {
    let plan = plan("a: x\n b: y\n c: z");
    let mut schedule = Schedule::new(&plan, |check| check != 1, |_| true, 8, false);
    assert_eq!(schedule.step(), Some(Step::Start(0)));
    assert_eq!(schedule.step(), None, "c still comes after a");
    schedule.stop();
    assert_eq!(schedule.step(), Some(Step::Skip(2, Why::Stopped)));
    schedule.ended(0, Outcome::Passed);
    assert!(schedule.is_over() && schedule.step().is_none());
}

/// A random plan: what each stage needs points backwards, so that there is no circle.
fn plans() -> impl Strategy<Value = Plan> {
    let stage = (
        prop::option::of(prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..3)),
        any::<bool>(),
        1usize..4,
        any::<u8>(),
    );
    prop::collection::vec(stage, 1..6).prop_map(|stages| {
        let line =
            |(at, stage): (usize, &(_, bool, usize, u8))| format!("s{at}: {}", "a b c d".split_at(stage.2 * 2 - 1).0);
        let lines: Vec<String> = stages.iter().enumerate().map(line).collect();
        let mut plan = plan(&lines.join("\n"));
        for (at, (needs, sequence, _, optional)) in stages.into_iter().enumerate() {
            let needs = needs.map(|needs| {
                let one = |(index, whole): (prop::sample::Index, bool)| {
                    let stage = index.index(at);
                    if whole { Need::Stage(stage) } else { Need::Check(plan.stages[stage].checks.start) }
                };
                if at == 0 { Vec::new() } else { needs.into_iter().map(one).collect() }
            });
            plan.stages[at].needs = needs;
            plan.stages[at].order = if sequence { Order::Sequence } else { Order::Parallel };
            for check in plan.stages[at].checks.clone() {
                plan.checks[check].required = (optional >> (check % 8)) & 1 == 0;
            }
        }
        plan
    })
}

proptest! {
    #[test]
    fn whatever_happens_every_check_ends_once_and_no_rule_is_broken(
        plan in plans(),
        outcomes in prop::collection::vec(0u8..8, 24),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 24),
        jobs in 1usize..4,
        fail_fast in any::<bool>(),
        stop_after in 0usize..40,
    ) {
        let off = |check: usize| outcomes[check] == 7;
        let mut schedule = Schedule::new(&plan, |_| true, |check| !off(check), jobs, fail_fast);
        let mut ended: HashMap<usize, Option<Outcome>> = HashMap::new();
        let mut running: Vec<usize> = Vec::new();
        let mut turns = 0;
        loop {
            while let Some(step) = schedule.step() {
                match step {
                    Step::Start(check) => {
                        running.push(check);
                        prop_assert!(running.len() <= jobs && !off(check) && !ended.contains_key(&check));
                        let stage = &plan.stages[plan.checks[check].stage];
                        let ran = |check: usize| ended.get(&check).copied();
                        match &stage.needs {
                            None => if plan.checks[check].stage > 0 {
                                let before = plan.stages[plan.checks[check].stage - 1].checks.clone();
                                prop_assert!(before.into_iter().all(|one| ran(one).is_some()));
                            },
                            Some(needs) => for need in needs {
                                match need {
                                    Need::Check(one) => prop_assert_eq!(ran(*one), Some(Some(Outcome::Passed))),
                                    Need::Stage(one) => for one in plan.stages[*one].checks.clone() {
                                        let bad = matches!(ran(one), None | Some(Some(Outcome::Failed | Outcome::Cancelled)));
                                        prop_assert!(!bad || !plan.checks[one].required);
                                    },
                                }
                            },
                        }
                        if stage.order == Order::Sequence {
                            let others = running.iter().filter(|one| stage.checks.contains(one)).count();
                            prop_assert_eq!(others, 1);
                            for one in stage.checks.start..check {
                                let failed = matches!(ran(one), Some(Some(Outcome::Failed)));
                                prop_assert!(ran(one).is_some() && (!failed || !plan.checks[one].required));
                            }
                        }
                    }
                    Step::Skip(check, _) => prop_assert!(ended.insert(check, None).is_none()),
                }
            }
            if running.is_empty() {
                break;
            }
            let check = running.swap_remove(picks[turns % picks.len()].index(running.len()));
            let outcome = match outcomes[check] { 0 | 1 => Outcome::Failed, 2 => Outcome::Cancelled, _ => Outcome::Passed };
            prop_assert!(ended.insert(check, Some(outcome)).is_none());
            schedule.ended(check, outcome);
            turns += 1;
            if turns == stop_after {
                schedule.stop();
            }
        }
        prop_assert!(schedule.is_over());
        prop_assert_eq!(ended.len(), plan.checks.len());
    }
}

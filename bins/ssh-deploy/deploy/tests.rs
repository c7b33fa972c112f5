//! The order of a deploy, over a transport without a network.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ssh::{Cause, Ending, Line, Program, Ready, Refusal, Session, Target, Transport, Verdict, inventory};

use super::{Cut, Deploy, Observer, Outcome, Plan, Wait, pause};
use crate::aftercare::{Aftercare, Named, Side, Unhealthy};
use crate::batches::{Batches, Share};
use crate::stop::{Stop, Told};

/// What each host does: `down` refuses the connection, `booting` does so twice, `stuck` runs until it is told to end, else the code it exits with.
#[derive(Default)]
struct Hosts {
    tries: Cell<u32>,
    runs: Rc<Cell<u32>>,
}

struct Host {
    name: String,
    ready: Ready,
    /// How often `once` ran anywhere.
    runs: Rc<Cell<u32>>,
}

fn refusal(cause: Cause) -> Refusal {
    Refusal { cause, text: String::new(), host_key: None, offered: Vec::new() }
}

impl Transport for Hosts {
    type Session = Host;

    async fn connect(&self, target: &Target, _program: &Program) -> Result<Host, Refusal> {
        match target.name.as_str() {
            "down" => Err(refusal(Cause::Refused)),
            // Boots at the third try.
            "booting" if self.tries.replace(self.tries.get() + 1) < 2 => Err(refusal(Cause::TimedOut)),
            "stranger" => {
                self.tries.set(self.tries.get() + 1);
                Err(refusal(Cause::UnknownHostKey))
            }
            "slow" => std::future::pending().await,
            name => Ok(Host { name: name.to_owned(), ready: Ready::default(), runs: Rc::clone(&self.runs) }),
        }
    }
}

impl Session for Host {
    fn ready(&self) -> &Ready {
        &self.ready
    }

    async fn run(self, program: &Program, stop: impl Future<Output = ()>, _sink: impl FnMut(Line<'_>)) -> Ending {
        tokio::task::yield_now().await;
        let code = match (program.script.as_slice(), self.name.as_str()) {
            (b"no\n", _) => 1,
            // The first time only.
            (b"once\n", _) => u8::from(self.runs.replace(self.runs.get() + 1) > 0),
            (b"true\n", "stuck") => {
                stop.await;
                143
            }
            (b"true\n", name) => name.trim_start_matches("exit").parse().unwrap_or(0),
            _ => 0,
        };
        Ending { verdict: Verdict::Exited(code), output_held: false }
    }
}

/// Remembers the ends, and how many hosts ran at once at most.
#[derive(Default)]
struct Memory {
    ends: RefCell<BTreeMap<usize, Outcome>>,
    running: RefCell<(usize, usize)>,
    followed: RefCell<Vec<String>>,
}

impl Observer for Memory {
    fn waiting(&self, _host: usize, _refusal: &Refusal) {}
    fn ready(&self, _host: usize, _ready: &Ready) {}
    fn begun(&self, _host: usize) {
        let mut running = self.running.borrow_mut();
        running.0 += 1;
        running.1 = running.1.max(running.0);
    }
    fn follows(&self, _host: usize, what: &str) {
        self.followed.borrow_mut().push(what.to_owned());
    }
    fn line(&self, _host: usize, _line: &Line<'_>) {}
    fn ended(&self, host: usize, outcome: &Outcome, _elapsed: Duration) {
        if matches!(outcome, Outcome::Ran(..) | Outcome::Unhealthy(_) | Outcome::RolledBack(..)) {
            self.running.borrow_mut().0 -= 1;
        }
        assert!(self.ends.borrow_mut().insert(host, outcome.clone()).is_none(), "host {host} ended twice");
    }
}

fn plan(hosts: &[&str]) -> Plan {
    let targets = hosts.iter().map(|host| inventory::of_line(host).unwrap()).collect();
    let program = Program::new(b"true\n".to_vec());
    Plan {
        targets,
        program,
        jobs: 64,
        timeout: None,
        wait: None,
        batches: Batches::new(&[], None, Duration::ZERO, hosts.len()),
        aftercare: Aftercare::default(),
        rehearsal: false,
    }
}

fn carried_out(plan: &Plan, stop: &Stop) -> (Vec<Outcome>, usize) {
    let memory = Memory::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Deploy { plan, transport: &Hosts::default(), stop, observer: &memory }.carry_out());
    let ends: Vec<Outcome> = memory.ends.into_inner().into_values().collect();
    assert_eq!(ends.len(), plan.targets.len());
    (ends, memory.running.into_inner().1)
}

fn exited(code: u8, cut: Option<Cut>) -> Outcome {
    Outcome::Ran(Ending { verdict: Verdict::Exited(code), output_held: false }, cut)
}

#[test]
fn no_host_is_changed_when_one_cannot_be_reached() {
    let (_sender, stop) = Stop::by_hand();
    let (ends, _) = carried_out(&plan(&["a", "down", "b"]), &stop);
    assert!(matches!(&ends[..], [Outcome::HeldBack, Outcome::Refused(_), Outcome::HeldBack]), "{ends:?}");
}

#[test]
fn a_host_that_fails_stops_no_other() {
    let (_sender, stop) = Stop::by_hand();
    let (ends, _) = carried_out(&plan(&["exit3", "a"]), &stop);
    assert_eq!(ends, [exited(3, None), exited(0, None)]);
}

#[test]
fn a_rehearsal_changes_nothing() {
    let (_sender, stop) = Stop::by_hand();
    let rehearsal = Plan { rehearsal: true, ..plan(&["a", "b"]) };
    assert_eq!(carried_out(&rehearsal, &stop).0, [Outcome::Rehearsed, Outcome::Rehearsed]);
}

#[test]
fn no_more_hosts_run_at_once_than_jobs() {
    let (_sender, stop) = Stop::by_hand();
    let hosts = ["a", "b", "c", "d", "e"];
    assert_eq!(carried_out(&plan(&hosts), &stop).1, 5);
    assert_eq!(carried_out(&Plan { jobs: 2, ..plan(&hosts) }, &stop).1, 2);
}

#[test]
fn a_command_over_its_time_is_told_to_end() {
    let (_sender, stop) = Stop::by_hand();
    let limited = Plan { timeout: Some(Duration::from_millis(1)), ..plan(&["stuck", "a"]) };
    assert_eq!(carried_out(&limited, &stop).0, [exited(143, Some(Cut::Timeout)), exited(0, None)]);
}

#[test]
fn a_signal_before_all_are_ready_changes_no_host() {
    let (sender, stop) = Stop::by_hand();
    sender.send(Some(Told::Interrupt)).unwrap();
    let (ends, _) = carried_out(&plan(&["slow", "a"]), &stop);
    assert_eq!(ends, [Outcome::NotBegun(Told::Interrupt), Outcome::NotBegun(Told::Interrupt)]);
}

#[test]
fn a_host_that_is_booting_is_waited_for() {
    let (_sender, stop) = Stop::by_hand();
    let wait = Some(Wait { limit: Duration::from_mins(1), pause: |_| Duration::ZERO });
    assert_eq!(carried_out(&Plan { wait, ..plan(&["booting"]) }, &stop).0, [exited(0, None)]);
    assert!(matches!(carried_out(&plan(&["booting"]), &stop).0[0], Outcome::Refused(_)));
}

#[test]
fn a_host_that_refuses_for_good_is_not_asked_again() {
    let (_sender, stop) = Stop::by_hand();
    let hosts = Hosts::default();
    let patient =
        Plan { wait: Some(Wait { limit: Duration::from_mins(1), pause: |_| Duration::ZERO }), ..plan(&["stranger"]) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(Deploy { plan: &patient, transport: &hosts, stop: &stop, observer: &Memory::default() }.carry_out());
    assert_eq!(hosts.tries.get(), 1);
}

#[test]
fn the_pauses_between_tries_grow_to_five_seconds() {
    assert_eq!([0, 1, 2, 3, 40].map(|tries| pause(tries).as_secs()), [1, 2, 4, 5, 5]);
}

#[test]
fn no_further_batch_begins_after_a_failure_and_the_hosts_beside_it_finish() {
    let (_sender, stop) = Stop::by_hand();
    let hosts = ["a", "exit3", "b", "c", "d"];
    let batches = Batches::new(&[Share::Hosts(1), Share::Hosts(2)], None, Duration::ZERO, hosts.len());
    let (ends, at_once) = carried_out(&Plan { batches, ..plan(&hosts) }, &stop);
    assert_eq!(ends, [exited(0, None), exited(3, None), exited(0, None), Outcome::Spared, Outcome::Spared]);
    assert_eq!(at_once, 2);
}

fn command(text: &str) -> Program {
    Program::command(&[text.to_owned()])
}

fn care(check: &str) -> Aftercare {
    let named = |name: &str, text: &str| vec![Named { name: name.to_owned(), program: command(text) }];
    Aftercare {
        checks: named("web", check),
        diagnoses: named("logs", "yes"),
        rollback: Some(command("yes")),
        ..Aftercare::default()
    }
}

/// The ends and what followed the commands.
fn cared_for(hosts: &[&str], aftercare: Aftercare, stop: &Stop) -> (Vec<Outcome>, Vec<String>) {
    let plan = Plan { aftercare, ..plan(hosts) };
    let memory = Memory::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Deploy { plan: &plan, transport: &Hosts::default(), stop, observer: &memory }.carry_out());
    (memory.ends.into_inner().into_values().collect(), memory.followed.into_inner())
}

#[test]
fn a_host_that_works_is_left_alone() {
    let (_sender, stop) = Stop::by_hand();
    assert_eq!(cared_for(&["a"], care("yes"), &stop), (vec![exited(0, None)], vec![]));
}

#[test]
fn a_host_whose_check_fails_is_looked_into_and_rolled_back() {
    let (_sender, stop) = Stop::by_hand();
    let (ends, followed) = cared_for(&["a"], care("no"), &stop);
    let unhealthy = Unhealthy { check: "web".to_owned(), words: "exit code 1".to_owned(), relapsed: false };
    let back = Side::Ended(Verdict::Exited(0));
    assert_eq!(ends, [Outcome::RolledBack(Box::new(Outcome::Unhealthy(unhealthy)), back)]);
    assert_eq!(followed, ["diagnosis logs", "rollback"]);
}

#[test]
fn a_check_that_passes_only_once_is_a_relapse() {
    let (_sender, stop) = Stop::by_hand();
    let aftercare = Aftercare { rollback: None, ..care("once") };
    let (ends, _) = cared_for(&["a"], aftercare, &stop);
    assert!(matches!(&ends[..], [Outcome::Unhealthy(Unhealthy { relapsed: true, .. })]), "{ends:?}");
}

#[test]
fn a_command_that_fails_is_rolled_back_unchecked_and_only_there() {
    let (_sender, stop) = Stop::by_hand();
    let (ends, followed) = cared_for(&["exit3", "a"], care("yes"), &stop);
    assert!(matches!(&ends[..], [Outcome::RolledBack(..), Outcome::Ran(..)]), "{ends:?}");
    assert_eq!(followed, ["diagnosis logs", "rollback"]);
}

#[test]
fn nothing_follows_an_interruption() {
    let (sender, stop) = Stop::by_hand();
    let plan = Plan { aftercare: care("yes"), ..plan(&["stuck"]) };
    let memory = Memory::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hosts = Hosts::default();
    let deploy = Deploy { plan: &plan, transport: &hosts, stop: &stop, observer: &memory };
    runtime.block_on(async {
        let interrupt = async {
            while memory.running.borrow().0 == 0 {
                tokio::task::yield_now().await;
            }
            sender.send(Some(Told::Interrupt)).unwrap();
        };
        tokio::join!(deploy.carry_out(), interrupt)
    });
    assert_eq!(memory.ends.borrow()[&0], exited(143, Some(Cut::Told(Told::Interrupt))));
    assert!(memory.followed.borrow().is_empty());
}

//! The order of a deploy, over a transport without a network.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use ssh::{Cause, Ending, Line, Program, Ready, Refusal, Session, Target, Transport, Verdict, inventory};

use super::{Cut, Observer, Outcome, Plan, Wait, carry_out, pause};
use crate::batches::{Batches, Share};
use crate::stop::{Stop, Told};

/// What each host does: `down` refuses the connection, `booting` does so twice, `stuck` runs until it is told to end, else the code it exits with.
#[derive(Default)]
struct Hosts {
    tries: std::cell::Cell<u32>,
}

struct Host {
    name: String,
    ready: Ready,
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
            name => Ok(Host { name: name.to_owned(), ready: Ready::default() }),
        }
    }
}

impl Session for Host {
    fn ready(&self) -> &Ready {
        &self.ready
    }

    async fn run(self, _program: &Program, stop: impl Future<Output = ()>, _sink: impl FnMut(Line<'_>)) -> Ending {
        let code = if self.name == "stuck" {
            stop.await;
            143
        } else {
            tokio::task::yield_now().await;
            self.name.trim_start_matches("exit").parse().unwrap_or(0)
        };
        Ending { verdict: Verdict::Exited(code), output_held: false }
    }
}

/// Remembers the ends, and how many hosts ran at once at most.
#[derive(Default)]
struct Memory {
    ends: RefCell<BTreeMap<usize, Outcome>>,
    running: RefCell<(usize, usize)>,
}

impl Observer for Memory {
    fn waiting(&self, _host: usize, _refusal: &Refusal) {}
    fn ready(&self, _host: usize, _ready: &Ready) {}
    fn begun(&self, _host: usize) {
        let mut running = self.running.borrow_mut();
        running.0 += 1;
        running.1 = running.1.max(running.0);
    }
    fn line(&self, _host: usize, _line: &Line<'_>) {}
    fn ended(&self, host: usize, outcome: &Outcome, _elapsed: Duration) {
        if matches!(outcome, Outcome::Ran(..)) {
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
        rehearsal: false,
    }
}

fn carried_out(plan: &Plan, stop: &Stop) -> (Vec<Outcome>, usize) {
    let memory = Memory::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(carry_out(plan, &Hosts::default(), stop, &memory));
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
    runtime.block_on(carry_out(&patient, &hosts, &stop, &Memory::default()));
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

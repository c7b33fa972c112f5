//! The order of a deploy, over a transport without a network.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use child::Signal;
use secrecy::SecretString;
use ssh::{
    Cause, Ending, Holder, Lost, Output, Preflight, Ready, Refusal, Remark, ScriptEnd, Session, State, Step, Target,
    Transport, inventory,
};

use super::{Deploy, Observer, Outcome};
use crate::host_runner::{StepResult, Unhealthy};
use crate::plan::batches::{Batches, Share};
use crate::plan::{NamedCommand, Plan, PostDeploy, Run, Unreachable, Wait, pause};
use crate::resume::fingerprint::Fingerprint;
use crate::stop::{EndReason, Stop, StopReason};

/// What each host does: `down` refuses the connection, `booting` does so twice, `full` cannot take its script, `stuck` runs until it is
/// asked to end, any other ends with the code of its name.
#[derive(Default)]
struct Hosts {
    tries: Cell<u32>,
    runs: Rc<Cell<u32>>,
    closed: Rc<Cell<u32>>,
}

struct Host {
    name: String,
    ready: Ready,
    /// How often `once` ran anywhere.
    runs: Rc<Cell<u32>>,
    closed: Rc<Cell<u32>>,
    /// The names of the files that were staged, with their lengths.
    staged: Vec<String>,
}

fn refusal(cause: Cause) -> Refusal {
    Refusal { cause, text: String::new(), host_key: None, offered: Vec::new(), bastion: None }
}

impl Transport for Hosts {
    type Session = Host;

    async fn connect(&self, target: &Target) -> Result<Host, Refusal> {
        match target.name.as_str() {
            "down" => Err(refusal(Cause::Refused)),
            // Boots at the third try.
            "booting" if self.tries.replace(self.tries.get() + 1) < 2 => Err(refusal(Cause::TimedOut)),
            "stranger" => {
                self.tries.set(self.tries.get() + 1);
                Err(refusal(Cause::UnknownHostKey))
            }
            "slow" => std::future::pending().await,
            name => Ok(Host {
                name: name.to_owned(),
                ready: Ready::default(),
                runs: Rc::clone(&self.runs),
                closed: Rc::clone(&self.closed),
                staged: Vec::new(),
            }),
        }
    }
}

impl Session for Host {
    fn ready(&self) -> &Ready {
        &self.ready
    }

    async fn values(&mut self, _exports: &SecretString) -> Result<(), Lost> {
        Ok(())
    }

    async fn stage(&mut self, step: &Step) -> Result<(), Lost> {
        if self.name == "full" {
            return Err(Lost("failed write".to_owned()));
        }
        self.staged.push(format!("file {} {}", step.name, step.script.len()));
        Ok(())
    }

    async fn upload(&mut self, _content: &mut (dyn std::io::Read + Send)) -> Result<(), Lost> {
        Ok(())
    }

    async fn ask(&mut self, _fragment: &str) -> Result<Vec<String>, Lost> {
        Ok(self.staged.clone())
    }

    async fn run(
        &mut self,
        step: &Step,
        stop_signal: impl Future<Output = ()>,
        _sink: impl FnMut(Output<'_>),
    ) -> Ending {
        tokio::task::yield_now().await;
        assert!(
            self.staged.iter().any(|file| file.contains(&format!(" {} ", step.name))),
            "{} is not staged",
            step.name
        );
        let code = match (step.script.as_slice(), self.name.as_str()) {
            (b"no\n", _) => 1,
            // Succeeds the first time only.
            (b"once\n", _) => u8::from(self.runs.replace(self.runs.get() + 1) > 0),
            (b"true\n", "stuck") => {
                stop_signal.await;
                143
            }
            (b"true\n", name) => name.trim_start_matches("exit").parse().unwrap_or(0),
            _ => 0,
        };
        Ending::of(ScriptEnd::Exited(code))
    }

    async fn close(self) {
        self.closed.set(self.closed.get() + 1);
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
    fn locked(&self, _host: usize, _holder: &Holder) {}
    fn unfinished(&self, _host: usize, _state: &State) {}
    fn remark(&self, _host: usize, _remark: Remark) {}
    fn ready(&self, _host: usize, _ready: &Ready) {}
    fn begun(&self, _host: usize) {
        let mut running = self.running.borrow_mut();
        running.0 += 1;
        running.1 = running.1.max(running.0);
    }
    fn follows(&self, _host: usize, what: &str) {
        self.followed.borrow_mut().push(what.to_owned());
    }
    fn redactor(&self) -> Option<redact::Redactor> {
        None
    }
    fn output(&self, _host: usize, _output: Output<'_>) {}
    fn ended(&self, host: usize, outcome: &Outcome, _elapsed: Duration) {
        if outcome.has_changed() {
            self.running.borrow_mut().0 -= 1;
        }
        assert!(self.ends.borrow_mut().insert(host, outcome.clone()).is_none(), "host {host} ended twice");
    }
}

fn plan(hosts: &[&str]) -> Plan {
    Plan {
        targets: hosts.iter().map(|host| inventory::of_line(host).unwrap()).collect(),
        command: Some(Step::new("command", b"true\n".to_vec())),
        release: None,
        values: SecretString::default(),
        uploads: Vec::new(),
        jobs: None,
        timeout: None,
        wait: None,
        batches: Batches::new(&[], None, Duration::ZERO, hosts.len()),
        post_deploy: PostDeploy::default(),
        preflight: Preflight::default(),
        lock: None,
        run: Run::default(),
        fingerprint: Fingerprint::default(),
        resume: None,
        unreachable: Unreachable::default(),
        dry_run: false,
    }
}

fn carried_out(plan: &Plan, stop: &Stop) -> (Vec<Outcome>, Memory) {
    let (memory, hosts) = (Memory::default(), Hosts::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Deploy { plan, transport: &hosts, stop, observer: &memory }.carry_out());
    let ends: Vec<Outcome> = memory.ends.borrow().values().cloned().collect();
    assert_eq!(ends.len(), plan.targets.len());
    (ends, memory)
}

fn exited(code: u8, reason: Option<EndReason>) -> Outcome {
    Outcome::Ran(Ending::of(ScriptEnd::Exited(code)), reason)
}

#[test]
fn no_host_is_changed_when_one_cannot_be_reached_or_cannot_take_its_script() {
    let (_sender, stop) = Stop::manual();
    let (ends, _) = carried_out(&plan(&["a", "down", "b"]), &stop);
    assert!(matches!(&ends[..], [Outcome::HeldBack, Outcome::Refused(_), Outcome::HeldBack]), "{ends:?}");
    let (ends, _) = carried_out(&plan(&["a", "full", "b"]), &stop);
    assert!(matches!(&ends[..], [Outcome::HeldBack, Outcome::Unready(_), Outcome::HeldBack]), "{ends:?}");
}

#[test]
fn every_connection_is_closed_in_order() {
    let (_sender, stop) = Stop::manual();
    for (hosts, dry_run) in [(vec!["a", "exit3"], false), (vec!["a", "b"], true), (vec!["a", "b", "down"], false)] {
        let transport = Hosts::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let plan = Plan { dry_run, ..plan(&hosts) };
        runtime.block_on(
            Deploy { plan: &plan, transport: &transport, stop: &stop, observer: &Memory::default() }.carry_out(),
        );
        assert_eq!(transport.closed.get(), 2, "{hosts:?}");
    }
}

#[test]
fn a_host_that_fails_stops_no_other() {
    let (_sender, stop) = Stop::manual();
    let (ends, _) = carried_out(&plan(&["exit3", "a"]), &stop);
    assert_eq!(ends, [exited(3, None), exited(0, None)]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let (_sender, stop) = Stop::manual();
    let dry_run = Plan { dry_run: true, ..plan(&["a", "b"]) };
    assert_eq!(carried_out(&dry_run, &stop).0, [Outcome::DryRun, Outcome::DryRun]);
}

#[test]
fn no_more_hosts_run_at_once_than_jobs() {
    let (_sender, stop) = Stop::manual();
    let hosts = ["a", "b", "c", "d", "e"];
    let at_once = |plan: &Plan| carried_out(plan, &stop).1.running.into_inner().1;
    assert_eq!(at_once(&plan(&hosts)), 5);
    assert_eq!(at_once(&Plan { jobs: Some(2), ..plan(&hosts) }), 2);
}

#[test]
fn a_command_over_its_time_is_asked_to_end() {
    let (_sender, stop) = Stop::manual();
    let limited = Plan { timeout: Some(Duration::from_millis(1)), ..plan(&["stuck", "a"]) };
    assert_eq!(carried_out(&limited, &stop).0, [exited(143, Some(EndReason::Timeout)), exited(0, None)]);
}

#[test]
fn a_signal_before_all_are_ready_changes_no_host() {
    let (sender, stop) = Stop::manual();
    sender.stop(StopReason::Signal(Signal::Interrupt));
    let (ends, _) = carried_out(&plan(&["slow", "a"]), &stop);
    assert_eq!(
        ends,
        [
            Outcome::NotBegun(StopReason::Signal(Signal::Interrupt)),
            Outcome::NotBegun(StopReason::Signal(Signal::Interrupt))
        ]
    );
}

#[test]
fn a_host_that_is_booting_is_waited_for() {
    let (_sender, stop) = Stop::manual();
    let wait = Some(Wait { limit: Duration::from_mins(1), pause: |_| Duration::ZERO });
    assert_eq!(carried_out(&Plan { wait, ..plan(&["booting"]) }, &stop).0, [exited(0, None)]);
    assert!(matches!(carried_out(&plan(&["booting"]), &stop).0[0], Outcome::Refused(_)));
}

#[test]
fn a_host_that_refuses_for_good_is_not_asked_again() {
    let (_sender, stop) = Stop::manual();
    let hosts = Hosts::default();
    let wait = Wait { limit: Duration::from_mins(1), pause: |_| Duration::ZERO };
    let plan = Plan { wait: Some(wait), ..plan(&["stranger"]) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Deploy { plan: &plan, transport: &hosts, stop: &stop, observer: &Memory::default() }.carry_out());
    assert_eq!(hosts.tries.get(), 1);
}

#[test]
fn the_pauses_between_tries_grow_to_five_seconds() {
    assert_eq!([0, 1, 2, 3, 40].map(|tries| pause(tries).as_secs()), [1, 2, 4, 5, 5]);
}

#[test]
fn no_further_batch_begins_after_a_failure_and_the_hosts_beside_it_finish() {
    let (_sender, stop) = Stop::manual();
    let hosts = ["a", "exit3", "b", "c", "d"];
    let batches = Batches::new(&[Share::Hosts(1), Share::Hosts(2)], None, Duration::ZERO, hosts.len());
    let (ends, memory) = carried_out(&Plan { batches, ..plan(&hosts) }, &stop);
    assert_eq!(ends, [exited(0, None), exited(3, None), exited(0, None), Outcome::NotReached, Outcome::NotReached]);
    assert_eq!(memory.running.into_inner().1, 2);
}

fn command(name: &str, text: &str) -> Step {
    Step::command(name, &[text.to_owned()])
}

fn post_deploy(check: &str) -> PostDeploy {
    let named = |name: &str, text: &str| vec![NamedCommand { name: name.to_owned(), step: command(name, text) }];
    PostDeploy {
        checks: named("web", check),
        diagnoses: named("logs", "yes"),
        rollback: Some(command("rollback", "yes")),
        ..PostDeploy::default()
    }
}

/// The ends and what followed the commands.
fn followed(hosts: &[&str], post_deploy: PostDeploy, stop: &Stop) -> (Vec<Outcome>, Vec<String>) {
    let (ends, memory) = carried_out(&Plan { post_deploy, ..plan(hosts) }, stop);
    (ends, memory.followed.into_inner())
}

#[test]
fn a_host_whose_checks_pass_is_left_alone() {
    let (_sender, stop) = Stop::manual();
    assert_eq!(followed(&["a"], post_deploy("yes"), &stop), (vec![exited(0, None)], vec![]));
}

#[test]
fn a_host_whose_check_fails_is_diagnosed_and_rolled_back() {
    let (_sender, stop) = Stop::manual();
    let (ends, followed) = followed(&["a"], post_deploy("no"), &stop);
    let unhealthy = Unhealthy { check: "web".to_owned(), text: "exit code 1".to_owned(), relapsed: false };
    let rollback = StepResult::Ended(ScriptEnd::Exited(0));
    assert_eq!(ends, [Outcome::RolledBack(Box::new(Outcome::Unhealthy(unhealthy)), rollback)]);
    assert_eq!(followed, ["diagnosis logs", "rollback"]);
}

#[test]
fn a_check_that_passes_only_once_is_a_relapse() {
    let (_sender, stop) = Stop::manual();
    let post_deploy = PostDeploy { rollback: None, ..post_deploy("once") };
    let (ends, _) = followed(&["a"], post_deploy, &stop);
    assert!(matches!(&ends[..], [Outcome::Unhealthy(Unhealthy { relapsed: true, .. })]), "{ends:?}");
}

#[test]
fn a_command_that_fails_is_rolled_back_unchecked_and_only_there() {
    let (_sender, stop) = Stop::manual();
    let (ends, followed) = followed(&["exit3", "a"], post_deploy("yes"), &stop);
    assert!(matches!(&ends[..], [Outcome::RolledBack(..), Outcome::Ran(..)]), "{ends:?}");
    assert_eq!(followed, ["diagnosis logs", "rollback"]);
}

#[test]
fn nothing_follows_an_interruption() {
    let (sender, stop) = Stop::manual();
    let plan = Plan { post_deploy: post_deploy("yes"), ..plan(&["stuck"]) };
    let (memory, hosts) = (Memory::default(), Hosts::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deploy = Deploy { plan: &plan, transport: &hosts, stop: &stop, observer: &memory };
    runtime.block_on(async {
        let interrupt = async {
            while memory.running.borrow().0 == 0 {
                tokio::task::yield_now().await;
            }
            sender.stop(StopReason::Signal(Signal::Interrupt));
        };
        tokio::join!(deploy.carry_out(), interrupt)
    });
    assert_eq!(memory.ends.borrow()[&0], exited(143, Some(EndReason::Stopped(StopReason::Signal(Signal::Interrupt)))));
    assert!(memory.followed.borrow().is_empty());
}

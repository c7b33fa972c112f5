//! What is told while it happens: hosts' lines on stderr, records, and what the end will need.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cli::Console;
use redact::Redactor;
use report::{Event, Recorder, Status};
use serde_json::{Map, Value, json};
use ssh::{Line, Ready, Refusal, Source, Target};

use crate::args::{Args, Format};
use crate::deploy::{Observer, Outcome};
use crate::judge::{Judgement, judge};

/// How many of a host's last lines a report shows.
const TAIL: usize = 50;
/// How many bytes of each.
const TAIL_LINE: usize = 2000;
/// The widest name that others are padded to.
const GUTTER: usize = 24;

/// The observer of a run.
pub(crate) struct Log<'a> {
    targets: &'a [Target],
    console: &'a Console,
    /// Whether records go to stdout as they happen: `--format jsonl`, as long as stdout takes them.
    prints: Cell<bool>,
    redact: Box<dyn Fn() -> Option<Redactor> + 'a>,
    state: RefCell<State>,
}

struct State {
    recorder: Recorder,
    hosts: Vec<Host>,
    begun: Instant,
}

/// What is known of a host.
#[derive(Clone, Default)]
pub(crate) struct Host {
    gutter: String,
    ready: Option<Ready>,
    reached: Option<Duration>,
    tail: VecDeque<String>,
    /// How it ended, and after how long.
    pub(crate) end: Option<(Judgement, Duration)>,
}

impl<'a> Log<'a> {
    /// A log at the start of a run. `redact` makes what hides the values that are handed to the hosts.
    pub(crate) fn new(
        targets: &'a [Target],
        args: &Args,
        redact: impl Fn() -> Option<Redactor> + 'a,
        console: &'a Console,
    ) -> Self {
        let run = console.context().run_key().unwrap_or_else(|| "local".to_owned());
        let width = targets.iter().map(|target| target.name.chars().count()).max().unwrap_or(0).min(GUTTER);
        let host = |target: &Target| Host { gutter: format!("{:width$} │ ", target.name), ..Host::default() };
        let state = State {
            recorder: Recorder::new(run, args.shard.map(|shard| shard.to_string()), jiff::Timestamp::now),
            hosts: targets.iter().map(host).collect(),
            begun: Instant::now(),
        };
        let log = Self {
            targets,
            console,
            prints: Cell::new(args.format == Format::Jsonl),
            redact: Box::new(redact),
            state: RefCell::new(state),
        };
        let plan = targets.iter().map(id).collect();
        log.record(Event::RunStarted { tool: Some("ssh-deploy".to_owned()), title: Some("Servers".to_owned()), plan });
        for target in targets {
            log.record(Event::CheckStarted { check: id(target), name: Some(target.name.clone()) });
        }
        log
    }

    fn record(&self, event: Event) {
        let line = self.state.borrow_mut().recorder.record(event).line();
        if self.prints.get() {
            self.prints.set(self.console.narrate(line + "\n"));
        }
    }

    /// The whole run's time so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.state.borrow().begun.elapsed()
    }

    /// Records the run's end; the hosts and the report.
    pub(crate) fn finish(self) -> (Vec<Host>, report::Report) {
        let result = {
            let state = self.state.borrow();
            let failed =
                |host: &Host| host.end.as_ref().is_some_and(|(judgement, _)| judgement.status == Status::Failed);
            let unfinished =
                |host: &Host| host.end.as_ref().is_none_or(|(judgement, _)| judgement.status == Status::Cancelled);
            match (state.hosts.iter().any(failed), state.hosts.iter().any(unfinished)) {
                (true, _) => report::Verdict::Failed,
                (false, true) => report::Verdict::Incomplete,
                (false, false) => report::Verdict::Passed,
            }
        };
        self.record(Event::RunFinished { result, duration_seconds: Some(seconds(self.elapsed())) });
        let state = self.state.into_inner();
        let report = state.recorder.report();
        (state.hosts, report)
    }

    /// A host's end, for the log: what failed, the evidence, what to do.
    fn tell(&self, target: &Target, judgement: &Judgement, elapsed: Duration) {
        let time = format!("{:.1} s", elapsed.as_secs_f64());
        let name = &target.name;
        let why = judgement.reason.as_ref().map_or("", |reason| reason.text.as_str());
        self.console.status(&match judgement.status {
            Status::Passed => format!("{name}: done in {time}"),
            Status::Failed => format!("error: {name}: failed after {time}: {why}"),
            _ => format!("{name}: {why}"),
        });
        for cause in &judgement.causes {
            self.console.status(&format!("  caused by: {cause}"));
        }
        if let Some(help) = &judgement.help {
            self.console.status(&format!("  help: {help}"));
        }
    }
}

impl Observer for Log<'_> {
    fn waiting(&self, host: usize, refusal: &Refusal) {
        self.console.status(&format!("{}: not there yet ({})", self.targets[host].name, refusal.text));
    }

    fn ready(&self, host: usize, ready: &Ready) {
        if let (true, Some(key)) = (ready.newly_known, &ready.host_key) {
            let target = &self.targets[host];
            let fingerprint = key.split(' ').next_back().unwrap_or(key);
            self.console.warn(&format!(
                "{}: its host key {key} was accepted unseen; from now on give the host as `{} {fingerprint}`",
                target.name, target.address
            ));
        }
        let mut state = self.state.borrow_mut();
        state.hosts[host].reached = Some(state.begun.elapsed());
        state.hosts[host].ready = Some(ready.clone());
    }

    fn begun(&self, host: usize) {
        let state = self.state.borrow();
        let all = state.hosts.iter().filter_map(|host| host.ready.as_ref()).map(|ready| ready.interpreter.as_str());
        let mut interpreters: Vec<&str> = all.collect();
        interpreters.sort_unstable();
        interpreters.dedup();
        if host == 0 {
            let time = state.begun.elapsed().as_secs_f64();
            self.console.status(&format!(
                "{} ready in {time:.1} s: {}",
                hosts(state.hosts.len()),
                interpreters.join(" and ")
            ));
        }
    }

    fn follows(&self, host: usize, what: &str) {
        self.console.status(&format!("{}: {what}", self.targets[host].name));
        self.state.borrow_mut().hosts[host].keep(format!("-- {what}"));
    }

    fn line(&self, host: usize, line: &Line<'_>) {
        let redacted = (self.redact)().map(|mut redactor| {
            let mut safe = redactor.push(line.bytes);
            safe.extend(redactor.finish());
            safe
        });
        let mut bytes = redacted.unwrap_or_else(|| line.bytes.to_vec());
        if line.open {
            bytes.extend_from_slice(" …".as_bytes());
        }
        let mut state = self.state.borrow_mut();
        let host = &mut state.hosts[host];
        self.console.foreign(&host.gutter, &bytes);
        let stream = if line.source == Source::Stderr { "! " } else { "" };
        host.keep(format!("{stream}{}", String::from_utf8_lossy(&bytes[..bytes.len().min(TAIL_LINE)])));
    }

    fn ended(&self, host: usize, outcome: &Outcome, elapsed: Duration) {
        let target = &self.targets[host];
        let judgement = judge(target, outcome);
        self.tell(target, &judgement, elapsed);
        if let Outcome::Ran(ending, _) = outcome
            && ending.output_held
        {
            self.console.warn(&format!(
                "{}: something that the command started still holds its output; start it with >FILE 2>&1",
                target.name
            ));
        }
        let (data, output) = {
            let mut state = self.state.borrow_mut();
            let host = &mut state.hosts[host];
            host.end = Some((judgement.clone(), elapsed));
            (data(target, host), host.tail.iter().cloned().collect::<Vec<_>>().join("\n"))
        };
        if judgement.status == Status::Failed && !output.is_empty() {
            self.record(Event::Output { check: id(target), stream: None, text: output });
        }
        self.record(Event::CheckFinished {
            check: id(target),
            status: judgement.status,
            duration_seconds: Some(seconds(elapsed)),
            reason: judgement.reason,
            url: None,
            exit_code: judgement.exit_code.map(i64::from),
            data,
        });
    }
}

impl Host {
    fn keep(&mut self, line: String) {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }
}

fn data(target: &Target, host: &Host) -> Map<String, Value> {
    let ready = host.ready.as_ref();
    let fields = [
        ("address", Some(json!(target.address.to_string()))),
        ("user", target.address.user.as_ref().map(|user| json!(user.as_str()))),
        ("host_key", ready.and_then(|ready| ready.host_key.as_deref()).map(Value::from)),
        ("interpreter", ready.map(|ready| json!(ready.interpreter))),
        ("reached_seconds", host.reached.map(|time| json!(seconds(time)))),
        ("rolled_back", host.end.as_ref().and_then(|(judgement, _)| judgement.rolled_back).map(Value::from)),
        ("labels", (!target.labels.is_empty()).then(|| json!(target.labels))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The check's id in records.
pub(crate) fn id(target: &Target) -> String {
    format!("hosts/{}", target.name)
}

/// `1 host`, `3 hosts`.
pub(crate) fn hosts(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}

/// Seconds to the millisecond.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

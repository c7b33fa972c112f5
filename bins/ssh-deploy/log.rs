//! What is reported while it happens: hosts' lines on stderr, records, and what the end of the run will need.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use cli::Console;
use redact::Redactor;
use report::{Event, Finding, Level, Status};
use run::{Records, Reporter};
use runner::foreign::Lines;
use serde_json::{Map, Value, json};
use ssh::{Group, Holder, Output, Ready, Refusal, Remark, Source, State, Target};

use crate::args::{Args, Format};
use crate::classify::{HostResult, classify};
use crate::deploy::{Observer, Outcome};
use crate::resume::Start;

/// How many of a host's last lines a report shows.
const TAIL: usize = 50;
/// How many bytes of each.
const TAIL_LINE: usize = 2000;
/// The widest name that others are padded to.
const GUTTER: usize = 24;

/// The observer of a run.
pub(crate) struct Log<'a> {
    targets: &'a [Target],
    reporter: Reporter<'a>,
    redact: Box<dyn Fn() -> Option<Redactor> + 'a>,
    state: RefCell<Progress>,
}

struct Progress {
    hosts: Vec<Host>,
    /// Whether a command has begun anywhere.
    begins: bool,
    /// The outputs of failed hosts so far, each with the first host that had it.
    outputs: HashMap<String, String>,
}

/// What is known of a host.
#[derive(Default)]
pub(crate) struct Host {
    gutter: String,
    streams: [Stream; 2],
    ready: Option<Ready>,
    /// Whether it is recorded that its deploy has begun.
    begun: bool,
    reached: Option<Duration>,
    tail: VecDeque<String>,
    /// The last lines before what follows a failure: diagnostics and rollback are no evidence of its cause.
    evidence: Option<Vec<String>>,
    /// Whether it may have been changed.
    pub(crate) changed: bool,
    /// What a run that resumes a deploy did there instead of deploying.
    resumed: Option<&'static str>,
    /// How it ended, and after how long.
    pub(crate) end: Option<(HostResult, Duration)>,
}

impl<'a> Log<'a> {
    /// A log at the start of a run; `start` is for those who resume it. `redact` makes the filter that hides the values which the
    /// hosts are given.
    pub(crate) fn new(
        targets: &'a [Target],
        start: Option<Start>,
        args: &Args,
        redact: impl Fn() -> Option<Redactor> + 'a,
        console: &'a Console,
    ) -> Self {
        let width = targets.iter().map(|target| target.name.chars().count()).max().unwrap_or(0).min(GUTTER);
        let host = |target: &Target| Host { gutter: format!("{:width$} │ ", target.name), ..Host::default() };
        let hosts = targets.iter().map(host).collect();
        let records = if args.format == Format::Jsonl { Records::Print } else { Records::Keep };
        let plan = ("Servers", targets.iter().map(id).collect());
        let data = match serde_json::to_value(start) {
            Ok(Value::Object(data)) => data,
            _ => Map::new(),
        };
        Self {
            targets,
            reporter: Reporter::with_data(console, records, args.shard, plan, data),
            redact: Box::new(redact),
            state: RefCell::new(Progress { hosts, begins: false, outputs: HashMap::new() }),
        }
    }

    /// Records the run's end; the hosts and the report.
    pub(crate) fn finish(self) -> (Vec<Host>, report::Report) {
        let report = self.reporter.finish();
        (self.state.into_inner().hosts, report)
    }

    /// The output of a host for the report; in few words if another host had the same.
    fn folded(&self, target: &Target, output: String) -> String {
        let mut state = self.state.borrow_mut();
        if let Some(first) = state.outputs.get(&output) {
            return format!("the same {} lines as {first}", output.lines().count());
        }
        state.outputs.insert(output.clone(), target.name.clone());
        output
    }

    /// A warning on stderr and in the records.
    fn warn(&self, target: &Target, rule: &str, message: String) {
        self.reporter.warn(&message);
        let finding = Finding { rule: Some(rule.to_owned()), ..Finding::new(Level::Warning, message) };
        self.reporter.record(Event::Finding { check: id(target), finding });
    }

    /// Shows lines of a host, and keeps the last for the report.
    fn show(&self, host: &mut Host, source: Source, lines: &[Vec<u8>]) {
        if lines.is_empty() {
            return;
        }
        self.reporter.foreign(&host.gutter, lines);
        let stream = if source == Source::Stderr { "! " } else { "" };
        for bytes in &lines[lines.len().saturating_sub(TAIL)..] {
            host.keep(format!("{stream}{}", String::from_utf8_lossy(&bytes[..bytes.len().min(TAIL_LINE)])));
        }
    }

    /// A host's end, for the log: what failed, the evidence, what to do.
    fn report(&self, target: &Target, result: &HostResult, elapsed: Duration) {
        let time = format!("{:.1} s", elapsed.as_secs_f64());
        let name = &target.name;
        let why = result.reason.as_ref().map_or("", |reason| reason.text.as_str());
        self.reporter.status(&match result.status {
            Status::Passed => format!("{name}: done in {time}"),
            Status::Failed => format!("error: {name}: failed after {time}: {why}"),
            _ => format!("{name}: {why}"),
        });
        for cause in &result.causes {
            self.reporter.status(&format!("  caused by: {cause}"));
        }
        if let Some(help) = &result.help {
            self.reporter.status(&format!("  help: {help}"));
        }
    }
}

impl Observer for Log<'_> {
    fn waiting(&self, host: usize, refusal: &Refusal) {
        self.reporter.status(&format!("{}: not reachable yet ({})", self.targets[host].name, refusal.text));
    }

    fn locked(&self, host: usize, holder: &Holder) {
        self.reporter.status(&format!(
            "{}: waiting for the deploy lock, held by {}",
            self.targets[host].name,
            holder.text()
        ));
    }

    fn unfinished(&self, host: usize, state: &State) {
        let rule = if state.is_unclean() { "unfinished" } else { "rolled_back" };
        let text = format!("{}: {}", self.targets[host].name, state.notice().unwrap_or_default());
        self.warn(&self.targets[host], rule, text);
    }

    fn remark(&self, host: usize, remark: Remark) {
        let target = &self.targets[host];
        self.warn(target, remark.rule(), format!("{}: {}", target.name, remark.text()));
    }

    fn ready(&self, host: usize, ready: &Ready) {
        if let (true, Some(key)) = (ready.newly_known, &ready.host_key) {
            let target = &self.targets[host];
            let fingerprint = key.split(' ').next_back().unwrap_or(key);
            self.reporter.warn(&format!(
                "{}: its host key {key} was accepted without being known; from now on give the host as `{} {fingerprint}`",
                target.name, target.address
            ));
        }
        let mut state = self.state.borrow_mut();
        state.hosts[host].reached = Some(self.reporter.elapsed());
        state.hosts[host].ready = Some(ready.clone());
    }

    fn begun(&self, host: usize) {
        let mut state = self.state.borrow_mut();
        if !std::mem::replace(&mut state.hosts[host].begun, true) {
            // Before the host is changed: a record without an end is all that a killed run leaves.
            let target = &self.targets[host];
            self.reporter.record(Event::CheckStarted { check: id(target), name: Some(target.name.clone()) });
        }
        if std::mem::replace(&mut state.begins, true) {
            return;
        }
        let without_bash =
            state.hosts.iter().filter_map(|host| host.ready.as_ref()).filter(|ready| !ready.bash).count();
        let note = match without_bash {
            0 => String::new(),
            count => format!("; no bash on {}: `sh -e` runs the command there", hosts(count)),
        };
        let time = self.reporter.elapsed().as_secs_f64();
        let ready = state.hosts.iter().filter(|host| host.ready.is_some()).count();
        self.reporter.status(&format!("{} ready in {time:.1} s{note}", hosts(ready)));
    }

    fn follows(&self, host: usize, what: &str) {
        self.reporter.status(&format!("{}: {what}", self.targets[host].name));
        let mut state = self.state.borrow_mut();
        let host = &mut state.hosts[host];
        if ["diagnosis", "rollback", "switch back"].iter().any(|begin| what.starts_with(begin)) {
            let lines = host.last_lines();
            host.evidence.get_or_insert(lines);
        }
        host.keep(format!("-- {what}"));
    }

    fn redactor(&self) -> Option<Redactor> {
        (self.redact)()
    }

    fn output(&self, host: usize, output: Output<'_>) {
        let mut state = self.state.borrow_mut();
        let host = &mut state.hosts[host];
        match output {
            Output::Bytes(source, bytes) => {
                let lines = host.streams[index(source)].push(bytes, &self.redact);
                self.show(host, source, &lines);
            }
            Output::Pause | Output::End => {
                for source in [Source::Stdout, Source::Stderr] {
                    let stream = &mut host.streams[index(source)];
                    let lines = if matches!(output, Output::End) { stream.finish() } else { stream.pause() };
                    self.show(host, source, &lines);
                }
            }
        }
    }

    fn ended(&self, host: usize, outcome: &Outcome, elapsed: Duration) {
        let target = &self.targets[host];
        let evidence = {
            let mut state = self.state.borrow_mut();
            let host = &mut state.hosts[host];
            host.evidence.take().unwrap_or_else(|| host.last_lines())
        };
        let result = classify(target, outcome).diagnosed(&evidence, target);
        self.report(target, &result, elapsed);
        if let Outcome::Ran(ending, None) = outcome {
            if ending.group == Group::Alive {
                let text = "processes that the command started still run; nothing of ours ends them";
                self.warn(target, "left_behind", format!("{}: {text}", target.name));
            }
            if !ending.complete {
                let text = format!("{}: some of the command's output may be missing", target.name);
                self.warn(target, "output_incomplete", text);
            }
        }
        let (data, output) = {
            let mut state = self.state.borrow_mut();
            let host = &mut state.hosts[host];
            host.end = Some((result.clone(), elapsed));
            host.changed = outcome.has_changed();
            host.resumed = outcome.resumed();
            (data(target, host), host.last_lines().join("\n"))
        };
        if result.status == Status::Failed {
            let text = if output.is_empty() { output } else { self.folded(target, output) + "\n" };
            let causes = result.causes.iter().map(|cause| format!("caused by: {cause}\n"));
            let text =
                text + &causes.chain(result.help.iter().map(|help| format!("help: {help}\n"))).collect::<String>();
            if !text.is_empty() {
                self.reporter.record(Event::Output { check: id(target), stream: None, text });
            }
        }
        self.reporter.record(Event::CheckFinished {
            check: id(target),
            status: result.status,
            duration_seconds: Some(seconds(elapsed)),
            reason: result.reason,
            url: None,
            exit_code: result.exit_code.map(i64::from),
            data,
        });
    }
}

/// One stream of a host on its way to the log: secrets are hidden before it is split into lines.
#[derive(Default)]
struct Stream {
    redactor: Option<Redactor>,
    lines: Lines,
}

impl Stream {
    /// Takes bytes; returns the lines they complete.
    fn push(&mut self, bytes: &[u8], redactor: &dyn Fn() -> Option<Redactor>) -> Vec<Vec<u8>> {
        if self.redactor.is_none() {
            self.redactor = redactor();
        }
        match &mut self.redactor {
            Some(redactor) => {
                let safe = redactor.push(bytes);
                self.lines.push(&safe)
            }
            None => self.lines.push(bytes),
        }
    }

    /// The stream pauses: shows a line that is still open, with a mark, unless it may be the beginning of a secret.
    fn pause(&mut self) -> Vec<Vec<u8>> {
        let safe = self.redactor.as_mut().map(Redactor::release).unwrap_or_default();
        let mut lines = self.lines.push(&safe);
        lines.extend(self.lines.flush().map(|mut open| {
            open.extend_from_slice(" …".as_bytes());
            open
        }));
        lines
    }

    /// The step has ended: shows the rest.
    fn finish(&mut self) -> Vec<Vec<u8>> {
        let safe = self.redactor.take().map(Redactor::finish).unwrap_or_default();
        let mut lines = self.lines.push(&safe);
        lines.extend(self.lines.flush());
        lines
    }
}

fn index(source: Source) -> usize {
    usize::from(source == Source::Stderr)
}

impl Host {
    /// Whether the run went on without it.
    pub(crate) fn is_unreachable(&self) -> bool {
        let reason = self.end.as_ref().and_then(|(result, _)| result.reason.as_ref());
        reason.is_some_and(|reason| reason.code == "unreachable")
    }

    fn last_lines(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }

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
        ("group", host.end.as_ref().and_then(|(result, _)| result.group).map(Value::from)),
        ("reached_seconds", host.reached.map(|time| json!(seconds(time)))),
        ("causes", host.end.as_ref().map(|(result, _)| json!(result.causes))),
        ("help", host.end.as_ref().and_then(|(result, _)| result.help.as_deref()).map(Value::from)),
        ("rolled_back", host.end.as_ref().and_then(|(result, _)| result.rolled_back).map(Value::from)),
        ("changed", Some(host.changed.into())),
        ("resumed", host.resumed.map(Value::from)),
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

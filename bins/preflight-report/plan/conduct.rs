//! Starts checks when they may start, waits for their ends, and stops everything when it has to.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use cli::Console;
use fault::Result;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use plan::{Outcome, Schedule, Step};
use report::{Event, Policy, Verdict};
use run::{Records, Reporter, Stop, StopReason};
use tokio::sync::watch;

use super::cache::Cache;
use super::check;
use super::load::Loaded;
use super::records;
use super::shared::{End, Run};
use super::shell;
use super::show::Waits;
use crate::args::{Args, Format};
use crate::publish::Masks;
use crate::read::{Reading, Setting};
use child::Shell;

/// How often we look whether a check runs for long.
const TICK: Duration = Duration::from_secs(1);

/// The title of a plan that has none.
const TITLE: &str = "Pre-deploy validation";

/// A run that has ended.
pub(super) struct Conducted {
    pub(super) reading: Reading,
    pub(super) stopped: Option<StopReason>,
}

/// Runs the chosen checks.
///
/// # Errors
/// The system refuses the event loop or the signal handlers.
pub(super) fn conduct(
    loaded: &Loaded,
    args: &Args,
    policy: &Policy,
    masks: &Masks,
    console: &Console,
) -> Result<Conducted> {
    let setting = Setting::new(args, console, policy, masks.clone());
    let title = args.title().map(str::to_owned).or_else(|| loaded.plan.title.clone());
    let promised = loaded.chosen().map(|(_, check)| check.id.clone()).collect();
    let prints = args.format == Format::Jsonl;
    let records = if prints { Records::Print } else { Records::Keep };
    let title = title.unwrap_or_else(|| TITLE.to_owned());
    let hidden = masks.clone();
    let reporter = Reporter::changing(console, records, (&title, promised), move |record| hidden.hide_record(record));
    let (cancel, cancelled) = watch::channel(None);
    let (ends, stopped) = cli::block_on(async {
        let stop = Stop::watch(args.commands_deadline())?;
        let run = Run {
            loaded,
            setting: &setting,
            reporter: &reporter,
            console,
            shell: Shell::find(console.environment().get("PATH")),
            cache: Cache::open(console, args.planned.no_cache),
            log_dir: args.planned.log_dir.as_deref(),
            withheld: args.withheld(),
            stop: &stop,
            cancelled,
            // Documents about other checks are shards apart from this run.
            foreign: Arc::new(AtomicUsize::new(1)),
        };
        tell_once(&run);
        let jobs = args.planned.jobs.map_or_else(processors, |jobs| usize::try_from(jobs).unwrap_or(usize::MAX));
        Ok::<_, fault::Fault>((conduct_all(&run, jobs, args.planned.fail_fast, &cancel).await, stop.reason()))
    })??;
    let mut reading = Reading::of_run(reporter.end(verdict(loaded, &ends)), prints);
    reading.rerun = Some(records::rerun(loaded, args, &ends));
    Ok(Conducted { reading, stopped })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// What is worth a line before anything starts.
fn tell_once(run: &Run<'_>) {
    let scripts = run.loaded.chosen().any(|(_, check)| check.action.command().is_some_and(shell::uses_default));
    if run.shell == Shell::Sh && scripts {
        run.reporter.status("bash is not on the PATH: scripts run with `sh -e -c`, without pipefail");
    }
    let inputs = run.loaded.chosen().any(|(_, check)| !check.inputs.is_empty());
    if inputs && !Cache::is_set(run.console) {
        run.reporter.status("PREFLIGHT_REPORT_CACHE_DIR is not set: checks with `inputs` always run");
    }
}

async fn conduct_all(
    run: &Run<'_>,
    jobs: usize,
    fail_fast: bool,
    cancel: &watch::Sender<Option<String>>,
) -> Vec<(usize, End)> {
    let loaded = run.loaded;
    let mut schedule =
        Schedule::new(&loaded.plan, |check| loaded.selected[check], |check| loaded.holds[check], jobs, fail_fast);
    let mut ends: Vec<(usize, End)> = Vec::new();
    let mut running = FuturesUnordered::new();
    let mut stages = Stages::new(loaded);
    let mut waits = Waits::default();
    let mut tick = tokio::time::interval(TICK);
    loop {
        if let Some(first) = schedule.cancelled_by() {
            cancel.send_if_modified(|cancelled| cancelled.is_none() && cancelled.insert(first.to_owned()) == first);
        }
        while let Some(step) = schedule.step() {
            match step {
                Step::Start(at) => {
                    stages.begin(run, at);
                    waits.begin(&loaded.plan.checks[at]);
                    running.push(check::run(run, at));
                }
                Step::Skip(at, why) => {
                    stages.name(run, at);
                    records::skipped(run, &loaded.plan.checks[at], &why);
                    ends.push((at, Err(why)));
                }
            }
        }
        waits.show(run.reporter, schedule.waiting());
        if running.is_empty() {
            break;
        }
        tokio::select! {
            Some((at, outcome)) = running.next() => {
                schedule.ended(at, outcome);
                waits.end(&loaded.plan.checks[at]);
                stages.end(run, at, schedule.stage_is_over(loaded.plan.checks[at].stage));
                ends.push((at, Ok(outcome)));
            }
            reason = run.stop.requested(), if !schedule.is_stopped() => {
                schedule.stop();
                run.reporter.status(&format!("{reason}: stopping {} check(s)", running.len()));
            }
            _ = tick.tick() => waits.tell(run.reporter),
        }
    }
    ends
}

/// When the stages began, so that their records have a duration.
struct Stages {
    began: Vec<Option<Instant>>,
    named: Vec<bool>,
}

impl Stages {
    fn new(loaded: &Loaded) -> Self {
        let count = loaded.plan.stages.len();
        Self { began: vec![None; count], named: vec![false; count] }
    }

    fn begin(&mut self, run: &Run<'_>, check: usize) {
        let at = run.loaded.plan.checks[check].stage;
        self.name(run, check);
        self.began[at].get_or_insert_with(Instant::now);
    }

    /// Records the name of the check's stage, once.
    fn name(&mut self, run: &Run<'_>, check: usize) {
        let at = run.loaded.plan.checks[check].stage;
        if !std::mem::replace(&mut self.named[at], true) {
            let stage = &run.loaded.plan.stages[at];
            run.reporter.record(Event::StageStarted { stage: stage.id.clone(), name: Some(stage.name.clone()) });
        }
    }

    fn end(&mut self, run: &Run<'_>, check: usize, is_over: bool) {
        let at = run.loaded.plan.checks[check].stage;
        if let Some(began) = self.began[at].filter(|_| is_over) {
            let duration_seconds = Some(records::seconds(began.elapsed()));
            let stage = run.loaded.plan.stages[at].id.clone();
            run.reporter.record(Event::StageFinished { stage, status: None, duration_seconds });
        }
    }
}

/// What the run itself amounts to.
fn verdict(loaded: &Loaded, ends: &[(usize, End)]) -> Verdict {
    let required = |at: &usize| loaded.plan.checks[*at].required;
    let failed = ends.iter().any(|(at, end)| *end == Ok(Outcome::Failed) && required(at));
    let ran = ends.iter().any(|(_, end)| end.is_ok());
    // What its condition leaves out is left out on purpose; anything else that did not run proves nothing.
    let unproven =
        ends.iter().any(|(_, end)| !matches!(end, Ok(Outcome::Passed | Outcome::Failed) | Err(plan::Why::Condition)));
    match (failed, unproven || !ran) {
        (true, _) => Verdict::Failed,
        (false, true) => Verdict::Incomplete,
        (false, false) => Verdict::Passed,
    }
}

#[cfg(test)]
mod tests {
    use plan::{Outcome, Why};
    use report::Verdict;

    use super::verdict;

    #[test]
    fn only_what_its_condition_leaves_out_does_not_have_to_run() {
        let loaded = super::super::load::sample(
            "[[stage]]\nname = \"a\"\n[[stage.check]]\nname = \"x\"\nrun = \"x\"\n[[stage.check]]\nname = \"y\"\nrun = \"y\"\nrequired = false\n",
        );
        let needs = || Err(Why::NeedsFailed("x".to_owned()));
        for (x, y, expected) in [
            (Ok(Outcome::Passed), Ok(Outcome::Passed), Verdict::Passed),
            (Ok(Outcome::Passed), Ok(Outcome::Failed), Verdict::Passed),
            (Ok(Outcome::Failed), Ok(Outcome::Passed), Verdict::Failed),
            (Ok(Outcome::Passed), Err(Why::Condition), Verdict::Passed),
            (Err(Why::Condition), Err(Why::Condition), Verdict::Incomplete),
            (Ok(Outcome::Passed), needs(), Verdict::Incomplete),
            (Ok(Outcome::Cancelled), Ok(Outcome::Passed), Verdict::Incomplete),
        ] {
            assert_eq!(verdict(&loaded, &[(0, x.clone()), (1, y.clone())]), expected, "{x:?} {y:?}");
        }
    }
}

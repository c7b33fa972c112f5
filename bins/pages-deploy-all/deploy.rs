//! One run: sign in, prepare all sites, publish all or none, tell it.

use std::cell::RefCell;
use std::num::NonZero;
use std::sync::Arc;

use cli::{Console, Exit};
use fault::{Fault, Result};
use pages::{Hasher, Origin};
use report::{Event, Status, Verdict};
use tokio::sync::Semaphore;

use crate::args::{Args, Format};
use crate::build::{self, Variables};
use crate::changed::{self, Changed};
use crate::configure::{self, Site};
use crate::context::Context;
use crate::interrupt::Interrupt;
use crate::journal::Journal;
use crate::origin::{self, Trust};
use crate::outcome::{Outcome, UploadStats};
use crate::prepare::{self, PrepareError, Prepared, Ready};
use crate::sign_in::sign_in;
use crate::{discover, emit, errors, interrupt, list, publish};

/// What a run is about, decided before anything is touched.
pub(crate) struct Plan {
    sites: Vec<Site>,
    /// Left out, because nothing in them changed.
    unchanged: Vec<Site>,
    variables: Variables,
    origin: Origin,
    trust: Trust,
}

/// Finds the sites that are meant and reads their configuration; apart, those that have not changed.
pub(crate) fn sites(args: &Args, console: &Console) -> Result<(Vec<Site>, Vec<Site>)> {
    if args.format == Format::Matrix && !args.selection.list {
        return Err(Fault::usage("`--format matrix` is a list of sites").help("add --list"));
    }
    let output = args.building.output.as_deref().unwrap_or(configure::OUTPUT);
    let named = discover::named(args.selection.sites.as_deref())?;
    let folders = discover::select(discover::sites(&args.dir, output)?, &args.selection, named.as_deref())?;
    let sites = configure::sites(folders, &args.building, &args.target, |message| console.warn(message))?;
    let sites = args.selection.shard.map_or(sites.clone(), |shard| shard.select(sites));
    let changed = match &args.selection.changed_since {
        Some(reference) => changed::since(reference, &args.selection.watch, &args.dir)?,
        None => Changed::All,
    };
    Ok(sites.into_iter().partition(|site| changed.has(&site.name)))
}

/// Prints the sites and does nothing.
pub(crate) fn list(args: &Args, (sites, _): &(Vec<Site>, Vec<Site>), console: &Console) -> anyhow::Result<Exit> {
    console.print(list::render(sites, args.format)?)?;
    Ok(Exit::Success)
}

/// Decides the branch and the variables of builds.
pub(crate) fn plan(args: &Args, (sites, unchanged): (Vec<Site>, Vec<Site>), console: &Console) -> Result<Plan> {
    if let Some(file) = args.to.step_file() {
        console.step_file(file)?;
    }
    let variables = build::variables(console.environment(), &args.building.build_env)?;
    let around = origin::gather(args.target.branch.as_deref(), &args.dir, console.environment(), console.context());
    if around.git.is_none() && origin::distrusted_by_git(&args.dir) {
        console.warn(
            "git does not read this checkout, which another user owns: the deployments carry less of the commit. \
             Trust it first: git config --global --add safe.directory \"$PWD\"",
        );
    }
    let (origin, trust) = origin::decide(&around)?;
    Ok(Plan { sites, unchanged, variables, origin, trust })
}

/// Carries the plan out.
pub(crate) async fn run(args: &Args, plan: Plan, console: &Console) -> Result<Exit> {
    let client = sign_in(console).await?;
    let interrupt = Interrupt::watch(args.running.deadline)?;
    let journal = Journal::new(console, args.format, args.selection.shard);
    let checks = plan.sites.iter().chain(&plan.unchanged).map(Site::check).collect();
    journal.record(Event::RunStarted {
        tool: Some(console.tool().to_owned()),
        title: Some("Sites".to_owned()),
        plan: checks,
    });
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut left_out: Vec<Outcome> = plan.unchanged.iter().map(unchanged_since).collect();
    let context = Context {
        args,
        client,
        variables: plan.variables,
        origin: plan.origin,
        trust: plan.trust,
        journal: &journal,
        under_way: RefCell::default(),
        builds: Semaphore::new(args.building.jobs.map_or(cores, NonZero::get)),
        reading: Semaphore::new(cores),
        hasher: Arc::new(Hasher::new(cores)),
    };
    let prepared = tokio::select! {
        prepared = prepare::all(&context, &plan.sites) => prepared,
        exit = interrupt.wait() => {
            left_out.extend(stopped(&plan.sites, &context, exit));
            return finish(&context, left_out, &interrupt);
        }
    };
    let (ready, live, failed) = split(prepared);
    left_out.extend(live);
    if !failed.is_empty() {
        left_out.extend(not_published(&ready, failed));
        return finish(&context, left_out, &interrupt);
    }
    if args.running.dry_run {
        return rehearse(&context, &ready, left_out);
    }
    left_out.extend(publish::all(&context, &ready, &interrupt).await);
    finish(&context, left_out, &interrupt)
}

/// Those to publish, those that are live already, those that cannot be published.
fn split<'a>(
    prepared: Vec<Result<Prepared<'a>, PrepareError<'a>>>,
) -> (Vec<Ready<'a>>, Vec<Outcome>, Vec<PrepareError<'a>>) {
    let (mut ready, mut live, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for one in prepared {
        match one {
            Ok(Prepared::Ready(one)) => ready.push(*one),
            Ok(Prepared::Live(one)) => live.push(*one),
            Err(one) => failed.push(one),
        }
    }
    (ready, live, failed)
}

fn unchanged_since(site: &Site) -> Outcome {
    Outcome::new(site, Status::Skipped, UploadStats::default(), 0.0).because("unchanged", "nothing in it changed")
}

/// One site cannot be deployed, so none is.
fn not_published(ready: &[Ready<'_>], failed: Vec<PrepareError<'_>>) -> Vec<Outcome> {
    let names: Vec<&str> = failed.iter().map(|one| one.site.name.as_str()).collect();
    let because = format!("not deployed, because {} failed", names.join(", "));
    let left = ready.iter().map(|one| {
        Outcome::new(one.site, Status::Cancelled, one.stats, one.started.elapsed().as_secs_f64())
            .because("another_site_failed", because.clone())
    });
    let mut outcomes: Vec<Outcome> = left.collect();
    outcomes.extend(failed.into_iter().map(|one| {
        Outcome::new(one.site, Status::Failed, UploadStats::default(), one.started.elapsed().as_secs_f64())
            .failed(one.error)
    }));
    outcomes
}

/// Interrupted before anything was deployed. What the builds under way wrote last may say what they waited for.
fn stopped(sites: &[Site], context: &Context<'_>, exit: Exit) -> Vec<Outcome> {
    let why = interrupt::why(exit);
    let under_way = context.under_way.take();
    let outcome = |site: &Site| {
        let outcome = Outcome::new(site, Status::Cancelled, UploadStats::default(), context.journal.seconds());
        let Some(log) = under_way.get(&site.name) else {
            return outcome.because("interrupted", format!("not deployed: {why}"));
        };
        log.tail().iter().for_each(|line| context.journal.foreign(&site.name, line));
        outcome.because("interrupted", format!("not deployed: {why} while it was being built"))
    };
    sites.iter().map(outcome).collect()
}

fn rehearse(context: &Context<'_>, ready: &[Ready<'_>], left_out: Vec<Outcome>) -> Result<Exit> {
    let rehearsed = ready.iter().map(|one| {
        let seconds = one.started.elapsed().as_secs_f64();
        Outcome::new(one.site, Status::Skipped, one.stats, seconds).because("dry_run", "a dry run")
    });
    for outcome in left_out.into_iter().chain(rehearsed) {
        outcome.events().into_iter().for_each(|event| context.journal.record(event));
    }
    end(context.journal);
    emit::rehearsal(ready, context.args, context.journal.console())?;
    Ok(Exit::Success)
}

/// Records, prints and summarises how every site ended.
fn finish(context: &Context<'_>, mut outcomes: Vec<Outcome>, interrupt: &Interrupt) -> Result<Exit> {
    outcomes.sort_by(|one, other| one.site.cmp(&other.site));
    let (journal, console) = (context.journal, context.journal.console());
    outcomes.iter().flat_map(Outcome::events).for_each(|event| journal.record(event));
    end(journal);
    let report = journal.report();
    errors::tell(&outcomes, console);
    match context.args.to.step_file() {
        None => emit::result(&outcomes, &report, context.args.format, console),
        Some(file) => emit::outputs(&outcomes, file, console)?,
    }
    console.summary(&context.args.shared, |room| report::markdown(&report, room));
    if let Some(path) = console.environment().get("WRANGLER_OUTPUT_FILE_PATH") {
        emit::wrangler_lines(&outcomes, path.as_ref())?;
    }
    let ends = outcomes.iter().map(Outcome::exit).chain(interrupt.seen());
    Ok(Exit::worst(ends))
}

fn end(journal: &Journal<'_>) {
    journal.progress().end();
    // Without an end of its own the report would be called incomplete.
    let report = journal.report();
    let passed = report.checks().all(|(_, check)| matches!(check.status, Status::Passed | Status::Skipped));
    let result = if passed { Verdict::Passed } else { Verdict::Failed };
    journal.record(Event::RunFinished { result, duration_seconds: Some(journal.seconds()) });
}

//! One run: signs in, prepares all sites, publishes all or none, and reports the result.

use std::cell::RefCell;
use std::convert::Infallible;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cli::{Console, Exit};
use fault::{Fault, Result};
use pages::{Hasher, Origin};
use report::Status;
use run::{Records, Reporter, Stop, StopReason};
use runner::foreign;
use tokio::sync::Semaphore;

use crate::activity::{self, Activity, Limits};
use crate::args::{Args, Format};
use crate::build::{self, Variables};
use crate::configure::{self, Site};
use crate::context::Context;
use crate::origin::{self, Trust};
use crate::outcome::{Outcome, site_error};
use crate::prepare::{self, PrepareError, Prepared, Ready};
use crate::sign_in::{SIGN_IN, sign_in};
use crate::{changed, discover, emit, errors, list, previews, publish};

/// How often the run looks whether something takes long.
const LOOK: Duration = Duration::from_secs(1);

/// What a run does, decided before anything is changed.
pub(crate) struct Plan {
    sites: Vec<Site>,
    /// Left out, because nothing in them changed.
    unchanged: Vec<Site>,
    variables: Variables,
    origin: Origin,
    trust: Trust,
}

/// Finds the selected sites and reads their configuration. Returns those that have not changed separately.
pub(crate) fn sites(args: &Args, console: &Console) -> Result<(Vec<Site>, Vec<Site>)> {
    if args.format == Format::Matrix && !args.selection.list {
        return Err(Fault::usage("`--format matrix` is a list of sites").help("add --list"));
    }
    let output = args.building.output.as_deref().unwrap_or(configure::OUTPUT);
    let named = discover::named(args.selection.sites.as_deref(), args.running.deadline)?;
    let found = discover::sites(&args.dirs, output, |message| console.warn(message))?;
    let folders = discover::select(found, &args.selection, named.as_deref())?;
    let sites = configure::sites(folders, &args.building, &args.target, |message| console.warn(message))?;
    let sites = args.selection.shard.map_or(sites.clone(), |shard| shard.select(sites));
    let Some(reference) = &args.selection.changed_since else { return Ok((sites, Vec::new())) };
    let changed = changed::sites_since(reference, &args.selection.watch, &sites)?;
    Ok(sites.into_iter().partition(|site| changed.contains(&site.name)))
}

/// Prints the sites and stops.
pub(crate) fn list(args: &Args, (sites, _): &(Vec<Site>, Vec<Site>), console: &Console) -> anyhow::Result<Exit> {
    let is_listed = |site: &&Site| site.worker.is_none() || !args.selection.skip_workers;
    let sites: Vec<&Site> = sites.iter().filter(is_listed).collect();
    console.print(list::render(&sites, args.format)?)?;
    Ok(Exit::Success)
}

/// Decides the branch, the commit and the variables of builds.
pub(crate) fn plan(args: &Args, (sites, unchanged): (Vec<Site>, Vec<Site>), console: &Console) -> Result<Plan> {
    if let Some(file) = args.to.step_file() {
        console.step_file(file)?;
    }
    let variables = build::variables(console.environment(), &args.building.build_env)?;
    let dir = args.dirs.first().cloned().unwrap_or_default();
    let around = origin::gather(args.target.branch.as_deref(), &dir, console.environment(), console.context());
    if around.git.is_none() && origin::distrusted_by_git(&dir) {
        console.warn(
            "git does not read this checkout, because another user owns it: the deployments carry less of the commit. \
             Trust it first: git config --global --add safe.directory \"$PWD\"",
        );
    }
    let (origin, trust) = origin::decide(&around)?;
    let origin = match &args.target.commit_message {
        Some(message) => Origin { commit_message: Some(message.clone()), ..origin },
        None => origin,
    };
    Ok(Plan { sites, unchanged, variables, origin, trust })
}

/// Carries the plan out.
pub(crate) async fn run(args: &Args, plan: Plan, console: &Console) -> Result<Exit> {
    let stop = Stop::watch(args.running.deadline)?;
    let signed_in = tokio::select! {
        client = sign_in(console) => Ok(client?),
        reason = stop.requested() => Err(reason),
        never = signing_in(console) => match never {},
    };
    let checks = plan.sites.iter().chain(&plan.unchanged).map(Site::check).collect();
    let records = if args.format == Format::Jsonl { Records::Print } else { Records::Keep };
    let reporter = Reporter::new(console, records, args.selection.shard, "Sites", checks);
    let mut left_out: Vec<Outcome> = plan.unchanged.iter().map(unchanged_since).collect();
    let client = match signed_in {
        Ok(client) => client,
        Err(reason) => {
            left_out.extend(plan.sites.iter().map(|site| not_begun(site, reason)));
            return finish(args, &reporter, left_out, &stop);
        }
    };
    if plan.sites.is_empty() && left_out.is_empty() {
        reporter.status("no site is in this shard: there is nothing to do");
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let context = Context {
        args,
        client,
        variables: plan.variables,
        origin: plan.origin,
        trust: plan.trust,
        reporter: &reporter,
        activity: Activity::default(),
        under_way: RefCell::default(),
        builds: Semaphore::new(args.building.jobs.map_or(cores, NonZero::get)),
        reading: Semaphore::new(cores),
        hasher: Arc::new(Hasher::new(cores)),
    };
    tokio::select! {
        exit = carry_out(&context, &plan.sites, left_out, &stop) => exit,
        never = heartbeat(&context) => match never {},
    }
}

/// The outcome of a site after an interrupt before anything was done.
fn not_begun(site: &Site, why: StopReason) -> Outcome {
    Outcome::new(site, Status::Cancelled).because("interrupted", format!("not begun: {why} while signing in"))
}

/// Reports that signing in takes long.
async fn signing_in(console: &Console) -> Infallible {
    tokio::time::sleep(activity::QUIET).await;
    let left = cli::shown(SIGN_IN.saturating_sub(activity::QUIET));
    console.status(&format!("still reading the credentials, for at most another {left}"));
    std::future::pending().await
}

async fn carry_out(context: &Context<'_>, sites: &[Site], mut outcomes: Vec<Outcome>, stop: &Stop) -> Result<Exit> {
    if context.args.target.delete_previews {
        outcomes.extend(previews::delete_all(context, sites, stop).await);
        return finish(context.args, context.reporter, outcomes, stop);
    }
    let prepared = tokio::select! {
        prepared = prepare::all(context, sites) => prepared,
        reason = stop.requested() => {
            outcomes.extend(stopped(sites, context, reason));
            return finish(context.args, context.reporter, outcomes, stop);
        }
    };
    let (ready, done, failed) = split(prepared);
    let all_missing = ready.is_empty() && failed.is_empty() && !done.is_empty() && done.iter().all(has_no_output);
    outcomes.extend(done);
    if !failed.is_empty() {
        outcomes.extend(not_published(&ready, failed));
        return finish(context.args, context.reporter, outcomes, stop);
    }
    if all_missing {
        outcomes.iter_mut().filter(|one| has_no_output(one)).for_each(nothing_deployed);
        return finish(context.args, context.reporter, outcomes, stop);
    }
    if context.args.running.dry_run {
        return rehearse(context, &ready, &outcomes);
    }
    outcomes.extend(publish::all(context, &ready, stop).await);
    finish(context.args, context.reporter, outcomes, stop)
}

/// Reports what takes long, and the pauses that Cloudflare asks for.
async fn heartbeat(context: &Context<'_>) -> Infallible {
    let mut reported = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = Instant::now();
        let run = context.args.running.deadline.as_ref().map(cli::Deadline::remaining);
        for line in context.activity.lines(now, Limits { run, step: context.args.running.timeout }) {
            context.reporter.status(&line);
            if let Some(trouble) = context.client.trouble() {
                context.reporter.status(&foreign::line("  repeating a call: ", trouble.as_bytes()));
            }
        }
        let pause = context.client.held_back_for();
        if pause > activity::QUIET && now > reported {
            reported = now + pause;
            let pause = cli::shown(Duration::from_secs(pause.as_secs()));
            context.reporter.status(&format!("Cloudflare's rate limit: no requests for another {pause}"));
        }
    }
}

fn has_no_output(outcome: &Outcome) -> bool {
    outcome.reason.as_ref().is_some_and(|reason| reason.code == "no_output")
}

/// `--allow-missing-output` allows some sites without output. All of them are a mistake: nothing would be deployed, with exit 0.
fn nothing_deployed(outcome: &mut Outcome) {
    let fault = Fault::failed("no site has an output, so there is nothing to deploy")
        .help("name the directory that builds write with --output");
    *outcome = outcome.clone().failed(site_error("no_output")(fault));
}

/// Separates the sites to publish from those that are done and those that failed. Sites that would go to one project have failed.
fn split(prepared: Vec<Result<Prepared, PrepareError>>) -> (Vec<Ready>, Vec<Outcome>, Vec<PrepareError>) {
    let (mut ready, mut done, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for one in prepared {
        match one {
            Ok(Prepared::Ready(one)) => ready.push(*one),
            Ok(Prepared::Done(one)) => done.push(*one),
            Err(one) => failed.push(one),
        }
    }
    // A build may have changed the project that its site goes to.
    if let Some(fault) = configure::shared_project(&ready.iter().map(|one| &one.site).collect::<Vec<_>>()) {
        let error = site_error("shared_project")(fault);
        failed.extend(ready.drain(..).map(|one| PrepareError {
            site: one.site,
            error: error.clone(),
            times: one.times,
        }));
    }
    (ready, done, failed)
}

fn unchanged_since(site: &Site) -> Outcome {
    Outcome::new(site, Status::Skipped).because("unchanged", "nothing in it changed")
}

/// One site cannot be deployed, so none is.
fn not_published(ready: &[Ready], failed: Vec<PrepareError>) -> Vec<Outcome> {
    let names: Vec<&str> = failed.iter().map(|one| one.site.name.as_str()).collect();
    let because = format!("not deployed, because {} failed", names.join(", "));
    let left = ready.iter().map(|one| one.outcome(Status::Cancelled).because("another_site_failed", because.clone()));
    let mut outcomes: Vec<Outcome> = left.collect();
    outcomes.extend(failed.into_iter().map(|one| {
        let outcome = Outcome::new(&one.site, Status::Failed).failed(one.error);
        Outcome { times: one.times, ..outcome }
    }));
    outcomes
}

/// The outcomes after an interrupt in phase 1. The last lines of running builds may show what they were waiting for.
fn stopped(sites: &[Site], context: &Context<'_>, why: StopReason) -> Vec<Outcome> {
    let under_way = context.under_way.take();
    let trouble = context.client.trouble().map(|trouble| format!("; {trouble}")).unwrap_or_default();
    let outcome = |site: &Site| {
        let outcome = Outcome::new(site, Status::Cancelled);
        let Some(log) = under_way.get(&site.name) else {
            return outcome.because("interrupted", format!("not deployed: {why}{trouble}"));
        };
        context.reporter.foreign(&format!("{} │ ", site.name), &log.tail());
        outcome.because("interrupted", format!("not deployed: {why} while it was being built"))
    };
    sites.iter().map(outcome).collect()
}

fn rehearse(context: &Context<'_>, ready: &[Ready], done: &[Outcome]) -> Result<Exit> {
    let rehearsed = ready.iter().map(|one| one.outcome(Status::Skipped).because("dry_run", "a dry run"));
    let rehearsed: Vec<Outcome> = rehearsed.collect();
    done.iter().chain(&rehearsed).flat_map(Outcome::events).for_each(|event| context.reporter.record(event));
    context.reporter.finish();
    emit::rehearsal(ready, done, context.args, context.reporter.console())?;
    Ok(Exit::Success)
}

/// Records, prints and summarises how every site ended.
fn finish(args: &Args, reporter: &Reporter<'_>, mut outcomes: Vec<Outcome>, stop: &Stop) -> Result<Exit> {
    outcomes.sort_by(|one, other| one.site.cmp(&other.site));
    let console = reporter.console();
    outcomes.iter().flat_map(Outcome::events).for_each(|event| reporter.record(event));
    let mut report = reporter.finish();
    let ends = outcomes.iter().map(Outcome::exit).chain(stop.reason().map(StopReason::exit));
    let exit = Exit::worst(ends);
    report.exit_code = Some(exit.code());
    errors::print(&outcomes, args, console);
    match args.to.step_file() {
        None => emit::result(&outcomes, &report, args, console),
        Some(file) => emit::outputs(&outcomes, file, console)?,
    }
    console.summary(&args.shared, |room| report::markdown(&report, room));
    if let Some(path) = console.environment().get("WRANGLER_OUTPUT_FILE_PATH") {
        emit::wrangler_lines(&outcomes, path.as_ref())?;
    }
    Ok(exit)
}

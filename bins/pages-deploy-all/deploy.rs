//! One run: sign in, prepare all sites, publish all or none, tell it.

use std::cell::RefCell;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use api::{Base, Client, Deadline};
use cli::{Console, Exit};
use credentials::Credentials;
use fault::{Fault, Result};
use pages::{Account, Hasher, Origin, Pace};
use report::{Event, Status, Verdict};
use runner::Environment;
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;

use crate::args::{Args, Destination, Format};
use crate::build::{self, Variables};
use crate::changed::{self, Changed};
use crate::configure::{self, Site};
use crate::interrupt::Interrupt;
use crate::journal::Journal;
use crate::origin::{self, Trust};
use crate::outcome::{Facts, Outcome};
use crate::prepare::{self, Kit, Prepared, Ready, Unready};
use crate::{discover, emit, errors, interrupt, list, publish};

/// Requests to the account at once.
const AT_ONCE: usize = 24;

/// How long signing in may take.
const SIGN_IN: Duration = Duration::from_mins(1);

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
    let sites = args.selection.shard.map_or(sites.clone(), |shard| shard.of(sites));
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
    if args.to == Destination::Output && console.context().output_file.is_none() {
        return Err(Fault::usage("`--to output` has nowhere to write: GITHUB_OUTPUT is not set")
            .help("use it in a step of a workflow, or leave it out to print to stdout"));
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
    let account = sign_in(console).await?;
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
    let kit = Kit {
        args,
        account,
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
        prepared = prepare::all(&kit, &plan.sites) => prepared,
        exit = interrupt.wait() => {
            left_out.extend(stopped(&plan.sites, &kit, exit));
            return finish(&kit, left_out, &interrupt);
        }
    };
    let (ready, live, unready) = split(prepared);
    left_out.extend(live);
    if !unready.is_empty() {
        left_out.extend(not_published(&ready, unready));
        return finish(&kit, left_out, &interrupt);
    }
    if args.running.dry_run {
        return rehearse(&kit, &ready, left_out);
    }
    left_out.extend(publish::all(&kit, &ready, &interrupt).await);
    finish(&kit, left_out, &interrupt)
}

/// Cloudflare's API.
pub(crate) fn api_address(environment: &Environment) -> &str {
    environment.get("CLOUDFLARE_API_BASE_URL").unwrap_or("https://api.cloudflare.com/client/v4")
}

async fn sign_in(console: &Console) -> Result<Account> {
    const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
    const ID: &str = "CLOUDFLARE_ACCOUNT_ID";
    let environment = console.environment();
    let base: Base = api_address(environment).parse()?;
    let deadline = Deadline::after(SIGN_IN);
    let credentials = Credentials::new(environment, deadline);
    // An account's id is no secret: masked, it would only make addresses in errors unreadable. From Doppler it comes masked all
    // the same, in one request with the token.
    let given = environment.get(ID);
    let names = if given.is_some() { &[TOKEN][..] } else { &[TOKEN, ID] };
    let found = credentials.find_all(names, &|values| console.mask(values)).await?;
    let value = |name| {
        let found = found.iter().find(|found| found.name == name);
        found.map(|found| found.value.clone()).ok_or_else(|| credentials.missing(name))
    };
    let token = value(TOKEN)?;
    let id = match given {
        Some(id) => id.trim().to_owned(),
        None => value(ID)?.expose_secret().trim().to_owned(),
    };
    // It becomes a part of every path.
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Fault::usage(format!("{ID} is not an account's id"))
            .cause("it has other characters than letters and digits"));
    }
    let client = Client::new("Cloudflare", base, deadline)?.bearer(token);
    Ok(Account::new(client, id, Arc::new(Pace::new(AT_ONCE))))
}

/// Those to publish, those that are live already, those that cannot be published.
fn split<'a>(prepared: Vec<Result<Prepared<'a>, Unready<'a>>>) -> (Vec<Ready<'a>>, Vec<Outcome>, Vec<Unready<'a>>) {
    let (mut ready, mut live, mut unready) = (Vec::new(), Vec::new(), Vec::new());
    for one in prepared {
        match one {
            Ok(Prepared::Ready(one)) => ready.push(*one),
            Ok(Prepared::Live(one)) => live.push(*one),
            Err(one) => unready.push(one),
        }
    }
    (ready, live, unready)
}

fn unchanged_since(site: &Site) -> Outcome {
    Outcome::new(site, Status::Skipped, Facts::default(), 0.0).because("unchanged", "nothing in it changed")
}

/// One site cannot be deployed, so none is.
fn not_published(ready: &[Ready<'_>], unready: Vec<Unready<'_>>) -> Vec<Outcome> {
    let names: Vec<&str> = unready.iter().map(|one| one.site.name.as_str()).collect();
    let because = format!("not deployed, because {} failed", names.join(", "));
    let left = ready.iter().map(|one| {
        Outcome::new(one.site, Status::Cancelled, one.facts, one.started.elapsed().as_secs_f64())
            .because("another_site_failed", because.clone())
    });
    let mut outcomes: Vec<Outcome> = left.collect();
    outcomes.extend(unready.into_iter().map(|one| {
        Outcome::new(one.site, Status::Failed, Facts::default(), one.started.elapsed().as_secs_f64())
            .failed(one.trouble)
    }));
    outcomes
}

/// Interrupted before anything was deployed. What the builds under way wrote last may say what they waited for.
fn stopped(sites: &[Site], kit: &Kit<'_>, exit: Exit) -> Vec<Outcome> {
    let why = interrupt::why(exit);
    let under_way = kit.under_way.take();
    let outcome = |site: &Site| {
        let outcome = Outcome::new(site, Status::Cancelled, Facts::default(), kit.journal.seconds());
        let Some(log) = under_way.get(&site.name) else {
            return outcome.because("interrupted", format!("not deployed: {why}"));
        };
        log.tail().iter().for_each(|line| kit.journal.foreign(&site.name, line));
        outcome.because("interrupted", format!("not deployed: {why} while it was being built"))
    };
    sites.iter().map(outcome).collect()
}

fn rehearse(kit: &Kit<'_>, ready: &[Ready<'_>], left_out: Vec<Outcome>) -> Result<Exit> {
    let rehearsed = ready.iter().map(|one| {
        let seconds = one.started.elapsed().as_secs_f64();
        Outcome::new(one.site, Status::Skipped, one.facts, seconds).because("dry_run", "a dry run")
    });
    for outcome in left_out.into_iter().chain(rehearsed) {
        outcome.events().into_iter().for_each(|event| kit.journal.record(event));
    }
    end(kit.journal);
    emit::rehearsal(ready, kit.args, kit.journal.console())?;
    Ok(Exit::Success)
}

/// Records, prints and summarises how every site ended.
fn finish(kit: &Kit<'_>, mut outcomes: Vec<Outcome>, interrupt: &Interrupt) -> Result<Exit> {
    outcomes.sort_by(|one, other| one.site.cmp(&other.site));
    let (journal, console) = (kit.journal, kit.journal.console());
    outcomes.iter().flat_map(Outcome::events).for_each(|event| journal.record(event));
    end(journal);
    let report = journal.report();
    errors::tell(&outcomes, console);
    match kit.args.to {
        Destination::Stdout => emit::result(&outcomes, &report, kit.args.format, console),
        Destination::Output => emit::outputs(&outcomes, console)?,
    }
    console.summary(&kit.args.shared, |room| report::markdown(&report, room));
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

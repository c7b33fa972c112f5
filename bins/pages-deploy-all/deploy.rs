//! One run: sign in, prepare all sites, publish all or none, tell it.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use api::{Base, Client, Deadline};
use cli::{Console, Exit};
use credentials::Credentials;
use fault::{Fault, Result};
use pages::{Account, Origin, Pace};
use report::{Event, Status, Verdict};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;

use crate::args::Args;
use crate::build::{self, Variables};
use crate::configure::{self, Site};
use crate::interrupt::Interrupt;
use crate::journal::Journal;
use crate::origin::{self, Trust};
use crate::outcome::{Facts, Outcome};
use crate::prepare::{self, Kit, Ready, Unready};
use crate::{discover, emit, publish};

/// Requests to the account at once.
const AT_ONCE: usize = 24;

/// How long signing in may take.
const SIGN_IN: Duration = Duration::from_mins(1);

/// What a run is about, decided before anything is touched.
pub(crate) struct Plan {
    sites: Vec<Site>,
    variables: Variables,
    origin: Origin,
    trust: Trust,
}

/// Finds the sites and reads their configuration, the branch and the variables of builds.
pub(crate) fn plan(args: &Args, console: &Console) -> Result<Plan> {
    let output = args.building.output.as_deref().unwrap_or(configure::OUTPUT);
    let folders = discover::select(discover::sites(&args.dir, output)?, &args.selection)?;
    let sites = configure::sites(folders, &args.building, &args.target, |message| console.warn(message))?;
    let variables = build::variables(console.environment(), &args.building.build_env)?;
    let around = origin::gather(args.target.branch.as_deref(), &args.dir, console.environment(), console.context());
    let (origin, trust) = origin::decide(&around)?;
    Ok(Plan { sites, variables, origin, trust })
}

/// Carries the plan out.
pub(crate) async fn run(args: &Args, plan: Plan, console: &Console) -> Result<Exit> {
    let account = sign_in(console).await?;
    let interrupt = Interrupt::watch()?;
    let journal = Journal::new(console, args.format);
    let checks = plan.sites.iter().map(Site::check).collect();
    journal.record(Event::RunStarted {
        tool: Some(console.tool().to_owned()),
        title: Some("Sites".to_owned()),
        plan: checks,
    });
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let kit = Kit {
        args,
        account,
        variables: plan.variables,
        origin: plan.origin,
        trust: plan.trust,
        journal: &journal,
        builds: Semaphore::new(args.building.jobs.map_or(cores, NonZero::get)),
        hashing: Semaphore::new(cores),
    };
    let prepared = tokio::select! {
        prepared = prepare::all(&kit, &plan.sites) => prepared,
        _ = interrupt.wait() => return finish(&kit, &stopped(&plan.sites, &journal), &interrupt),
    };
    let (ready, unready) = split(prepared);
    if !unready.is_empty() {
        return finish(&kit, &not_published(&ready, unready), &interrupt);
    }
    if args.running.dry_run {
        return rehearse(&kit, &ready);
    }
    let outcomes = publish::all(&kit, &ready, &interrupt).await;
    finish(&kit, &outcomes, &interrupt)
}

async fn sign_in(console: &Console) -> Result<Account> {
    const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
    const ID: &str = "CLOUDFLARE_ACCOUNT_ID";
    let environment = console.environment();
    let base: Base =
        environment.get("CLOUDFLARE_API_BASE_URL").unwrap_or("https://api.cloudflare.com/client/v4").parse()?;
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

fn split<'a>(prepared: Vec<Result<Ready<'a>, Unready<'a>>>) -> (Vec<Ready<'a>>, Vec<Unready<'a>>) {
    let (mut ready, mut unready) = (Vec::new(), Vec::new());
    for one in prepared {
        match one {
            Ok(one) => ready.push(one),
            Err(one) => unready.push(one),
        }
    }
    (ready, unready)
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
    outcomes.sort_by(|one, other| one.site.cmp(&other.site));
    outcomes
}

/// Interrupted before anything was deployed.
fn stopped(sites: &[Site], journal: &Journal<'_>) -> Vec<Outcome> {
    let outcome = |site| Outcome::new(site, Status::Cancelled, Facts::default(), journal.seconds());
    sites.iter().map(|site| outcome(site).because("interrupted", "not deployed")).collect()
}

fn rehearse(kit: &Kit<'_>, ready: &[Ready<'_>]) -> Result<Exit> {
    for one in ready {
        let seconds = one.started.elapsed().as_secs_f64();
        let outcome = Outcome::new(one.site, Status::Skipped, one.facts, seconds).because("dry_run", "a dry run");
        outcome.events().into_iter().for_each(|event| kit.journal.record(event));
    }
    end(kit.journal);
    emit::rehearsal(ready, kit.args.format, kit.journal.console())?;
    Ok(Exit::Success)
}

/// Records, prints and summarises how every site ended.
fn finish(kit: &Kit<'_>, outcomes: &[Outcome], interrupt: &Interrupt) -> Result<Exit> {
    let (journal, console) = (kit.journal, kit.journal.console());
    outcomes.iter().flat_map(Outcome::events).for_each(|event| journal.record(event));
    end(journal);
    emit::troubles(outcomes, console);
    emit::result(outcomes, &journal.report(), kit.args.format, console)?;
    emit::summary(outcomes, console, &kit.args.shared);
    if let Some(path) = console.environment().get("WRANGLER_OUTPUT_FILE_PATH") {
        emit::wrangler_lines(outcomes, path.as_ref())?;
    }
    let ends = outcomes.iter().map(Outcome::exit).chain(interrupt.seen());
    Ok(Exit::worst(ends))
}

fn end(journal: &Journal<'_>) {
    // Without an end of its own the report would be called incomplete.
    let report = journal.report();
    let passed = report.checks().all(|(_, check)| matches!(check.status, Status::Passed | Status::Skipped));
    let result = if passed { Verdict::Passed } else { Verdict::Failed };
    journal.record(Event::RunFinished { result, duration_seconds: Some(journal.seconds()) });
}

//! The moment visitors see it: all deployments created together, waited for, looked at; put back where that was asked for.

use std::time::Duration;

use api::Deadline;
use cli::Exit;
use fault::{Fault, Kind};
use futures_util::future::{join_all, try_join_all};
use pages::probe::{self, Expect};
use pages::{Deployment, PagesClient};
use report::Status;

use crate::context::Context;
use crate::interrupt::{Interrupt, why};
use crate::outcome::{Outcome, site_error};
use crate::prepare::Ready;
use crate::rollback::{self, ProductionChange, Published};

/// What a creation in flight gets to end after an interruption.
const GRACE: Duration = Duration::from_secs(5);

/// Deploys all sites at once.
pub(crate) async fn all(context: &Context<'_>, sites: &[Ready<'_>], interrupt: &Interrupt) -> Vec<Outcome> {
    let client = context.client.until(Deadline::after(context.args.running.timeout));
    let mut published = join_all(sites.iter().map(|ready| publish(context, &client, ready, interrupt))).await;
    let all_live = published.iter().all(|one| one.outcome.status == Status::Passed);
    if context.args.running.atomic && !all_live {
        let client = context.client.until(Deadline::after(context.args.running.timeout));
        join_all(published.iter_mut().map(|one| rollback::rollback_site(context.journal, &client, one))).await;
    }
    published.into_iter().map(|one| one.outcome).collect()
}

async fn publish<'a>(
    context: &Context<'_>,
    client: &PagesClient,
    ready: &'a Ready<'a>,
    interrupt: &Interrupt,
) -> Published<'a> {
    let outcome = |status| Outcome::new(ready.site, status, ready.stats, ready.started.elapsed().as_secs_f64());
    let done = |outcome, switch| Published { ready, outcome, switch };
    if let Some(exit) = interrupt.seen() {
        let text = format!("not deployed: {}", why(exit));
        return done(outcome(Status::Cancelled).because("interrupted", text), ProductionChange::No);
    }
    context.journal.progress().show(&ready.site.name, "deploying");
    let last_known = ready.project.as_ref().and_then(|project| project.latest_deployment.as_ref());
    let create = ready.release.create(client, &ready.site.project, last_known.map(|last| last.id.as_str()));
    let created = tokio::select! {
        created = create => created,
        exit = grace_period(context, ready, interrupt) => {
            let unknown = format!("it is unknown whether it was deployed: {} before the answer came", why(exit));
            return done(outcome(Status::Cancelled).because("interrupted", unknown), ProductionChange::Maybe);
        }
    };
    let deployment = match created {
        Ok(deployment) => deployment,
        Err(fault) => {
            // What is not permitted was not done; anything else leaves it open whether the deployment was made.
            let switch = if fault.kind == Kind::Permission { ProductionChange::No } else { ProductionChange::Maybe };
            return done(outcome(Status::Failed).failed(site_error("deploy_failed")(fault)), switch);
        }
    };
    let switch = if deployment.environment == "preview" { ProductionChange::No } else { ProductionChange::Maybe };
    let seen = tokio::select! {
        seen = wait_and_probe(context, client, ready, deployment.clone()) => seen,
        exit = interrupt.wait() => {
            let text = format!("deployment {} was created and not seen to be live: {}", deployment.id, why(exit));
            let outcome = outcome(Status::Cancelled).because("interrupted", text).deployed(Some(deployment));
            return done(outcome, switch);
        }
    };
    match seen {
        Ok(live) => {
            context.journal.say(&ready.site.name, &format!("live at {}", live.url));
            done(outcome(Status::Passed).deployed(Some(live)), switch)
        }
        Err((code, fault)) => {
            done(outcome(Status::Failed).failed(site_error(code)(fault)).deployed(Some(deployment)), switch)
        }
    }
}

/// Waits for an interruption, and then a little for the answer under way.
async fn grace_period(context: &Context<'_>, ready: &Ready<'_>, interrupt: &Interrupt) -> Exit {
    let exit = interrupt.wait().await;
    let text = format!("{}: waiting {} s for the answer to its deployment", why(exit), GRACE.as_secs());
    context.journal.say(&ready.site.name, &text);
    tokio::time::sleep(GRACE).await;
    exit
}

/// Waits until the deployment is live and looks at it.
async fn wait_and_probe(
    context: &Context<'_>,
    client: &PagesClient,
    ready: &Ready<'_>,
    deployment: Deployment,
) -> Result<Deployment, (&'static str, Fault)> {
    let patience = client.http().remaining();
    let created = deployment.id.clone();
    let live = pages::wait(client, &ready.site.project, deployment, patience)
        .await
        .map_err(|fault| ("deploy_failed", unobserved(fault, &created)))?;
    let expect = if ready.release.has_code() { Expect::Code } else { Expect::Asset };
    let mut paths = probe::paths(&ready.manifest, context.args.running.probe);
    paths.extend(context.args.running.probe_path.iter().map(|path| format!("/{}", path.trim_start_matches('/'))));
    let looks = paths.iter().map(|path| probe::probe(client.http(), &live.url, path, expect));
    try_join_all(looks).await.map_err(|fault| ("probe_failed", fault))?;
    Ok(live)
}

/// The service could not be asked how it went on: the deployment is there all the same, and may be live.
fn unobserved(fault: Fault, id: &str) -> Fault {
    if fault.kind == Kind::Temporary {
        return fault.context(format!("deployment {id} was created and not seen to be live"));
    }
    fault
}

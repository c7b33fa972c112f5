//! Phase 2: creates all deployments, waits until each is live, probes it, and rolls back under `--atomic`.

use std::time::{Duration, Instant};

use api::Deadline;
use fault::{Fault, Kind};
use futures_util::future::{join_all, try_join_all};
use pages::probe::{self, Expect};
use pages::{Deployment, PagesClient};
use report::Status;
use run::{Stop, StopReason};

use crate::activity::Step;
use crate::context::Context;
use crate::outcome::{Outcome, site_error};
use crate::prepare::Ready;
use crate::rollback::{self, ProductionChange, Published};

/// How long to wait for an in-flight create request after an interrupt.
const GRACE: Duration = Duration::from_secs(5);

/// Deploys all sites at once.
pub(crate) async fn all(context: &Context<'_>, sites: &[Ready], stop: &Stop) -> Vec<Outcome> {
    let client = persistent(context);
    let mut published = join_all(sites.iter().map(|ready| publish(context, &client, ready, stop))).await;
    let all_live = published.iter().all(|one| one.outcome.status == Status::Passed);
    if context.args.running.atomic && !all_live {
        let client = persistent(context);
        join_all(published.iter_mut().map(|one| rollback::rollback_site(context, &client, one))).await;
    }
    published.into_iter().map(|one| one.outcome).collect()
}

/// A client for this phase: to give up early would leave it unknown what visitors see.
fn persistent(context: &Context<'_>) -> PagesClient {
    context.client.until(Deadline::after(context.args.running.timeout)).persistent()
}

/// Deploys one site, and notes when that began and ended.
async fn publish<'a>(context: &Context<'_>, client: &PagesClient, ready: &'a Ready, stop: &Stop) -> Published<'a> {
    if let Some(reason) = stop.reason() {
        let text = format!("not deployed: {reason}");
        let outcome = ready.outcome(Status::Cancelled).because("interrupted", text);
        return Published { ready, outcome, change: ProductionChange::No };
    }
    let name = &ready.site.name;
    context.activity.begin(name, Step::Deploying);
    context.reporter.progress().show(name, "deploying");
    let began = Instant::now();
    let (mut outcome, change) = deploy(context, client, ready, stop).await;
    outcome.times.deploy = Some(began.elapsed().as_secs_f64());
    context.activity.end(name);
    Published { ready, outcome, change }
}

async fn deploy(
    context: &Context<'_>,
    client: &PagesClient,
    ready: &Ready,
    stop: &Stop,
) -> (Outcome, ProductionChange) {
    let last_known = ready.project.as_ref().and_then(|project| project.latest_deployment.as_ref());
    let create = ready.release.create(client, &ready.site.project, last_known.map(|last| last.id.as_str()));
    let created = tokio::select! {
        created = create => created,
        reason = grace_period(context, ready, stop) => {
            let unknown = format!("it is unknown whether it was deployed: {reason} before the answer came");
            return (ready.outcome(Status::Cancelled).because("interrupted", unknown), ProductionChange::Maybe);
        }
    };
    let created = match created {
        Ok(created) => created,
        Err(fault) => {
            // A call that is not permitted did nothing. After any other error the deployment may have been created.
            let change = if fault.kind == Kind::Permission { ProductionChange::No } else { ProductionChange::Maybe };
            return (ready.outcome(Status::Failed).failed(site_error("deploy_failed")(fault)), change);
        }
    };
    if let Some(message) = &created.replaced_message {
        let text = format!("Cloudflare refused its commit message (8000111); deployed with `{message}` instead");
        context.reporter.warn(&format!("{}: {text}", ready.site.name));
    }
    let deployment = created.deployment;
    let change = if deployment.environment == "preview" { ProductionChange::No } else { ProductionChange::Maybe };
    let live = tokio::select! {
        live = wait_and_probe(context, client, ready, deployment.clone()) => live,
        reason = stop.requested() => {
            let text = format!("deployment {} was created and not seen to be live: {}", deployment.id, reason);
            let outcome = ready.outcome(Status::Cancelled).because("interrupted", text).deployed(Some(deployment));
            return (outcome, change);
        }
    };
    match live {
        Ok(live) => {
            context.reporter.event(&ready.site.name, &format!("live at {}", live.url));
            (ready.outcome(Status::Passed).deployed(Some(live)), change)
        }
        Err((code, fault)) => {
            (ready.outcome(Status::Failed).failed(site_error(code)(fault)).deployed(Some(deployment)), change)
        }
    }
}

/// Waits for an interrupt, and then a little longer for the answer to the create request.
async fn grace_period(context: &Context<'_>, ready: &Ready, stop: &Stop) -> StopReason {
    let reason = stop.requested().await;
    let text = format!("{reason}: waiting {} s for the answer to its deployment", GRACE.as_secs());
    context.reporter.event(&ready.site.name, &text);
    tokio::time::sleep(GRACE).await;
    reason
}

/// Waits until the deployment is live, then requests some of its paths.
async fn wait_and_probe(
    context: &Context<'_>,
    client: &PagesClient,
    ready: &Ready,
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
    let probes = paths.iter().map(|path| probe::probe(client.http(), &live.url, path, expect));
    try_join_all(probes).await.map_err(|fault| ("probe_failed", fault))?;
    Ok(live)
}

/// The fault if the service stopped answering: the deployment exists all the same, and may be live.
fn unobserved(fault: Fault, id: &str) -> Fault {
    if fault.kind == Kind::Temporary {
        return fault.context(format!("deployment {id} was created and not seen to be live"));
    }
    fault
}

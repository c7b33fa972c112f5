//! The moment visitors see it: all deployments created together, waited for, looked at; put back where that was asked for.

use std::time::Duration;

use api::Deadline;
use fault::{Fault, Kind};
use futures_util::future::join_all;
use pages::probe::{self, Expect};
use pages::{Account, Deployment};
use report::Status;

use crate::interrupt::Interrupt;
use crate::journal::Journal;
use crate::outcome::{Outcome, trouble};
use crate::prepare::{Kit, Ready};

/// What a creation in flight gets to end after an interruption.
const GRACE: Duration = Duration::from_secs(5);

/// A site after its deployment, and whether production may have changed.
struct Published<'a> {
    ready: &'a Ready<'a>,
    outcome: Outcome,
    switch: Switch,
}

/// Whether visitors of production may see something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    No,
    /// The deployment is production's, or nobody knows.
    Maybe,
}

/// Deploys all sites at once.
pub(crate) async fn all(kit: &Kit<'_>, sites: &[Ready<'_>], interrupt: &Interrupt) -> Vec<Outcome> {
    let account = kit.account.until(Deadline::after(kit.args.running.timeout));
    let mut published = join_all(sites.iter().map(|ready| publish(kit, &account, ready, interrupt))).await;
    let all_live = published.iter().all(|one| one.outcome.status == Status::Passed);
    if kit.args.running.atomic && !all_live {
        let account = kit.account.until(Deadline::after(kit.args.running.timeout));
        join_all(published.iter_mut().map(|one| put_back(kit.journal, &account, one))).await;
    }
    published.into_iter().map(|one| one.outcome).collect()
}

async fn publish<'a>(kit: &Kit<'_>, account: &Account, ready: &'a Ready<'a>, interrupt: &Interrupt) -> Published<'a> {
    let outcome = |status| Outcome::new(ready.site, status, ready.facts, ready.started.elapsed().as_secs_f64());
    let done = |outcome, switch| Published { ready, outcome, switch };
    if interrupt.seen().is_some() {
        return done(outcome(Status::Cancelled).because("interrupted", "not deployed"), Switch::No);
    }
    let last_known = ready.project.as_ref().and_then(|project| project.latest_deployment.as_ref());
    let create = ready.release.create(account, &ready.site.project, last_known.map(|last| last.id.as_str()));
    let created = tokio::select! {
        created = create => created,
        () = async { interrupt.wait().await; tokio::time::sleep(GRACE).await } => {
            let unknown = "it is unknown whether it was deployed: the answer had not come";
            return done(outcome(Status::Cancelled).because("interrupted", unknown), Switch::Maybe);
        }
    };
    let deployment = match created {
        Ok(deployment) => deployment,
        Err(fault) => {
            // A refusal is certain; anything else leaves it open whether the deployment was made.
            let switch = if fault.kind == Kind::Temporary { Switch::Maybe } else { Switch::No };
            return done(outcome(Status::Failed).failed(trouble("deploy_failed")(fault)), switch);
        }
    };
    let switch = if deployment.environment == "preview" { Switch::No } else { Switch::Maybe };
    let seen = tokio::select! {
        seen = see(kit, account, ready, deployment.clone()) => seen,
        _ = interrupt.wait() => {
            let text = format!("deployment {} was created and not seen to be live", deployment.id);
            let outcome = outcome(Status::Cancelled).because("interrupted", text).deployed(Some(deployment));
            return done(outcome, switch);
        }
    };
    match seen {
        Ok(live) => {
            kit.journal.say(&ready.site.name, &format!("live at {}", live.url));
            done(outcome(Status::Passed).deployed(Some(live)), switch)
        }
        Err((code, fault)) => {
            done(outcome(Status::Failed).failed(trouble(code)(fault)).deployed(Some(deployment)), switch)
        }
    }
}

/// Waits until the deployment is live and looks at it.
async fn see(
    kit: &Kit<'_>,
    account: &Account,
    ready: &Ready<'_>,
    deployment: Deployment,
) -> Result<Deployment, (&'static str, Fault)> {
    let patience = account.client().remaining();
    let live = pages::wait(account, &ready.site.project, deployment, patience)
        .await
        .map_err(|fault| ("deploy_failed", fault))?;
    let expect = if ready.release.has_code() { Expect::Code } else { Expect::Asset };
    let mut paths = probe::paths(&ready.manifest, kit.args.running.probe);
    paths.extend(kit.args.running.probe_path.iter().map(|path| format!("/{}", path.trim_start_matches('/'))));
    for path in paths {
        probe::probe(account.client(), &live.url, &path, expect).await.map_err(|fault| ("probe_failed", fault))?;
    }
    Ok(live)
}

/// Makes production serve again what it served before.
async fn put_back(journal: &Journal<'_>, account: &Account, one: &mut Published<'_>) {
    if one.switch == Switch::No {
        return;
    }
    let before = one.ready.project.as_ref().and_then(|project| project.canonical_deployment.as_ref());
    let Some(before) = before else {
        let text = "its first deployment cannot be rolled back: there is nothing before it";
        note(one, "cannot_roll_back", text);
        return;
    };
    match roll_back(account, &one.ready.site.project, &before.id).await {
        Ok(Moved::No) => {
            note(one, "not_switched", &format!("production still serves deployment {}", before.id));
        }
        Ok(Moved::Back) => {
            let text = format!("rolled back: production serves deployment {} as before", before.id);
            journal.say(&one.ready.site.name, &text);
            note(one, "rolled_back", &text);
        }
        Err(fault) => {
            let fault = fault
                .context(format!("`{}` could not be put back to deployment {}", one.ready.site.project, before.id))
                .help("roll it back in the dashboard");
            one.outcome = one.outcome.clone().failed(trouble("roll_back_failed")(fault));
        }
    }
}

/// Whether there was anything to put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    No,
    Back,
}

/// Rolls back where production has moved on, and looks that it holds.
async fn roll_back(account: &Account, project: &str, id: &str) -> fault::Result<Moved> {
    if serves(account, project).await?.as_deref() == Some(id) {
        return Ok(Moved::No);
    }
    account.roll_back(project, id).await?;
    match serves(account, project).await? {
        Some(now) if now == id => Ok(Moved::Back),
        Some(other) => Err(Fault::no(format!("production serves deployment {other}"))),
        None => Err(Fault::no("production serves no deployment")),
    }
}

/// The deployment that production serves.
async fn serves(account: &Account, project: &str) -> fault::Result<Option<String>> {
    let project = account.project(project).await?;
    Ok(project.and_then(|project| project.canonical_deployment).map(|deployment| deployment.id))
}

/// A site that was fine ends as failed all the same: it is not what was asked for. One with trouble of its own keeps that.
fn note(one: &mut Published<'_>, code: &str, text: &str) {
    if let Some(reason) = &mut one.outcome.reason {
        reason.text = format!("{}; {text}", reason.text);
    } else {
        one.outcome.status = Status::Failed;
        one.outcome.reason = Some(report::Reason::new(code, text));
    }
}

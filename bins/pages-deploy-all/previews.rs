//! `--delete-previews`: deletes the preview deployments of one branch, never production's.

use std::cell::RefCell;
use std::time::Instant;

use api::Deadline;
use fault::{Fault, Result};
use futures_util::future::join_all;
use pages::{Deployment, PagesClient, Project};
use report::{Event, Status};
use run::{Stop, StopReason};

use crate::activity::Step;
use crate::configure::Site;
use crate::context::Context;
use crate::outcome::{Outcome, site_error};
use crate::words;

/// Deletes the branch's previews of all sites. An interrupt ends it; the report then names what was deleted before.
pub(crate) async fn delete_all(context: &Context<'_>, sites: &[Site], stop: &Stop) -> Vec<Outcome> {
    join_all(sites.iter().map(|site| async move {
        let (check, name) = (site.check(), Some(site.name.clone()));
        context.reporter.record(Event::CheckStarted { check, name });
        context.reporter.progress().begin(&site.name);
        context.activity.begin(&site.name, Step::Deleting);
        let began = Instant::now();
        let deleted = RefCell::default();
        let ended = tokio::select! {
            outcome = delete(context, site, &deleted) => Ok(outcome),
            reason = stop.requested() => Err(reason),
        };
        let mut outcome = ended.unwrap_or_else(|reason| interrupted(site, reason, deleted.take()));
        outcome.times.deploy = Some(began.elapsed().as_secs_f64());
        context.activity.end(&site.name);
        outcome
    }))
    .await
}

fn interrupted(site: &Site, reason: StopReason, deleted: Vec<Deployment>) -> Outcome {
    let count = words::previews(deleted.len());
    let text = format!("{reason} after {count} had been deleted; another run deletes those that are left");
    let outcome = Outcome::new(site, Status::Cancelled).because("interrupted", text);
    Outcome { deleted: Some(deleted), ..outcome }
}

async fn delete(context: &Context<'_>, site: &Site, deleted: &RefCell<Vec<Deployment>>) -> Outcome {
    let failed = |fault| Outcome::new(site, Status::Failed).failed(site_error("delete_failed")(fault));
    let skipped = |code, text: String| Outcome::new(site, Status::Skipped).because(code, text);
    if let Some(file) = &site.worker {
        return skipped("worker", format!("`{}` describes a Worker", file.display()));
    }
    let client = context.client.until(Deadline::after(context.args.running.timeout));
    let branch = &context.origin.branch;
    let previews = match client.project(&site.project).await {
        Ok(Some(project)) => previews(&client, &project, branch).await,
        Ok(None) => {
            return skipped("no_project", format!("the Pages project `{}` does not exist", site.project));
        }
        Err(fault) => Err(fault),
    };
    let previews = match previews {
        Ok(previews) => previews,
        Err(fault) => return failed(fault),
    };
    let count = format!("{} of `{branch}`", words::previews(previews.len()));
    if context.args.running.dry_run {
        for one in &previews {
            context.reporter.event(&site.name, &format!("would delete {}", one.url));
        }
        let mut outcome = skipped("dry_run", format!("would delete {count}"));
        outcome.deleted = Some(previews);
        return outcome;
    }
    for one in previews {
        if let Err(fault) = client.delete_deployment(&site.project, &one.id).await {
            let text = format!("deployment {} could not be deleted, after {} others", one.id, deleted.borrow().len());
            let mut outcome = failed(fault.context(text));
            outcome.deleted = Some(deleted.take());
            return outcome;
        }
        context.reporter.progress().show(&site.name, &format!("deleted {}", one.url));
        deleted.borrow_mut().push(one);
    }
    context.reporter.event(&site.name, &format!("deleted {count}"));
    let mut outcome = Outcome::new(site, Status::Passed);
    outcome.deleted = Some(deleted.take());
    outcome
}

/// The previews to delete. The production branch is refused, and what production serves is never in the list.
async fn previews(client: &PagesClient, project: &Project, branch: &str) -> Result<Vec<Deployment>> {
    if project.production_branch.as_deref() == Some(branch) {
        return Err(Fault::usage(format!(
            "`{branch}` is the production branch of the Pages project `{}`",
            project.name
        ))
        .cause("--delete-previews never deletes deployments of production")
        .help("name the branch of the closed pull request with --branch"));
    }
    let live = project.canonical_deployment.as_ref().map(|live| live.id.clone());
    let previews = client.previews(&project.name, branch).await?;
    Ok(previews.into_iter().filter(|one| live.as_ref() != Some(&one.id)).collect())
}

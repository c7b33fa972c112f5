//! Implements `--atomic`: rolls production back to its previous deployment, unless another run has deployed since.

use fault::{Fault, Kind, Result};
use pages::{Deployment, PagesClient};
use report::{Reason, Status};

use crate::activity::Step;
use crate::context::Context;
use crate::outcome::{Outcome, site_error};
use crate::prepare::Ready;
use crate::sign_in::api_address;

/// A site after its deployment, and whether production may have changed.
pub(crate) struct Published<'a> {
    pub(crate) ready: &'a Ready,
    pub(crate) outcome: Outcome,
    pub(crate) change: ProductionChange,
}

/// Whether visitors of production may see something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProductionChange {
    No,
    /// The deployment is production's, or it is unknown whether it exists.
    Maybe,
}

/// Rolls production back to what it served before, and records the result in the site's outcome.
pub(crate) async fn rollback_site(context: &Context<'_>, client: &PagesClient, one: &mut Published<'_>) {
    if one.change == ProductionChange::No {
        return;
    }
    let name = &one.ready.site.name;
    context.activity.begin(name, Step::RollingBack);
    let result = try_to(client, one).await;
    context.activity.end(name);
    match result {
        Ok((code, text)) => {
            if code == "rolled_back" {
                context.reporter.event(name, &text);
            }
            note(one, code, &text);
        }
        Err(fault) => {
            let address = api_address(context.reporter.console().environment());
            let (project, before) = (&one.ready.site.project, before(one).map(|before| before.id.clone()));
            let fault = match before {
                Some(id) => fault
                    .context(format!("`{project}` could not be put back to deployment {id}"))
                    .help(by_hand(address, project, &id)),
                None => fault.context(format!("it is unknown what `{project}` serves: it has nothing to go back to")),
            };
            // The first error is still worth knowing.
            let fault = match &one.outcome.reason {
                Some(reason) => fault.cause(reason.text.clone()),
                None => fault,
            };
            one.outcome = one.outcome.clone().failed(site_error("roll_back_failed")(fault));
        }
    }
}

fn before<'a>(one: &Published<'a>) -> Option<&'a Deployment> {
    one.ready.project.as_ref().and_then(|project| project.canonical_deployment.as_ref())
}

async fn try_to(client: &PagesClient, one: &Published<'_>) -> Result<(&'static str, String)> {
    let project = &one.ready.site.project;
    let now = serves(client, project).await?;
    let is_ours = now.as_ref().is_some_and(|now| match &one.outcome.deployment {
        Some(ours) => ours.id == now.id,
        // The answer to its creation was lost, so the commit has to decide.
        None => one.ready.release.made(now),
    });
    let id = |deployment: &Deployment| deployment.id.clone();
    Ok(match decide(before(one).map(id), now.as_ref().map(id), is_ours) {
        Move::None(serving) => ("not_switched", not_switched(one, serving.as_deref())),
        Move::NotOurs(id) => ("not_ours", format!("production serves deployment {id}, which this run did not make")),
        Move::Impossible => {
            let text =
                "its first deployment cannot be rolled back, and production serves it: there is nothing before it";
            ("cannot_roll_back", text.to_owned())
        }
        Move::Back(id) => {
            roll_back(client, project, &id).await?;
            ("rolled_back", format!("rolled back: production serves deployment {id} as before"))
        }
    })
}

/// What to do about production.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Move {
    /// Nothing: it serves what it served before.
    None(Option<String>),
    /// Nothing: another run deployed after ours.
    NotOurs(String),
    /// Nothing: ours is the first deployment.
    Impossible,
    /// A rollback to this deployment.
    Back(String),
}

fn decide(before: Option<String>, now: Option<String>, is_ours: bool) -> Move {
    match (before, now) {
        (before, now) if before == now => Move::None(before),
        (_, Some(now)) if !is_ours => Move::NotOurs(now),
        (Some(before), _) => Move::Back(before),
        (None, _) => Move::Impossible,
    }
}

/// Production is unchanged; a deployment that has not ended may still change it.
fn not_switched(one: &Published<'_>, serving: Option<&str>) -> String {
    let text = serving.map_or_else(
        || "production serves nothing, as before".to_owned(),
        |id| format!("production still serves deployment {id}"),
    );
    let outcome = &one.outcome;
    let is_open = match &outcome.error {
        Some(error) => matches!(error.fault.kind, Kind::Incomplete | Kind::Temporary),
        None => true,
    };
    match &outcome.deployment {
        Some(ours) if is_open => format!("{text}; deployment {} may still go live", ours.id),
        _ => text,
    }
}

/// Rolls back, and checks that production serves that deployment.
async fn roll_back(client: &PagesClient, project: &str, id: &str) -> Result<()> {
    client.roll_back(project, id).await?;
    match serves(client, project).await? {
        Some(now) if now.id == id => Ok(()),
        Some(other) => Err(Fault::failed(format!("production serves deployment {}", other.id))),
        None => Err(Fault::failed("production serves no deployment")),
    }
}

/// The deployment that production serves.
async fn serves(client: &PagesClient, project: &str) -> Result<Option<Deployment>> {
    Ok(client.project(project).await?.and_then(|project| project.canonical_deployment))
}

/// A command that makes the failed call. The token stays out of curl's arguments, which every user of the machine can read.
fn by_hand(address: &str, project: &str, id: &str) -> String {
    format!(
        "put it back by hand: printf 'Authorization: Bearer %s' \"$CLOUDFLARE_API_TOKEN\" | curl -fX POST -H @- \
         \"{address}/accounts/$CLOUDFLARE_ACCOUNT_ID/pages/projects/{project}/deployments/{id}/rollback\""
    )
}

/// Records the rollback in the site's outcome. A site that deployed successfully becomes `cancelled`, or `failed` if it could not be
/// rolled back; a site that had already failed keeps its own error.
fn note(one: &mut Published<'_>, code: &str, text: &str) {
    if let Some(reason) = &mut one.outcome.reason {
        reason.text = format!("{}; {text}", reason.text);
    } else {
        one.outcome.status = if code == "cannot_roll_back" { Status::Failed } else { Status::Cancelled };
        one.outcome.reason = Some(Reason::new(code, text));
    }
}

#[cfg(test)]
mod tests {
    use super::{Move, decide};

    #[test]
    fn only_what_is_ours_is_rolled_back_and_only_to_what_was_live_before() {
        let id = |id: &str| Some(id.to_owned());
        assert_eq!(decide(id("a"), id("a"), false), Move::None(id("a")));
        assert_eq!(decide(None, None, false), Move::None(None));
        assert_eq!(decide(id("a"), id("ours"), true), Move::Back("a".to_owned()));
        assert_eq!(decide(id("a"), id("theirs"), false), Move::NotOurs("theirs".to_owned()));
        assert_eq!(decide(None, id("theirs"), false), Move::NotOurs("theirs".to_owned()));
        assert_eq!(decide(None, id("ours"), true), Move::Impossible);
        assert_eq!(decide(id("a"), None, false), Move::Back("a".to_owned()));
    }
}

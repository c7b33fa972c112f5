//! GitHub deployments: one for each check that made something that can be visited.

use github::{DeploymentStatus, Error, GitHub, NewDeployment};
use report::{Report, Status};
use url::Url;

use super::event::{Pull, Target};

/// GitHub takes so many characters of a description.
const DESCRIPTION: usize = 140;
/// GitHub takes so many characters of an environment's name.
const ENVIRONMENT: usize = 255;

/// A deployment and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) deployment: NewDeployment,
    pub(super) end: DeploymentStatus,
}

/// The deployments of a report: in the order of its checks. A check that was left out deployed nothing.
pub(super) fn plan(report: &Report, commit: &str, target: &Target, prefix: &str, writer: &str) -> Vec<Planned> {
    let is_transient = !matches!(target.pull, Pull::Absent(_));
    let with_url = report.checks().filter_map(|(_, check)| Some((check, check.url.as_deref()?)));
    let planned = with_url.filter_map(|(check, url)| {
        let state = match check.status {
            Status::Passed => "success",
            Status::Failed => "failure",
            Status::Cancelled | Status::Missing => "error",
            Status::Skipped => return None,
        };
        let description = if check.status == Status::Passed { check.name().to_owned() } else { check.why() };
        let environment = cut(&format!("{prefix}{}", check.id), ENVIRONMENT);
        Some(Planned {
            deployment: NewDeployment {
                commit: commit.to_owned(),
                description: cut(check.name(), DESCRIPTION),
                auto_merge: false,
                required_contexts: Vec::new(),
                transient_environment: is_transient,
                payload: format!("preflight-report {writer} {environment}"),
                environment,
            },
            end: DeploymentStatus {
                state,
                environment_url: web(url),
                log_url: report.source.run_url.clone(),
                description: cut(&description, DESCRIPTION),
            },
        })
    });
    planned.collect()
}

/// The address, if it is one of the web: GitHub shows it as a link.
fn web(url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())?;
    (url.username().is_empty() && url.password().is_none()).then(|| url.to_string())
}

/// Creates a deployment and leads it to its end.
///
/// # Errors
/// A call failed. A deployment that was created is ended as `error` then, if that is possible.
pub(super) async fn publish(github: &GitHub, planned: &Planned) -> Result<(), Error> {
    let wanted = &planned.deployment;
    let mut created = github.create_deployment(wanted).await;
    if let Err(Error::Lost(_)) = created {
        let there = github.deployments(&wanted.commit, &wanted.environment).await?;
        created = match there.into_iter().find(|one| one.has_payload(&wanted.payload)) {
            Some(deployment) => Ok(deployment),
            None => github.create_deployment(wanted).await,
        };
    }
    let id = created?.id;
    let begin = DeploymentStatus {
        state: "in_progress",
        environment_url: None,
        log_url: planned.end.log_url.clone(),
        description: wanted.description.clone(),
    };
    let first = github.set_deployment_status(id, &begin).await;
    let ended = github.set_deployment_status(id, &planned.end).await;
    if let Err(error) = ended {
        // One that stays in progress would look like a deployment that is still running.
        let aborted = DeploymentStatus { state: "error", environment_url: None, ..begin };
        let _ = github.set_deployment_status(id, &aborted).await;
        return Err(error);
    }
    first
}

fn cut(text: &str, limit: usize) -> String {
    let line: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    if line.chars().count() <= limit { line } else { line.chars().take(limit - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use report::{Record, Report};

    use super::{plan, web};
    use crate::publish::event::{Pull, Target};

    fn report() -> Report {
        let lines = [
            r#"{"v":1,"event":"run_started","plan":["sites/shop","sites/docs","sites/blog","sites/none","sites/off"]}"#,
            r#"{"v":1,"event":"check_finished","check":"sites/shop","status":"passed","url":"https://shop.pages.dev"}"#,
            r#"{"v":1,"event":"check_finished","check":"sites/docs","status":"failed","url":"https://docs.pages.dev","reason":{"code":"probe","text":"answers 500"}}"#,
            r#"{"v":1,"event":"check_finished","check":"sites/blog","status":"passed","url":"javascript:alert(1)"}"#,
            r#"{"v":1,"event":"check_finished","check":"sites/none","status":"passed"}"#,
            r#"{"v":1,"event":"check_finished","check":"sites/off","status":"skipped","url":"https://off.pages.dev"}"#,
            r#"{"v":1,"event":"run_finished","result":"failed"}"#,
        ];
        Report::of(&lines.map(|line| Record::parse(line).unwrap()))
    }

    #[test]
    fn each_check_with_an_address_is_one_deployment_that_ends_as_the_check_did() {
        let target = Target { pull: Pull::Number(7), ..Target::default() };
        let planned = plan(&report(), "abc", &target, "preview/", "w");
        let seen: Vec<_> = planned
            .iter()
            .map(|one| (one.deployment.environment.as_str(), one.end.state, one.end.environment_url.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [
                ("preview/sites/shop", "success", Some("https://shop.pages.dev/")),
                ("preview/sites/docs", "failure", Some("https://docs.pages.dev/")),
                ("preview/sites/blog", "success", None),
            ]
        );
        assert_eq!(planned[1].end.description, "answers 500");
        assert!(planned.iter().all(|one| one.deployment.transient_environment && !one.deployment.auto_merge));
        assert!(!plan(&report(), "abc", &Target::default(), "", "w")[0].deployment.transient_environment);
    }

    #[test]
    fn only_web_addresses_without_credentials_are_sent() {
        assert_eq!(web("http://127.0.0.1:80/a b").as_deref(), Some("http://127.0.0.1/a%20b"));
        for url in ["ftp://x", "javascript:alert(1)", "//x", "https://", "https://user:secret@x.dev", "x"] {
            assert_eq!(web(url), None, "{url}");
        }
    }
}

//! Signing in to Pulumi Cloud: its address and the token.

use std::path::PathBuf;

use api::Base;
use fault::{Fault, Result};
use runner::oidc::IdTokenRequest;
use runner::{Environment, HomeRule};
use secrecy::SecretString;
use stack::pulumi::oidc::{self, TokenOwner};
use stack::pulumi::project::StackReference;
use stack::pulumi::pulumi_cloud::{PulumiClient, StackName};
use stack::pulumi::saved_logins::{PUBLIC, SavedLogins};

use crate::sign_in::Session;

const TOKEN: &str = "PULUMI_ACCESS_TOKEN";

/// `PULUMI_HOME`, else `~/.pulumi`.
pub(crate) fn home(environment: &Environment) -> Option<PathBuf> {
    let home = || Some(environment.home(HomeRule::PasswdFirst)?.join(".pulumi"));
    environment.get("PULUMI_HOME").map(PathBuf::from).or_else(home)
}

/// The logins that `pulumi login` stored.
pub(crate) fn account(environment: &Environment) -> SavedLogins {
    let folder = environment.get("PULUMI_CREDENTIALS_PATH").map(PathBuf::from).or_else(|| home(environment));
    SavedLogins::read(folder.as_deref())
}

/// The service's address if neither the arguments, the project nor `pulumi login` name one.
pub(crate) fn address(environment: &Environment) -> String {
    environment.get("PULUMI_API").unwrap_or(PUBLIC).trim_end_matches('/').to_owned()
}

/// Signs in to the service at `url`, for a stack of `organization` if that is known.
pub(crate) async fn sign_in(url: &str, organization: Option<&str>, session: Session<'_>) -> Result<PulumiClient> {
    let base: Base = url.parse()?;
    let token = session.issued(token(url, organization, session).await?);
    PulumiClient::new(base, token, session.deadline)
}

/// The variable, then the login that `pulumi login` stored for that address, then Doppler, then a token exchanged for this job's
/// OIDC token.
async fn token(url: &str, organization: Option<&str>, session: Session<'_>) -> Result<SecretString> {
    let (args, environment) = (session.args, session.environment());
    if environment.get(TOKEN).is_none()
        && let Some(token) = account(environment).token(url)?
    {
        return Ok(token);
    }
    if let Some(found) = session.find(&[TOKEN]).await?.pop() {
        return Ok(found.value);
    }
    let missing = session.missing(TOKEN);
    let Some(organization) = args.source.oidc_org.as_deref().or(organization) else {
        return Err(match IdTokenRequest::of(environment, None) {
            None => missing,
            Some(_) => missing
                .cause("the job's OIDC token can be exchanged for one, but only with the organization's name")
                .help("write the stack as organization/project/stack, or add --oidc-org"),
        });
    };
    match IdTokenRequest::of(environment, Some(&oidc::audience(organization))) {
        Some(request) => exchanged(url, organization, &request, session).await,
        None if session.console.context().in_actions => Err(missing
            .cause("the job has no OIDC token to exchange for one either: it needs `permissions: id-token: write`")),
        None => Err(missing),
    }
}

/// An access token in exchange for this job's OIDC token. The service that receives the OIDC token could exchange it elsewhere, so
/// it is not sent to an address that only a file of the project names.
async fn exchanged(
    url: &str,
    organization: &str,
    request: &IdTokenRequest,
    session: Session<'_>,
) -> Result<SecretString> {
    let (source, environment) = (&session.args.source, session.environment());
    if url != PUBLIC && source.backend.as_deref() != Some(url) && address(environment) != url {
        return Err(Fault::permission(format!("this job's OIDC token is not sent to {url}"))
            .cause("only the project's file names that address")
            .help("set PULUMI_BACKEND_URL to it if it is yours"));
    }
    let owner = match (&source.oidc_team, &source.oidc_user) {
        (Some(team), _) => TokenOwner::Team(team.clone()),
        (None, Some(user)) => TokenOwner::User(user.clone()),
        (None, None) => TokenOwner::Organization,
    };
    let identity = session.identity_token(request).await?;
    oidc::exchange(url.parse()?, organization, &owner, &identity, session.deadline).await
}

/// The organization of a stack: named with it, in a variable or in Pulumi's configuration.
pub(crate) fn organization(reference: &StackReference, url: &str, environment: &Environment) -> Option<String> {
    let given = reference.organization.as_deref().or_else(|| environment.get("PULUMI_DEFAULT_ORGANIZATION"));
    given.map(str::to_owned).or_else(|| account(environment).organization(url).map(str::to_owned))
}

/// A stack's full name; without an organization it belongs to the token's owner.
pub(crate) async fn name(
    reference: &StackReference,
    project: Option<&str>,
    organization: Option<String>,
    cloud: &PulumiClient,
) -> Result<StackName> {
    let project = reference.project.as_deref().or(project).ok_or_else(|| {
        Fault::usage(format!("the project of the stack `{}` is not known", reference.stack))
            .cause("there is no Pulumi.yaml here or above")
            .help("add --cwd, or write the stack as organization/project/stack")
    })?;
    let organization = match organization {
        Some(organization) => organization,
        None => cloud.user().await?,
    };
    StackName::new(&organization, project, &reference.stack)
}

/// The address to ask to decrypt secrets that the service at `encrypted_by` encrypted, as the state claims. A state could name any
/// address, so the token is sent only to one that this run or `pulumi login` knows.
pub(crate) fn decrypter(encrypted_by: &str, read_from: Option<&str>, environment: &Environment) -> Result<String> {
    let encrypted_by = encrypted_by.trim_end_matches('/');
    let configured = read_from.map_or_else(|| address(environment), str::to_owned);
    if encrypted_by == PUBLIC || encrypted_by == configured {
        return Ok(configured);
    }
    if account(environment).token(encrypted_by)?.is_some() && environment.get(TOKEN).is_none() {
        return Ok(encrypted_by.to_owned());
    }
    Err(Fault::permission(format!(
        "the token is not sent to {encrypted_by}, which the state names as its secrets provider"
    ))
    .help("set PULUMI_API to that address if it is yours"))
}

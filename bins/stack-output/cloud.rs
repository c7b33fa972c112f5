//! Pulumi Cloud as this run reaches it: which address, with whose token.

use std::path::PathBuf;

use api::{Base, Deadline};
use cli::Console;
use credentials::Credentials;
use fault::{Fault, Result};
use runner::Environment;
use runner::oidc::IdTokenRequest;
use secrecy::{ExposeSecret as _, SecretString};
use stack::pulumi::account::{Account, PUBLIC};
use stack::pulumi::cloud::{Cloud, Name};
use stack::pulumi::oidc::{self, Owner};
use stack::pulumi::project::Reference;

use crate::args::Args;

const TOKEN: &str = "PULUMI_ACCESS_TOKEN";

/// `~/.pulumi`, or where `PULUMI_HOME` has it.
pub(crate) fn home(environment: &Environment) -> Option<PathBuf> {
    let home = || Some(PathBuf::from(environment.get("HOME")?).join(".pulumi"));
    environment.get("PULUMI_HOME").map(PathBuf::from).or_else(home)
}

/// What `pulumi login` left.
pub(crate) fn account(environment: &Environment) -> Account {
    let folder = environment.get("PULUMI_CREDENTIALS_PATH").map(PathBuf::from).or_else(|| home(environment));
    Account::read(folder.as_deref())
}

/// The service's address where nothing else says so.
pub(crate) fn address(environment: &Environment) -> String {
    environment.get("PULUMI_API").unwrap_or(PUBLIC).trim_end_matches('/').to_owned()
}

/// Signs in to the service at `url`, for a stack of `organization` where that is known.
pub(crate) async fn sign_in(url: &str, organization: Option<&str>, args: &Args, console: &Console) -> Result<Cloud> {
    let base: Base = url.parse()?;
    let deadline = Deadline::after(args.source.deadline);
    let token = token(url, organization, args, deadline, console).await?;
    // Exposed to be masked, wherever it came from.
    console.mask(&[token.expose_secret().to_owned()]);
    Cloud::new(base, token, deadline)
}

/// The variable, then what `pulumi login` left for that address, then Doppler, then one in return for this job's identity.
async fn token(
    url: &str,
    organization: Option<&str>,
    args: &Args,
    deadline: Deadline,
    console: &Console,
) -> Result<SecretString> {
    let environment = console.environment();
    let credentials = Credentials::new(environment, deadline);
    let mask = |values: &[String]| console.mask(values);
    if environment.get(TOKEN).is_none()
        && let Some(token) = account(environment).token(url)?
    {
        return Ok(token);
    }
    if let Some(found) = credentials.find(TOKEN, &mask).await? {
        return Ok(found.value);
    }
    let missing = credentials.missing(TOKEN);
    let Some(organization) = args.source.oidc_org.as_deref().or(organization) else {
        return Err(match IdTokenRequest::of(environment, None) {
            None => missing,
            Some(_) => missing
                .cause("the job's OIDC identity can be traded for one, but not without the organization's name")
                .help("write the stack as organization/project/stack, or add --oidc-org"),
        });
    };
    match IdTokenRequest::of(environment, Some(&oidc::audience(organization))) {
        Some(request) => traded(url, organization, &request, args, deadline, console).await,
        None if console.context().in_actions => {
            Err(missing.cause("nor has the job an OIDC identity to trade for one: `permissions: id-token: write`"))
        }
        None => Err(missing),
    }
}

/// A token in return for this job's identity. Whoever holds the identity can trade it too, so that it goes to no address that only
/// a file of the project names.
async fn traded(
    url: &str,
    organization: &str,
    request: &IdTokenRequest,
    args: &Args,
    deadline: Deadline,
    console: &Console,
) -> Result<SecretString> {
    let (source, environment) = (&args.source, console.environment());
    if url != PUBLIC && source.backend.as_deref() != Some(url) && address(environment) != url {
        return Err(Fault::permission(format!("this job's OIDC identity is not sent to {url}"))
            .cause("only the project's file names that address")
            .help("set PULUMI_BACKEND_URL to it if it is yours"));
    }
    let owner = match (&source.oidc_team, &source.oidc_user) {
        (Some(team), _) => Owner::Team(team.clone()),
        (None, Some(user)) => Owner::User(user.clone()),
        (None, None) => Owner::Organization,
    };
    let identity = credentials::identity_token(request, deadline).await?;
    // Exposed to be masked.
    console.mask(&[identity.expose_secret().to_owned()]);
    oidc::exchange(url.parse()?, organization, &owner, &identity, deadline).await
}

/// The organization of a stack: named with it, in a variable or in Pulumi's configuration.
pub(crate) fn organization(reference: &Reference, url: &str, environment: &Environment) -> Option<String> {
    let given = reference.organization.as_deref().or_else(|| environment.get("PULUMI_DEFAULT_ORGANIZATION"));
    given.map(str::to_owned).or_else(|| account(environment).organization(url).map(str::to_owned))
}

/// A stack's full name; without an organization it belongs to the token's owner.
pub(crate) async fn name(
    reference: &Reference,
    project: Option<&str>,
    organization: Option<String>,
    cloud: &Cloud,
) -> Result<Name> {
    let project = reference.project.as_deref().or(project).ok_or_else(|| {
        Fault::usage(format!("which project's stack `{}` is meant is not known", reference.stack))
            .cause("there is no Pulumi.yaml here or above")
            .help("add --cwd, or write the stack as organization/project/stack")
    })?;
    let organization = match organization {
        Some(organization) => organization,
        None => cloud.user().await?,
    };
    Name::new(&organization, project, &reference.stack)
}

/// The address that may be asked to open secrets which the service at `sealed_by` sealed, as the state says. A state is not
/// trusted with the token: only addresses that this run or `pulumi login` knows are asked.
pub(crate) fn unsealer(sealed_by: &str, read_from: Option<&str>, environment: &Environment) -> Result<String> {
    let sealed_by = sealed_by.trim_end_matches('/');
    let configured = read_from.map_or_else(|| address(environment), str::to_owned);
    if sealed_by == PUBLIC || sealed_by == configured {
        return Ok(configured);
    }
    if account(environment).token(sealed_by)?.is_some() && environment.get(TOKEN).is_none() {
        return Ok(sealed_by.to_owned());
    }
    Err(Fault::permission(format!(
        "the token is not sent to {sealed_by}, which the state names as its secrets provider"
    ))
    .help("set PULUMI_API to that address if it is yours"))
}

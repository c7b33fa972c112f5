//! Pulumi Cloud as this run reaches it: which address, with whose token.

use std::path::PathBuf;

use api::{Base, Deadline};
use cli::Console;
use credentials::Credentials;
use fault::{Fault, Result};
use runner::Environment;
use secrecy::{ExposeSecret as _, SecretString};
use stack::pulumi::account::{Account, PUBLIC};
use stack::pulumi::cloud::{Cloud, Name};
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

/// Signs in to the service at `url`.
pub(crate) async fn sign_in(url: &str, args: &Args, console: &Console) -> Result<Cloud> {
    let base: Base = url.parse()?;
    let deadline = Deadline::after(args.source.deadline);
    Cloud::new(base, token(url, deadline, console).await?, deadline)
}

/// The variable, then what `pulumi login` left for that address, then Doppler.
async fn token(url: &str, deadline: Deadline, console: &Console) -> Result<SecretString> {
    let environment = console.environment();
    let credentials = Credentials::new(environment, deadline);
    let mask = |values: &[String]| console.mask(values);
    if environment.get(TOKEN).is_none()
        && let Some(token) = account(environment).token(url)?
    {
        // Exposed to be masked.
        console.mask(&[token.expose_secret().to_owned()]);
        return Ok(token);
    }
    Ok(credentials.require(TOKEN, &mask).await?.value)
}

/// A stack's full name: the organization may come from a variable, from Pulumi's configuration or from the token's owner.
pub(crate) async fn name(
    reference: &Reference,
    project: Option<&str>,
    url: &str,
    cloud: &Cloud,
    environment: &Environment,
) -> Result<Name> {
    let project = reference.project.as_deref().or(project).ok_or_else(|| {
        Fault::usage(format!("which project's stack `{}` is meant is not known", reference.stack))
            .cause("there is no Pulumi.yaml here or above")
            .help("add --cwd, or write the stack as organization/project/stack")
    })?;
    let account = account(environment);
    let given = reference.organization.as_deref().or_else(|| environment.get("PULUMI_DEFAULT_ORGANIZATION"));
    let organization = match given.or_else(|| account.organization(url)) {
        Some(organization) => organization.to_owned(),
        None => cloud.user().await?,
    };
    Ok(Name { organization, project: project.to_owned(), stack: reference.stack.clone() })
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

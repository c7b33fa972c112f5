//! Key services as this run reaches them: which address, with whose credentials.

use api::{Base, Deadline};
use cli::Console;
use credentials::Credentials;
use fault::{Fault, Result};
use secrecy::SecretString;
use stack::pulumi::key::Key;
use stack::pulumi::key_service::{Service, unwrap_by_aws, unwrap_by_google, unwrap_by_vault};

use crate::args::Args;
use crate::aws;

/// Unwraps a stack's data key.
pub(crate) async fn unwrap(service: &Service, encrypted_key: &str, args: &Args, console: &Console) -> Result<Key> {
    let environment = console.environment();
    let deadline = Deadline::after(args.source.deadline);
    let variable = |names: &[&str]| names.iter().find_map(|name| environment.get(name)).map(str::to_owned);
    match service {
        Service::Aws { region, context } => {
            let (key, found) = aws::key_and_region(None, deadline, console).await?;
            let region = region.clone().unwrap_or(found);
            let base = variable(&["AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL"]);
            let base: Base = base.unwrap_or_else(|| format!("https://kms.{region}.amazonaws.com")).parse()?;
            unwrap_by_aws(base, &region, context, encrypted_key, &key, deadline).await
        }
        Service::Google { name, additional } => {
            let base = variable(&["CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"]);
            let base: Base = base.unwrap_or_else(|| "https://cloudkms.googleapis.com".to_owned()).parse()?;
            let token = credential(&["GOOGLE_OAUTH_ACCESS_TOKEN"], deadline, console).await?;
            unwrap_by_google(base, name, additional.as_deref(), encrypted_key, &token, deadline).await
        }
        Service::Vault { key, engine } => {
            let base: Base = variable(&["VAULT_SERVER_URL", "VAULT_ADDR"])
                .ok_or_else(|| {
                    Fault::permission("the stack's secrets are encrypted with Vault, whose address is missing")
                        .help("set VAULT_ADDR")
                })?
                .parse()?;
            let token = credential(&["VAULT_SERVER_TOKEN", "VAULT_TOKEN"], deadline, console).await?;
            unwrap_by_vault(base, engine, key, encrypted_key, &token, deadline).await
        }
    }
}

/// The first of `names` that there is.
async fn credential(names: &[&str], deadline: Deadline, console: &Console) -> Result<SecretString> {
    let credentials = Credentials::new(console.environment(), deadline);
    let mask = |values: &[String]| console.mask(values);
    match credentials.find_all(names, &mask).await?.into_iter().next() {
        Some(found) => Ok(found.value),
        None => Err(credentials.missing(names.last().copied().unwrap_or_default())),
    }
}

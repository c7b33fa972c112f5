//! The cloud key services that wrap a stack's data key: their addresses and credentials.

use api::Base;
use clouds::aws::sts::Role;
use clouds::google::KMS;
use fault::{Fault, Result};
use secrecy::SecretString;
use stack::pulumi::key::Key;
use stack::pulumi::key_service::{
    KeyService, unwrap_by_aws, unwrap_by_azure, unwrap_by_google, unwrap_by_vault, vault_cloud,
};

use crate::sign_in::{Session, Support, aws, azure, google};

/// Unwraps a stack's data key.
pub(crate) async fn unwrap(service: &KeyService, encrypted_key: &str, session: Session<'_>) -> Result<Support<Key>> {
    let deadline = session.deadline;
    let key = match service {
        KeyService::Aws { region, profile, role, context } => {
            let role = role.clone().map(|arn| Role { arn, ..Role::default() });
            let (region, profile) = (region.clone(), profile.clone());
            let config = aws::CredentialConfig { region, profile, role, ..aws::CredentialConfig::default() };
            let caller = match aws::caller(config, session).await? {
                Support::Native(caller) => caller,
                Support::NeedsProgram(fault) => return Ok(Support::NeedsProgram(fault)),
            };
            let region = &caller.endpoints.region;
            let usual = || format!("https://kms.{region}.{}", clouds::aws::suffix(region));
            let base: Base = caller.endpoints.endpoint("KMS", session).unwrap_or_else(usual).parse()?;
            unwrap_by_aws(base, region, context, encrypted_key, &caller.key, deadline).await?
        }
        KeyService::Google { name, additional } => {
            let given = session.variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS");
            let base: Base = given.unwrap_or("https://cloudkms.googleapis.com").parse()?;
            let caller = google::caller(&google::CredentialConfig::PULUMI, KMS, session).await?;
            let unwrapped =
                unwrap_by_google(base, name, additional.as_deref(), encrypted_key, &caller.token, deadline).await;
            unwrapped.map_err(|fault| fault.cause(format!("asked as {}", caller.who)))?
        }
        KeyService::Azure { vault, key, algorithm } => {
            let base: Base = format!("https://{vault}").parse()?;
            let domain = vault_cloud(vault).unwrap_or_default().vaults();
            let (token, who) = match azure::vault_token(&format!("https://{domain}"), session).await? {
                Support::Native(caller) => caller,
                Support::NeedsProgram(fault) => return Ok(Support::NeedsProgram(fault)),
            };
            let unwrapped = unwrap_by_azure(base, key, algorithm, encrypted_key, &token, deadline).await;
            unwrapped.map_err(|fault| fault.cause(format!("asked as {who}")))?
        }
        KeyService::Vault { key, engine } => {
            let base: Base = session
                .first(&["VAULT_SERVER_URL", "VAULT_ADDR"])
                .ok_or_else(|| {
                    Fault::permission("the stack's secrets are encrypted with Vault, but its address is not set")
                        .help("set VAULT_ADDR")
                })?
                .parse()?;
            let token = vault_credential(session).await?;
            unwrap_by_vault(base, engine, key, encrypted_key, &token, deadline).await?
        }
    };
    Ok(Support::Native(key))
}

async fn vault_credential(session: Session<'_>) -> Result<SecretString> {
    let found = session.find(&["VAULT_SERVER_TOKEN", "VAULT_TOKEN"]).await?;
    found.into_iter().next().map(|found| found.value).ok_or_else(|| session.missing("VAULT_TOKEN"))
}

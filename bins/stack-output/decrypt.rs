//! Decrypts the secrets to print, with the key of the stack's secrets provider.

use std::collections::{BTreeMap, BTreeSet};

use fault::{Fault, Result};
use secrecy::SecretString;
use stack::pulumi::key::Key;
use stack::pulumi::key_service::KeyService;
use stack::pulumi::pulumi_cloud::StackName;
use stack::pulumi::secrets_provider::SecretsProvider;
use stack::terraform::remote::Remote;

use crate::choose::{self, Request};
use crate::cli_fallback::{self, Reason};
use crate::key_services;
use crate::loaded::{Origin, Stack};
use crate::locate::StateLocation;
use crate::sign_in::{Session, Support, pulumi_cloud};

/// Decrypts the encrypted values among those to print. Without any, no key is derived and nothing is fetched.
pub(crate) async fn secrets(
    stack: &mut Stack,
    request: &Request,
    location: &StateLocation,
    session: Session<'_>,
) -> Result<()> {
    let encrypted = choose::encrypted(stack, request, session.args)?;
    if encrypted.is_empty() {
        return Ok(());
    }
    match plaintexts(stack, &encrypted, session).await? {
        Support::Native(plaintexts) => stack.outputs.decrypt(|ciphertext| Ok(plaintexts.get(ciphertext).cloned())),
        Support::NeedsProgram(fault) => by_program(stack, &fault, location, session).await,
    }
}

async fn plaintexts(stack: &Stack, encrypted: &BTreeSet<String>, session: Session<'_>) -> Result<Support<Plaintexts>> {
    if let Origin::Remote(remote) = &stack.origin {
        return by_remote(remote, encrypted).await.map(Support::Native);
    }
    match &stack.outputs.provider {
        Some(SecretsProvider::Passphrase { salt }) => {
            let passphrase = passphrase(session).await?;
            let key = Key::derive(&passphrase.text, salt).map_err(|fault| {
                fault.help(passphrase.advice).context(format!("cannot decrypt the secrets of {}", stack.name))
            })?;
            with_key(&key, encrypted).map(Support::Native)
        }
        Some(SecretsProvider::Service { url, owner, project, stack: name }) => {
            let name = StackName::new(owner, project, name)?;
            by_service(stack, url, &name, encrypted, session).await.map(Support::Native)
        }
        Some(SecretsProvider::KeyService { url, encrypted_key }) => {
            let Some(service) = KeyService::from_url(url) else {
                let scheme = url.split_once("://").map_or("a key service", |(scheme, _)| scheme);
                return Ok(Support::NeedsProgram(unsupported(stack, scheme)));
            };
            match key_services::unwrap(&service, encrypted_key, session).await? {
                Support::Native(key) => with_key(&key, encrypted).map(Support::Native),
                Support::NeedsProgram(fault) => Ok(Support::NeedsProgram(fault)),
            }
        }
        Some(SecretsProvider::Other(name)) => Ok(Support::NeedsProgram(unsupported(stack, name))),
        None => Err(Fault::usage(format!("{} holds secrets but does not name its secrets provider", stack.name))
            .help("read it with the `pulumi` program")),
    }
}

/// Plaintexts by ciphertext.
type Plaintexts = BTreeMap<String, Vec<u8>>;

fn with_key(key: &Key, encrypted: &BTreeSet<String>) -> Result<Plaintexts> {
    let plaintexts = encrypted.iter().map(|ciphertext| Ok((ciphertext.clone(), key.decrypt(ciphertext)?)));
    plaintexts.collect::<Result<_>>().map_err(|fault| fault.context("cannot decrypt a secret of the stack"))
}

async fn by_service(
    stack: &Stack,
    url: &str,
    name: &StackName,
    encrypted: &BTreeSet<String>,
    session: Session<'_>,
) -> Result<Plaintexts> {
    let (read_from, read_name) = match &stack.origin {
        Origin::Cloud(url, name) => (Some(url.as_str()), Some(name)),
        _ => (None, None),
    };
    let url = pulumi_cloud::decrypter(url, read_from, session.environment())?;
    let cloud = pulumi_cloud::sign_in(&url, Some(&name.organization), session).await?;
    let ciphertexts: Vec<String> = encrypted.iter().cloned().collect();
    let plaintexts = cloud.decrypt(name, &ciphertexts).await?;
    if let Some(name) = read_name {
        cloud.log_decryption(name).await;
    }
    Ok(plaintexts)
}

async fn by_remote(remote: &Remote, ids: &BTreeSet<String>) -> Result<Plaintexts> {
    let mut plaintexts = Plaintexts::new();
    for id in ids {
        plaintexts.insert(id.clone(), remote.sensitive(id).await?);
    }
    Ok(plaintexts)
}

/// The pulumi program supports every secrets provider. It is asked if it can find the stack too.
async fn by_program(stack: &mut Stack, fault: &Fault, location: &StateLocation, session: Session<'_>) -> Result<()> {
    let Some((name, directory)) = location.of_pulumi(session.args) else { return Err(fault.clone()) };
    let reason = Reason { fault, directory: &directory };
    stack.outputs = cli_fallback::pulumi(reason, Some(&name), session).await?;
    Ok(())
}

fn unsupported(stack: &Stack, provider: &str) -> Fault {
    Fault::permission(format!("cannot decrypt the secrets of {}", stack.name))
        .cause(format!("they are encrypted with {provider}"))
        .help(
            "pipe the outputs: pulumi stack output --json --show-secrets | stack-output --state - --show-secrets NAME",
        )
}

struct Passphrase {
    text: SecretString,
    /// What to do when it is wrong.
    advice: String,
}

/// In Pulumi's order: the variable, then the file; then Doppler; then the empty passphrase. That one is legal, but is used only if
/// the variable is set to it.
async fn passphrase(session: Session<'_>) -> Result<Passphrase> {
    const NAME: &str = "PULUMI_CONFIG_PASSPHRASE";
    const FILE: &str = "PULUMI_CONFIG_PASSPHRASE_FILE";
    let environment = session.environment();
    if environment.get(NAME).is_none()
        && let Some(file) = environment.get(FILE)
    {
        return Ok(Passphrase {
            text: session.file(file, FILE)?,
            advice: format!("put this stack's passphrase into the file that {FILE} names"),
        });
    }
    if let Some(found) = session.find(&[NAME]).await?.pop() {
        return Ok(Passphrase { text: found.value, advice: format!("set {NAME} to this stack's passphrase") });
    }
    match environment.iter().find(|(name, _)| *name == NAME) {
        Some((_, blank)) => Ok(Passphrase {
            text: blank.to_owned().into(),
            advice: format!("set {NAME}, which is blank, to this stack's passphrase"),
        }),
        None => Err(session.missing(NAME)),
    }
}

//! Opens the secrets that were asked for, with the key of the stack's secrets provider.

use std::collections::{BTreeMap, BTreeSet};

use api::Deadline;
use cli::Console;
use credentials::Credentials;
use fault::{Fault, Result};
use secrecy::SecretString;
use stack::pulumi::cloud::Name;
use stack::pulumi::key::Key;
use stack::pulumi::key_service::Service;
use stack::pulumi::provider::Provider;
use stack::terraform::remote::Remote;

use crate::args::Args;
use crate::choose::{self, Asked};
use crate::cloud;
use crate::gather::{Origin, Stack};
use crate::key_services;
use crate::locate::Place;
use crate::program::{self, Reason};
use crate::session::{Reached, Session};

/// Opens what was asked for and is sealed; nothing is derived or fetched when nothing is.
pub(crate) fn open(stack: &mut Stack, asked: &Asked, place: &Place, args: &Args, console: &Console) -> Result<()> {
    let sealed = choose::sealed(stack, asked, args)?;
    if sealed.is_empty() {
        return Ok(());
    }
    if let Origin::Remote(remote) = &stack.origin {
        let opened = cli::block_on(by_remote(remote, &sealed))??;
        return stack.outputs.open(|id| Ok(opened.get(id).cloned()));
    }
    let opened = match &stack.outputs.provider {
        Some(Provider::Passphrase { salt }) => {
            let passphrase = passphrase(args, console)?;
            let key = Key::derive(&passphrase.text, salt).map_err(|fault| {
                fault.help(passphrase.advice).context(format!("cannot decrypt the secrets of {}", stack.name))
            })?;
            with_key(&key, &sealed)?
        }
        Some(Provider::Service { url, owner, project, stack: name }) => {
            let name = Name::new(owner, project, name)?;
            cli::block_on(by_service(stack, url, &name, &sealed, args, console))??
        }
        Some(Provider::Cloud { url, encrypted_key }) => {
            let Some(service) = Service::of_url(url) else {
                let fault = unreadable(stack, url.split_once("://").map_or("a key service", |(scheme, _)| scheme));
                return by_program(stack, &fault, place, args, console);
            };
            let session = Session::new(args, console);
            match cli::block_on(key_services::unwrap(&service, encrypted_key, session))?? {
                Reached::Here(key) => with_key(&key, &sealed)?,
                Reached::Beyond(fault) => return by_program(stack, &fault, place, args, console),
            }
        }
        Some(Provider::Other(name)) => {
            let fault = unreadable(stack, name);
            return by_program(stack, &fault, place, args, console);
        }
        None => {
            return Err(Fault::usage(format!("{} holds secrets but does not say who encrypted them", stack.name))
                .help("read it with the `pulumi` program"));
        }
    };
    stack.outputs.open(|ciphertext| Ok(opened.get(ciphertext).cloned()))
}

/// Plaintexts by ciphertext.
type Opened = BTreeMap<String, Vec<u8>>;

fn with_key(key: &Key, sealed: &BTreeSet<String>) -> Result<Opened> {
    let opened = sealed.iter().map(|ciphertext| Ok((ciphertext.clone(), key.open(ciphertext)?)));
    opened.collect::<Result<_>>().map_err(|fault| fault.context("cannot decrypt a secret of the stack"))
}

async fn by_service(
    stack: &Stack,
    url: &str,
    name: &Name,
    sealed: &BTreeSet<String>,
    args: &Args,
    console: &Console,
) -> Result<Opened> {
    let (read_from, read_name) = match &stack.origin {
        Origin::Cloud(url, name) => (Some(url.as_str()), Some(name)),
        _ => (None, None),
    };
    let url = cloud::unsealer(url, read_from, console.environment())?;
    let cloud = cloud::sign_in(&url, Some(&name.organization), args, console).await?;
    let ciphertexts: Vec<String> = sealed.iter().cloned().collect();
    let opened = cloud.decrypt(name, &ciphertexts).await?;
    if let Some(name) = read_name {
        cloud.log_decryption(name).await;
    }
    Ok(opened)
}

async fn by_remote(remote: &Remote, ids: &BTreeSet<String>) -> Result<Opened> {
    let mut opened = Opened::new();
    for id in ids {
        opened.insert(id.clone(), remote.sensitive(id).await?);
    }
    Ok(opened)
}

/// The pulumi program knows every secrets provider. It is asked where the stack is one it can find.
fn by_program(stack: &mut Stack, fault: &Fault, place: &Place, args: &Args, console: &Console) -> Result<()> {
    let Some((name, directory)) = place.of_pulumi(args) else { return Err(fault.clone()) };
    let reason = Reason { fault, directory: &directory };
    stack.outputs = cli::block_on(program::pulumi(reason, Some(&name), args, console))??;
    Ok(())
}

fn unreadable(stack: &Stack, provider: &str) -> Fault {
    Fault::permission(format!("cannot open the secrets of {}", stack.name))
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

/// In Pulumi's order: the variable, then the file; then Doppler; then the empty passphrase, which is a legal one, but only where
/// the variable says so.
fn passphrase(args: &Args, console: &Console) -> Result<Passphrase> {
    const NAME: &str = "PULUMI_CONFIG_PASSPHRASE";
    const FILE: &str = "PULUMI_CONFIG_PASSPHRASE_FILE";
    let environment = console.environment();
    if environment.get(NAME).is_none()
        && let Some(file) = environment.get(FILE)
    {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Fault::permission(format!("cannot read the passphrase from {file}")).cause(error.to_string())
        })?;
        let text = text.trim().to_owned();
        console.mask(std::slice::from_ref(&text));
        return Ok(Passphrase {
            text: text.into(),
            advice: format!("put this stack's passphrase into the file that {FILE} names"),
        });
    }
    let credentials = Credentials::new(environment, Deadline::after(args.source.deadline));
    let mask = |values: &[String]| console.mask(values);
    if let Some(found) = cli::block_on(credentials.find(NAME, &mask))?? {
        return Ok(Passphrase { text: found.value, advice: format!("set {NAME} to this stack's passphrase") });
    }
    match environment.iter().find(|(name, _)| *name == NAME) {
        Some((_, blank)) => Ok(Passphrase {
            text: blank.to_owned().into(),
            advice: format!("set {NAME}, which is blank, to this stack's passphrase"),
        }),
        None => Err(credentials.missing(NAME)),
    }
}

//! Reads the secrets: from a file, or from Doppler with one request per config, or from the fallback while Doppler is unreachable.

mod cached;
mod nearest;

use std::io::ErrorKind;

use api::Deadline;
use cli::{Console, Destination};
use credentials::DopplerSession;
use doppler::{ConfigRef, Doppler, Failure, Query};
use fault::{Fault, Kind, Result};
use jiff::Timestamp;
use runner::oidc::IdTokenRequest;
use secrets::Secret;

use self::cached::unconditional;
use crate::args::Args;
use crate::cache::CacheEntry;
use crate::fallback::{Fallback, shown};
use crate::format::Format;
use crate::settings::{Login, Settings};
use crate::{from, local, select, settings};

/// The longest list of names to put into a URL; with a longer one, the whole config is read.
const NAMES_LIMIT: usize = 4_000;

/// The secrets that the arguments ask for, before selection.
pub(crate) fn secrets(args: &Args, console: &Console) -> anyhow::Result<Vec<Secret>> {
    if let Some(file) = &args.source.from {
        return Ok(from::read(file)?);
    }
    let settings = settings(args, console)?;
    let passphrase = console.environment().get("DOPPLER_PASSPHRASE");
    let fallback = args.outage.fallback.as_ref();
    let fallback = fallback.map(|file| Fallback::new(file, args.outage.fallback_max_age, passphrase)).transpose()?;
    let configs = console.block_on(fetch(args, &settings, fallback.is_some(), console))?;
    let place = shown_place(&settings);
    let configs = match (configs, fallback) {
        (Ok(configs), None) => configs,
        (Ok(configs), Some(fallback)) => {
            let secrets = select::merge(configs, args.source.strict)?;
            if let Err(fault) = fallback.store(&secrets, &place, Timestamp::now()) {
                console.warn(&format!("{fault}: {}", fault.causes.join(": ")));
            }
            vec![secrets]
        }
        (Err(failure), Some(fallback)) if failure.is_outage => vec![stand_in(failure, &fallback, &place, console)?],
        (Err(failure), _) => return Err(failure.fault.into()),
    };
    Ok(select::merge(configs, args.source.strict)?)
}

/// Reads the names only, and describes where they are. No value is requested.
pub(crate) fn names(args: &Args, console: &Console) -> anyhow::Result<(String, Vec<String>)> {
    if let Some(file) = &args.source.from {
        let names = from::read(file)?.into_iter().map(|secret| secret.name).collect();
        return Ok((from::shown(file), names));
    }
    let settings = settings(args, console)?;
    let names = console.block_on(async {
        let session = sign_in(args, &settings, args.source.deadline, console).await?;
        let mut names = Vec::new();
        for place in settings.configs() {
            match session.doppler().names(&place).await {
                Ok(found) => names.extend(found),
                Err(failure) => {
                    let failure = nearest::named(failure, session.doppler(), &place).await;
                    sign_out(session, console).await;
                    return Err(failure);
                }
            }
        }
        sign_out(session, console).await;
        Ok::<_, Failure>(names)
    })?;
    Ok((shown_place(&settings), names.map_err(|failure| failure.fault)?))
}

fn shown_place(settings: &Settings) -> String {
    settings.configs().iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// Resolves the settings from arguments, environment and files.
pub(crate) fn settings(args: &Args, console: &Console) -> Result<Settings> {
    let token = args.source.token_file.as_ref().map(|file| {
        std::fs::read_to_string(file).map_err(|error| {
            let kind = match error.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => Kind::Permission,
                // A directory, or bytes that are not UTF-8.
                _ => Kind::Usage,
            };
            Fault::new(kind, format!("cannot read the token in {}", file.display())).cause(error.to_string())
        })
    });
    settings::resolve(&args.source, token.transpose()?, console.environment(), &local::read(console.environment()))
}

fn stand_in(failure: Failure, fallback: &Fallback, place: &str, console: &Console) -> Result<Vec<Secret>> {
    match fallback.find(place, Timestamp::now()) {
        Ok(found) => {
            console.warn(&format!("Doppler is unreachable; using the encrypted copy from {} ago", shown(found.age)));
            Ok(found.secrets)
        }
        Err(missing) => {
            let mut fault = failure.fault;
            fault.causes.extend(missing.causes);
            Err(fault)
        }
    }
}

/// The secrets of each config, in order.
async fn fetch(args: &Args, settings: &Settings, whole: bool, console: &Console) -> Result<Vec<Vec<Secret>>, Failure> {
    let deadline = args.source.deadline;
    let session = sign_in(args, settings, deadline, console).await?;
    let mut configs = Vec::new();
    for place in settings.configs() {
        let secrets = match cache_entry(args, settings, &session, &place, console) {
            Some(entry) => cached::read(session.doppler(), &place, &entry, deadline).await,
            None => read(args, session.doppler(), &place, whole, console).await,
        };
        match secrets {
            Ok(secrets) => configs.push(secrets),
            Err(failure) => {
                let failure = nearest::named(failure, session.doppler(), &place).await;
                sign_out(session, console).await;
                return Err(failure);
            }
        }
    }
    sign_out(session, console).await;
    Ok(configs)
}

async fn sign_in(
    args: &Args,
    settings: &Settings,
    deadline: Deadline,
    console: &Console,
) -> Result<DopplerSession, Failure> {
    let signed_in = match &settings.login {
        Login::Token(token) => {
            Doppler::new(settings.host.value.clone(), token.clone(), deadline).map(DopplerSession::of)
        }
        Login::Identity(identity) => match IdTokenRequest::of(console.environment(), args.source.audience.as_deref()) {
            Some(request) => {
                DopplerSession::trade(&request, &identity.value, settings.host.value.clone(), deadline).await
            }
            None => {
                Err(Fault::permission(format!("this job cannot identify itself to Doppler as `{}`", identity.value))
                    .cause("this step may not request an OIDC token")
                    .help("give the job `permissions: id-token: write`, or set DOPPLER_TOKEN"))
            }
        },
        Login::Nothing => Err(Fault::permission("cannot sign in to Doppler: DOPPLER_TOKEN is missing")
            .cause("there is no --token-file, no DOPPLER_IDENTITY_ID and no token stored by `doppler login`")
            .help("set DOPPLER_TOKEN (in Actions: `env:` with `${{ secrets.DOPPLER_TOKEN }}`)")),
    };
    let session = signed_in.map_err(|fault| Failure { is_outage: fault.kind == Kind::Temporary, fault })?;
    let token = session.doppler().token();
    let is_chosen = |config: &ConfigRef| config.project.is_some() && config.config.is_some();
    if token.needs_config() && !settings.configs().iter().all(is_chosen) {
        let fault = Fault::usage(format!("the token from {} can read many configs, and none was chosen", token.origin))
            .help("give --project and --config (DOPPLER_PROJECT, DOPPLER_CONFIG)");
        sign_out(session, console).await;
        return Err(Failure { fault, is_outage: false });
    }
    Ok(session)
}

async fn sign_out(session: DopplerSession, console: &Console) {
    if !session.end().await {
        console.warn("the short-lived Doppler token could not be revoked; it expires by itself");
    }
}

/// Reads one config, or the requested part of it.
async fn read(
    args: &Args,
    doppler: &Doppler,
    place: &ConfigRef,
    whole: bool,
    console: &Console,
) -> Result<Vec<Secret>, Failure> {
    let query = Query { names: asked_for(args, whole), dynamic: args.source.dynamic_secrets, known: None };
    if needs_visibility(args, console) {
        unconditional(doppler.list(place, &query).await?)
    } else {
        unconditional(doppler.download(place, &query).await?)
    }
}

/// The job's cache entry for the config.
fn cache_entry(
    args: &Args,
    settings: &Settings,
    session: &DopplerSession,
    place: &ConfigRef,
    console: &Console,
) -> Option<CacheEntry> {
    // A lease must not be shared between steps.
    if args.source.dynamic_secrets {
        return None;
    }
    let base = session.doppler().base();
    let (key, request) = match &settings.login {
        // The short-lived token differs in each step; the credential that it was exchanged for lasts as long as the job.
        Login::Identity(identity) => {
            let id_token = IdTokenRequest::of(console.environment(), None)?;
            (id_token.bearer.into(), format!("{base}|{place}|{}", identity.value))
        }
        Login::Token(_) | Login::Nothing => (session.doppler().token().value.clone(), format!("{base}|{place}")),
    };
    CacheEntry::of(console.environment(), &key, &request)
}

/// The names to request; empty for all. A fallback needs the whole config, and so does a list too long for a URL.
fn asked_for(args: &Args, whole: bool) -> Vec<String> {
    let mut names = args.selection.only.clone();
    let short = names.iter().map(|name| name.len() + 3).sum::<usize>() < NAMES_LIMIT;
    if whole || !short || names.is_empty() {
        return Vec::new();
    }
    names.extend(args.selection.require.iter().cloned());
    names.sort();
    names.dedup();
    names.retain(|name| !name.is_empty());
    names
}

/// Only the list request returns visibilities. They are needed if anything is masked, redacted or described.
fn needs_visibility(args: &Args, console: &Console) -> bool {
    let describes = args.command.is_empty() && args.output.format == Format::Text;
    console.context().in_actions || args.running.redact || describes || args.output.to != Destination::Stdout
}

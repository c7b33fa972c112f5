//! Masks, prints and exports: the places where values leave this program.

use cli::{Console, Exit};
use doppler::MANAGED;
use fault::{Fault, Result};
use runner::handoff::StepFile;
use secrecy::ExposeSecret as _;
use secrets::Visibility;

use crate::args::Args;
use crate::chosen::Chosen;
use crate::format::{self, Format};
use crate::hidden::{Hidden, Hiding, cannot_show};
use crate::settings::Settings;
use crate::validate;

/// Registers the masks with the runner and names the secrets that are not masked. Returns what to hide in the output of a command. Call
/// this before any value is handed out.
///
/// # Errors
/// --show names a secret that does not exist ([`fault::Kind::Failed`]) or is restricted ([`fault::Kind::Permission`]).
pub(crate) fn mask(secrets: &[Chosen], args: &Args, console: &Console) -> Result<Hidden> {
    let shown: Vec<&String> = args.selection.show.iter().filter(|name| !name.is_empty()).collect();
    let is_named = |secret: &Chosen, name: &String| *name == secret.name || *name == secret.origin;
    if let Some(unknown) = shown.iter().find(|name| !secrets.iter().any(|secret| is_named(secret, name))) {
        return Err(Fault::failed(format!("not among the secrets: {unknown}"))
            .help("check --show against `secrets-env --format names`"));
    }
    let mut hidden = Hidden::default();
    let mut unmasked = Vec::new();
    for secret in secrets.iter().filter(|secret| !MANAGED.contains(&secret.origin.as_str())) {
        let is_shown = shown.iter().any(|name| is_named(secret, name));
        match secret.visibility {
            Visibility::Unmasked => unmasked.push(format!("{} (unmasked in Doppler)", secret.name)),
            Visibility::Restricted if is_shown => cannot_show(&secret.name)?,
            Visibility::Restricted => hidden.add(&secret.name, &secret.value, Hiding::Always),
            Visibility::Masked if is_shown => hidden.add(&secret.name, &secret.value, Hiding::Never),
            Visibility::Masked => hidden.add(&secret.name, &secret.value, Hiding::Unless),
        }
    }
    let in_actions = console.context().in_actions;
    let redacts = args.running.redact && !args.command.is_empty();
    if !in_actions && !redacts {
        return Ok(hidden);
    }
    let plan = hidden.plan();
    if in_actions {
        console.mask(&plan.masks());
    }
    unmasked.extend(plan.spared().iter().map(|spared| format!("{} ({})", spared.name, spared.reason)));
    if !unmasked.is_empty() {
        console.status(&format!("not masked: {}", unmasked.join(", ")));
    }
    Ok(hidden)
}

/// Prints where each setting came from (--explain).
pub(crate) fn explain(settings: &Settings, console: &Console) -> anyhow::Result<Exit> {
    console.print(settings.explain())?;
    Ok(Exit::Success)
}

/// Prints the secrets.
pub(crate) fn print(secrets: &[Chosen], format: Format, console: &Console) -> Result<()> {
    let text = format::render(secrets, format)?;
    console.print(text)
}

/// Exports the secrets to later steps: checks everything, then appends once.
pub(crate) fn export(secrets: &[Chosen], to: StepFile, console: &Console) -> Result<()> {
    validate::check_export(secrets, to)?;
    for secret in secrets {
        console.check_secret(to, &secret.name)?;
    }
    let pairs: Vec<(String, String)> = secrets
        .iter()
        // Exposed to hand them to later steps, which is what was asked for.
        .map(|secret| (secret.name.clone(), secret.value.expose_secret().to_owned()))
        .collect();
    console.export(to, &pairs)?;
    let names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    console.status(&format!("exported as {}: {}", to.entries(), names.join(", ")));
    Ok(())
}

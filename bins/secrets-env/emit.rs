//! Masks, prints and exports: the places where values leave this program.

use cli::{Console, Exit};
use doppler::MANAGED;
use fault::Result;
use redact::Plan;
use runner::handoff::StepFile;
use secrecy::ExposeSecret as _;
use secrets::Visibility;

use crate::args::Args;
use crate::chosen::Chosen;
use crate::format::{self, Format};
use crate::settings::Settings;
use crate::validate;

/// Registers the masks with the runner and names the secrets that are not masked. Call this before any value is handed out.
pub(crate) fn mask(secrets: &[Chosen], args: &Args, console: &Console) -> Plan {
    let mut plan = Plan::new();
    let mut spared = Vec::new();
    for secret in secrets.iter().filter(|secret| !MANAGED.contains(&secret.origin.as_str())) {
        if secret.visibility == Visibility::Unmasked {
            spared.push(format!("{} (unmasked in Doppler)", secret.name));
        } else {
            // Exposed to derive the forms to hide.
            plan.add(&secret.name, secret.value.expose_secret());
        }
    }
    if console.context().in_actions {
        console.mask(&plan.masks());
    }
    let hides = console.context().in_actions || (args.running.redact && !args.command.is_empty());
    if hides {
        spared.extend(plan.spared().iter().map(|spared| format!("{} ({})", spared.name, spared.reason)));
        if !spared.is_empty() {
            console.status(&format!("not masked: {}", spared.join(", ")));
        }
    }
    plan
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

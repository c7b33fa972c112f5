//! States that OpenTofu encrypted: with which keys, and what to do without them.

use fault::{Fault, Result};
use secrecy::ExposeSecret as _;
use stack::outputs::SourceKind;
use stack::terraform::encryption::{Decrypted, EncryptedState, Encryption, Method};
use stack::{Decryption, Dialect, Outputs, StackDocument, source};

use crate::cli_fallback::{self, Reason};
use crate::encryption_block;
use crate::sign_in::{self, Session};

/// Decrypts a state that OpenTofu encrypted; also from Doppler.
const PASSPHRASE: &str = "STACK_OUTPUT_STATE_PASSPHRASE";

/// The outputs in `document`, which is decrypted if OpenTofu encrypted it. `workspace` is the project's, if the state was found by its
/// project and not named by `--state`: then the `tofu` program can be asked for what is not supported here.
pub(crate) async fn outputs(
    name: &str,
    document: StackDocument,
    workspace: Option<&str>,
    session: Session<'_>,
) -> Result<Outputs> {
    let about = |fault: Fault| fault.context(format!("cannot read {name}"));
    match document {
        StackDocument::Encrypted(text) => match decrypted(&text, session).await.map_err(about)? {
            Decrypted::State(state) => {
                match source::stream(state.as_slice(), name, Decryption::NotNeeded)?.from_backend(name)? {
                    StackDocument::Outputs(outputs) => Ok(outputs),
                    StackDocument::Encrypted(_) => Err(about(Fault::usage("it is encrypted twice"))),
                }
            }
            Decrypted::Unsupported(fault) => by_tofu(about(fault), workspace, session).await,
        },
        StackDocument::Outputs(outputs) => {
            if outputs.source_kind == SourceKind::State && outputs.dialect == Dialect::Terraform {
                check_plain(&outputs, workspace.is_some(), session).map_err(about)?;
            }
            Ok(outputs)
        }
    }
}

/// The tofu program supports every key provider. Never terraform, which takes an encrypted state for a broken one.
async fn by_tofu(fault: Fault, workspace: Option<&str>, session: Session<'_>) -> Result<Outputs> {
    let Some(workspace) = workspace else { return Err(fault) };
    let fault = fault.cause("there is no `tofu` on PATH to ask");
    cli_fallback::tofu(Reason { fault: &fault, directory: session.folder() }, workspace, session).await
}

/// Refuses a state that should have been encrypted, and a broken `TF_ENCRYPTION` even if it is not needed, as tofu does. A state that
/// `--state` names may belong to another folder, so the configuration is only read if `--cwd` names it.
fn check_plain(outputs: &Outputs, is_of_project: bool, session: Session<'_>) -> Result<()> {
    let is_configured = is_of_project || session.args.source.cwd.is_some();
    let Some(encryption) = encryption_block::read(is_configured, session)? else { return Ok(()) };
    if !outputs.named.is_empty() && encryption.is_enforced()? {
        return Err(Fault::usage("it is not encrypted")
            .cause("the `encryption` block has `enforced = true`")
            .help("encrypt the state with `tofu apply`, or check --cwd and --stack"));
    }
    Ok(())
}

async fn decrypted(text: &[u8], session: Session<'_>) -> Result<Decrypted> {
    let encrypted = EncryptedState::read(text)?;
    let encryption = encryption_block::read(true, session)?;
    let mut methods = encryption.as_ref().map(Encryption::methods).transpose()?.unwrap_or_default();
    for method in &methods {
        if let Method::AesGcm(method) = method {
            // Exposed to be masked.
            session.mask(&[method.passphrase.expose_secret()]);
        }
    }
    let aads = encryption.map(|encryption| encryption.aads()).unwrap_or_default();
    if let Some(passphrase) = session.given(PASSPHRASE) {
        methods.push(Method::Passphrase { passphrase, aads });
    } else if methods.iter().all(|method| matches!(method, Method::Unevaluated(_))) {
        if let Some(fault) = encrypted.unsupported() {
            return Ok(Decrypted::Unsupported(fault));
        }
        match sign_in::value(&session.find(&[PASSPHRASE]).await?, PASSPHRASE) {
            Some(passphrase) => methods.push(Method::Passphrase { passphrase, aads }),
            None if methods.is_empty() => {
                return Err(session
                    .missing(PASSPHRASE)
                    .cause("there is no `encryption` block in the configuration (--cwd) nor in TF_ENCRYPTION"));
            }
            None => {}
        }
    }
    encrypted.decrypt(&methods).map_err(|fault| match fault.help {
        Some(_) => fault,
        None => fault.help(format!(
            "set {PASSPHRASE} to the passphrase, or name the folder of the configuration with --cwd, or set TF_ENCRYPTION"
        )),
    })
}

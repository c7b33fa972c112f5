//! A stack whose outputs have been read.

use fault::{Fault, Result};
use stack::pulumi::pulumi_cloud::StackName;
use stack::terraform::encrypted::Encrypted;
use stack::terraform::remote::Remote;
use stack::{Decryption, Document, Outputs, source};

use crate::sign_in::Session;

/// A stack and its outputs.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Its name in messages.
    pub(crate) name: String,
    /// Its outputs; secrets are still encrypted.
    pub(crate) outputs: Outputs,
    /// The remote service that can decrypt its secrets, if any.
    pub(crate) origin: Origin,
}

/// The service that the outputs were read from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A file, a stream or a store: it holds bytes and decrypts nothing.
    Bytes,
    /// Pulumi Cloud: its address and the stack's full name.
    Cloud(String, StackName),
    /// HCP Terraform.
    Remote(Remote),
}

/// Decrypts a state that OpenTofu encrypted; also from Doppler.
const PASSPHRASE: &str = "STACK_OUTPUT_STATE_PASSPHRASE";

impl Stack {
    /// A stack that was read as bytes.
    pub(crate) fn of_outputs(name: String, outputs: Outputs) -> Self {
        Self { name, outputs, origin: Origin::Bytes }
    }

    /// The stack of the outputs in `document`. A state that OpenTofu encrypted as a whole is decrypted first.
    pub(crate) async fn of_document(name: String, document: Document, session: Session<'_>) -> Result<Self> {
        let outputs = match document {
            Document::Outputs(outputs) => outputs,
            Document::Encrypted(text) => decrypted(&name, &text, session).await?,
        };
        Ok(Self::of_outputs(name, outputs))
    }
}

async fn decrypted(name: &str, text: &[u8], session: Session<'_>) -> Result<Outputs> {
    let about = |fault: Fault| fault.context(format!("cannot read {name}"));
    let encrypted = Encrypted::read(text).map_err(about)?;
    let passphrase = session.require(PASSPHRASE).await.map_err(about)?;
    let advice = format!("set {PASSPHRASE} to the passphrase of the state's encryption");
    let state = encrypted.open(&passphrase).map_err(|fault| about(fault).help(advice))?;
    match source::stream(state.as_slice(), name, Decryption::NotNeeded)?.from_backend(name)? {
        Document::Outputs(outputs) => Ok(outputs),
        Document::Encrypted(_) => Err(about(Fault::usage("it is encrypted twice"))),
    }
}

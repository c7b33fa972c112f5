//! A stack whose outputs have been read.

use fault::Result;
use stack::pulumi::pulumi_cloud::StackName;
use stack::terraform::remote::Remote;
use stack::{Outputs, StackDocument};

use crate::sign_in::Session;
use crate::state_encryption;

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

impl Stack {
    /// A stack that was read as bytes.
    pub(crate) fn of_outputs(name: String, outputs: Outputs) -> Self {
        Self { name, outputs, origin: Origin::Bytes }
    }

    /// The stack of the outputs in `document`. A state that OpenTofu encrypted as a whole is decrypted first; `workspace` is given if
    /// the state was found by its project.
    pub(crate) async fn of_document(
        name: String,
        document: StackDocument,
        workspace: Option<&str>,
        session: Session<'_>,
    ) -> Result<Self> {
        let outputs = state_encryption::outputs(&name, document, workspace, session).await?;
        Ok(Self::of_outputs(name, outputs))
    }
}

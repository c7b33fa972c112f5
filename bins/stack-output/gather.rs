//! Reads the stack's outputs from where they stand.

use std::path::Path;

use cli::Console;
use fault::{Fault, Result};
use stack::pulumi::cloud::Name;
use stack::pulumi::project::Reference;
use stack::{Dialect, Document, Outputs, Secrets, source};

use crate::args::Args;
use crate::cloud;
use crate::locate::{Place, nowhere};

/// A stack and its outputs.
#[derive(Debug)]
pub(crate) struct Stack {
    /// What it is called in messages.
    pub(crate) name: String,
    /// Its outputs; secrets are closed.
    pub(crate) outputs: Outputs,
    /// The Pulumi Cloud it was read from.
    pub(crate) cloud: Option<(String, Name)>,
}

/// Reads the stack at `place`.
pub(crate) fn stack(place: &Place, args: &Args, console: &Console) -> Result<Stack> {
    let secrets = if args.selection.show_secrets { Secrets::Wanted } else { Secrets::Closed };
    let (name, document) = match place {
        Place::Stdin => ("the document on stdin".to_owned(), stdin(args, console, secrets)?),
        Place::File(file) => (format!("the state {}", file.display()), source::file(file, secrets)?),
        Place::Store { store, reference, project } => {
            let file = store.state(reference, project.as_deref())?;
            (format!("the stack `{}`", reference.stack), source::file(&file, secrets)?)
        }
        Place::Cloud { url, reference, project } => {
            return cli::block_on(of_cloud(url, reference, project.as_deref(), args, console))?;
        }
        Place::Terraform { file, workspace } => {
            (format!("the workspace `{workspace}`"), terraform(file, workspace, secrets)?)
        }
    };
    match document {
        Document::Outputs(outputs, _) => Ok(Stack { name, outputs, cloud: None }),
        Document::Encrypted(_) => Err(Fault::usage(format!("{name} is encrypted by OpenTofu"))
            .help("pipe the outputs: tofu output -json | stack-output --state - NAME")),
    }
}

async fn of_cloud(
    url: &str,
    reference: &Reference,
    project: Option<&str>,
    args: &Args,
    console: &Console,
) -> Result<Stack> {
    let cloud = cloud::sign_in(url, args, console).await?;
    let name = cloud::name(reference, project, url, &cloud, console.environment()).await?;
    let outputs = cloud.outputs(&name).await?;
    Ok(Stack { name: format!("the stack `{name}`"), outputs, cloud: Some((url.to_owned(), name)) })
}

fn stdin(args: &Args, console: &Console, secrets: Secrets) -> Result<Document> {
    if console.stdin_is_terminal() {
        return Err(
            Fault::usage("stdin is a terminal").help("pipe a state or outputs into stack-output, or name a file")
        );
    }
    let stdin = std::io::stdin().lock();
    match source::stream(stdin, "stdin", secrets) {
        Err(fault) if args.source.state.is_none() && fault.causes.iter().any(|cause| cause == "it is empty") => {
            Err(nowhere(Path::new("the working directory")))
        }
        document => document.map(|(document, _)| document),
    }
}

/// Terraform takes a missing or an empty file for a state in which nothing was applied; both are an error here.
fn terraform(file: &Path, workspace: &str, secrets: Secrets) -> Result<Document> {
    let size = std::fs::metadata(file).map(|metadata| metadata.len());
    match size {
        Ok(0) => Ok(Document::Outputs(
            Outputs::nothing(Dialect::Terraform, "its state file is empty: nothing was applied"),
            stack::Extent::Whole,
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Fault::no(format!("the workspace `{workspace}` has no state"))
                .cause(format!("there is no {}", file.display()))
                .help("run `terraform apply` first, or check --cwd and --stack"))
        }
        _ => source::file(file, secrets),
    }
}

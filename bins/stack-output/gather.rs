//! Reads the stack's outputs from where they stand.

use std::path::Path;

use api::Deadline;
use cli::Console;
use credentials::Credentials;
use fault::{Fault, Result};
use stack::pulumi::cloud::Name;
use stack::pulumi::project::Reference;
use stack::pulumi::{address, bucket};
use stack::terraform::encrypted::Encrypted;
use stack::terraform::remote::Remote;
use stack::{Dialect, Document, Outputs, Secrets, source};

use crate::args::Args;
use crate::backends;
use crate::cloud;
use crate::locate::{Place, nowhere};
use crate::program::{self, Reason};
use crate::session::{Reached, Session};
use crate::stores;

/// A stack and its outputs.
#[derive(Debug)]
pub(crate) struct Stack {
    /// What it is called in messages.
    pub(crate) name: String,
    /// Its outputs; secrets are closed.
    pub(crate) outputs: Outputs,
    /// Who else has a part in it.
    pub(crate) origin: Origin,
}

/// The service that outputs were read from, where secrets are opened there too.
#[derive(Debug)]
pub(crate) enum Origin {
    /// None, or one that only holds bytes.
    Bytes,
    /// Pulumi Cloud: its address and the stack's full name.
    Cloud(String, Name),
    /// HCP Terraform.
    Remote(Remote),
}

/// Reads the stack at `place`.
pub(crate) fn stack(place: &Place, args: &Args, console: &Console) -> Result<Stack> {
    let secrets = if args.selection.show_secrets { Secrets::Wanted } else { Secrets::Closed };
    let (name, document) = match place {
        Place::Stdin => ("the document on stdin".to_owned(), stdin(args, console, secrets)?),
        Place::File(file) => (format!("the state {}", file.display()), source::file(file, secrets)?),
        Place::Url(url) => {
            let shown = url.split(['?', '#']).next().unwrap_or_default();
            let document = cli::block_on(backends::address(url, shown, secrets, args, console))??;
            let document = document.ok_or_else(|| Fault::no(format!("there is nothing at {shown}")))?;
            (format!("the state {shown}"), document)
        }
        Place::Store { store, reference, project } => {
            let file = store.state(reference, project.as_deref())?;
            (
                format!("the stack `{}`", reference.stack),
                source::file(&file, secrets)?.of_backend(&file.display().to_string())?,
            )
        }
        Place::Cloud { url, reference, project } => {
            return cli::block_on(of_cloud(url, reference, project.as_deref(), args, console))?;
        }
        Place::Bucket { place: address, reference, project } => {
            let name = format!("the stack `{}`", reference.stack);
            let session = Session::new(args, console);
            let read = of_bucket(address, reference, project.as_deref(), &name, secrets, session);
            match cli::block_on(read)?? {
                Reached::Here(document) => {
                    let document = document.of_backend(&name)?;
                    (name, document)
                }
                Reached::Beyond(fault) => return by_pulumi(name, fault, place, args, console),
            }
        }
        Place::Backend { backend, workspace, directory } => {
            return match cli::block_on(backends::read(backend, workspace, secrets, args, console))?? {
                Reached::Here(stack) => Ok(stack),
                Reached::Beyond(fault) => {
                    let reason = Reason { fault: &fault, directory };
                    let outputs = cli::block_on(program::terraform(reason, workspace, args, console))??;
                    Ok(Stack { name: format!("the workspace `{workspace}`"), outputs, origin: Origin::Bytes })
                }
            };
        }
        Place::Elsewhere { fault, stack, directory } => {
            let reason = Reason { fault, directory };
            let outputs = cli::block_on(program::pulumi(reason, stack.as_deref(), args, console))??;
            return Ok(Stack { name: "the stack".to_owned(), outputs, origin: Origin::Bytes });
        }
        Place::Terraform { file, workspace } => {
            (format!("the workspace `{workspace}`"), terraform(file, workspace, secrets)?)
        }
    };
    match document {
        // Nothing to wait for: no event loop is started.
        Document::Outputs(outputs) => Ok(Stack { name, outputs, origin: Origin::Bytes }),
        encrypted @ Document::Encrypted(_) => cli::block_on(of_document(name, encrypted, args, console))?,
    }
}

/// The stack as the pulumi program tells it, whose libraries sign in in more ways.
fn by_pulumi(name: String, fault: Fault, place: &Place, args: &Args, console: &Console) -> Result<Stack> {
    let fault = fault.cause("there is no `pulumi` on PATH to ask");
    let Some((stack, directory)) = place.of_pulumi(args) else { return Err(fault) };
    let reason = Reason { fault: &fault, directory: &directory };
    let outputs = cli::block_on(program::pulumi(reason, Some(&stack), args, console))??;
    Ok(Stack { name, outputs, origin: Origin::Bytes })
}

async fn of_bucket(
    place: &address::Place,
    reference: &Reference,
    project: Option<&str>,
    name: &str,
    secrets: Secrets,
    session: Session<'_>,
) -> Result<Reached<Document>> {
    let store = match stores::open(&place.bucket, session).await? {
        Reached::Here(store) => store,
        Reached::Beyond(fault) => return Ok(Reached::Beyond(fault)),
    };
    let object = bucket::state(&store, &place.prefix, reference, project).await?;
    let document = source::answer(object.answer, name, secrets).await?;
    let document = document.ok_or_else(|| Fault::usage(format!("cannot read {name}")).cause("it is empty"))?;
    Ok(Reached::Here(document))
}

/// A stack of the outputs in a document, which is decrypted first where OpenTofu encrypted it as a whole.
pub(crate) async fn of_document(name: String, document: Document, args: &Args, console: &Console) -> Result<Stack> {
    let outputs = match document {
        Document::Outputs(outputs) => outputs,
        Document::Encrypted(text) => {
            let about = |fault: Fault| fault.context(format!("cannot read {name}"));
            let encrypted = Encrypted::read(&text).map_err(about)?;
            let credentials = Credentials::new(console.environment(), Deadline::after(args.source.deadline));
            let mask = |values: &[String]| console.mask(values);
            let passphrase = credentials.require(PASSPHRASE, &mask).await.map_err(about)?.value;
            let advice = format!("set {PASSPHRASE} to the passphrase of the state's encryption");
            let state = encrypted.open(&passphrase).map_err(|fault| about(fault).help(advice))?;
            match source::stream(state.as_slice(), &name, Secrets::Closed)?.of_backend(&name)? {
                Document::Outputs(outputs) => outputs,
                Document::Encrypted(_) => return Err(about(Fault::usage("it is encrypted twice"))),
            }
        }
    };
    Ok(Stack { name, outputs, origin: Origin::Bytes })
}

/// Opens a state that OpenTofu encrypted.
const PASSPHRASE: &str = "STACK_OUTPUT_STATE_PASSPHRASE";

async fn of_cloud(
    url: &str,
    reference: &Reference,
    project: Option<&str>,
    args: &Args,
    console: &Console,
) -> Result<Stack> {
    let organization = cloud::organization(reference, url, console.environment());
    let cloud = cloud::sign_in(url, organization.as_deref(), args, console).await?;
    let name = cloud::name(reference, project, organization, &cloud).await?;
    let outputs = cloud.outputs(&name, &|text| console.warn(&format!("Pulumi Cloud: {text}"))).await?;
    Ok(Stack { name: format!("the stack `{name}`"), outputs, origin: Origin::Cloud(url.to_owned(), name) })
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
        document => document,
    }
}

/// Terraform takes a missing or an empty file for a state in which nothing was applied; both are an error here.
fn terraform(file: &Path, workspace: &str, secrets: Secrets) -> Result<Document> {
    let size = std::fs::metadata(file).map(|metadata| metadata.len());
    match size {
        Ok(0) => {
            Ok(Document::Outputs(Outputs::nothing(Dialect::Terraform, "its state file is empty: nothing was applied")))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Fault::no(format!("the workspace `{workspace}` has no state"))
                .cause(format!("there is no {}", file.display()))
                .help("run `terraform apply` first, or check --cwd and --stack"))
        }
        _ => source::file(file, secrets)?.of_backend(&file.display().to_string()),
    }
}

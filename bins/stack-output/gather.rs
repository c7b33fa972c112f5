//! Reads the stack's outputs from their location.

use std::path::Path;

use fault::{Fault, Result, nearest};
use stack::pulumi::project::StackReference;
use stack::pulumi::{bucket, store_url};
use stack::{Dialect, Outputs, StackDocument, source};

use crate::backends::{self, stores};
use crate::cli_fallback::{self, Reason};
use crate::loaded::{Origin, Stack};
use crate::locate::{StateLocation, nowhere};
use crate::sign_in::{Session, Support, pulumi_cloud};

/// Reads the stack at `location`.
pub(crate) async fn stack(location: &StateLocation, session: Session<'_>) -> Result<Stack> {
    let secrets = session.secrets();
    let (name, document) = match location {
        StateLocation::Stdin => ("the document on stdin".to_owned(), stdin(session).await?),
        StateLocation::File(path) => (format!("the state {}", path.display()), file(path, session).await?),
        StateLocation::Url(url) => {
            let shown = url.split(['?', '#']).next().unwrap_or_default();
            let document = backends::address(url, shown, secrets, session).await?;
            let document = document.ok_or_else(|| Fault::failed(format!("nothing found at {shown}")))?;
            (format!("the state {shown}"), document)
        }
        StateLocation::Store { store, reference, project } => {
            let path = store.state(reference, project.as_deref())?;
            let document = file(&path, session).await?.from_disk(&path.display().to_string())?;
            (format!("the stack `{}`", reference.stack), document)
        }
        StateLocation::Cloud { url, reference, project } => {
            return of_cloud(url, reference, project.as_deref(), session).await;
        }
        StateLocation::Bucket { address, reference, project } => {
            let name = format!("the stack `{}`", reference.stack);
            match of_bucket(address, reference, project.as_deref(), &name, session).await? {
                Support::Native(document) => {
                    let document = document.from_backend(&name)?;
                    (name, document)
                }
                Support::NeedsProgram(fault) => return by_pulumi(name, fault, location, session).await,
            }
        }
        StateLocation::Backend { backend, workspace, directory } => {
            return match backends::read(backend, workspace, session).await? {
                Support::Native(stack) => Ok(stack),
                Support::NeedsProgram(fault) => {
                    let reason = Reason { fault: &fault, directory };
                    let outputs = cli_fallback::terraform(reason, workspace, session).await?;
                    Ok(Stack::of_outputs(format!("the workspace `{workspace}`"), outputs))
                }
            };
        }
        StateLocation::Unsupported { fault, stack, directory } => {
            let reason = Reason { fault, directory };
            let outputs = cli_fallback::pulumi(reason, stack.as_deref(), session).await?;
            return Ok(Stack::of_outputs("the stack".to_owned(), outputs));
        }
        StateLocation::Terraform { file, workspace } => {
            (format!("the workspace `{workspace}`"), terraform(file, workspace, session).await?)
        }
    };
    let workspace = match location {
        StateLocation::Terraform { workspace, .. } => Some(workspace.as_str()),
        _ => None,
    };
    Stack::of_document(name, document, workspace, session).await
}

/// The stack as the pulumi program prints it. Its libraries support more ways to sign in than ours.
async fn by_pulumi(name: String, fault: Fault, location: &StateLocation, session: Session<'_>) -> Result<Stack> {
    let fault = fault.cause("there is no `pulumi` on PATH to ask");
    let Some((stack, directory)) = location.of_pulumi(session.args) else { return Err(fault) };
    let reason = Reason { fault: &fault, directory: &directory };
    let outputs = cli_fallback::pulumi(reason, Some(&stack), session).await?;
    Ok(Stack::of_outputs(name, outputs))
}

async fn of_bucket(
    address: &store_url::StoreUrl,
    reference: &StackReference,
    project: Option<&str>,
    name: &str,
    session: Session<'_>,
) -> Result<Support<StackDocument>> {
    let store = match stores::open(&address.bucket, session).await? {
        Support::Native(store) => store,
        Support::NeedsProgram(fault) => return Ok(Support::NeedsProgram(fault)),
    };
    let object = bucket::state(&store, &address.prefix, reference, project).await?;
    let document = source::answer(object.answer, name, session.secrets()).await?;
    let document = document.ok_or_else(|| Fault::usage(format!("cannot read {name}")).cause("it is empty"))?;
    Ok(Support::Native(document))
}

async fn of_cloud(url: &str, reference: &StackReference, project: Option<&str>, session: Session<'_>) -> Result<Stack> {
    let organization = pulumi_cloud::organization(reference, url, session.environment());
    let cloud = pulumi_cloud::sign_in(url, organization.as_deref(), session).await?;
    let name = pulumi_cloud::name(reference, project, organization, &cloud).await?;
    let outputs = cloud.outputs(&name, &|text| session.console.warn(&format!("Pulumi Cloud: {text}"))).await?;
    Ok(Stack { name: format!("the stack `{name}`"), outputs, origin: Origin::Cloud(url.to_owned(), name) })
}

/// The document in the file at `path`, which may also be a pipe.
async fn file(path: &Path, session: Session<'_>) -> Result<StackDocument> {
    let (decryption, owned) = (session.secrets(), path.to_owned());
    // Only what is not a regular file can make the reader wait.
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return session.read(&path.display().to_string(), move || source::file(&owned, decryption)).await;
    }
    source::file(path, decryption)
}

async fn stdin(session: Session<'_>) -> Result<StackDocument> {
    if session.console.stdin_is_terminal() {
        return Err(
            Fault::usage("stdin is a terminal").help("pipe a state or outputs into stack-output, or name a file")
        );
    }
    let decryption = session.secrets();
    match session.read("stdin", move || source::stream(std::io::stdin().lock(), "stdin", decryption)).await {
        Err(fault)
            if session.args.source.state.is_none() && fault.causes.iter().any(|cause| cause == "it is empty") =>
        {
            Err(nowhere(Path::new("the working directory")))
        }
        document => document,
    }
}

/// Terraform reads a missing or an empty file as a state in which nothing was applied; here both are errors.
async fn terraform(path: &Path, workspace: &str, session: Session<'_>) -> Result<StackDocument> {
    let size = std::fs::metadata(path).map(|metadata| metadata.len());
    match size {
        Ok(0) if path.is_file() => Ok(StackDocument::Outputs(Outputs::nothing(
            Dialect::Terraform,
            "its state file is empty: nothing was applied",
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let fault = Fault::failed(format!("the workspace `{workspace}` has no state"))
                .cause(format!("there is no {}", path.display()));
            if workspace == "default" {
                return Err(fault.help("run `terraform apply` first, or check --cwd and --stack"));
            }
            let names = path.parent().and_then(Path::parent).map(folders).unwrap_or_default();
            Err(match nearest(workspace, names.iter().map(String::as_str)) {
                Some(name) => fault.help(format!("add --stack {name}, the nearest name")),
                None if names.is_empty() => fault.help("check --cwd, --stack and TF_WORKSPACE: there is no workspace"),
                None => fault.help(format!("add --stack with a workspace that exists: {}", names.join(", "))),
            })
        }
        _ => file(path, session).await?.from_disk(&path.display().to_string()),
    }
}

/// The names of the folders in `folder`: Terraform's workspaces.
fn folders(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().is_dir()).filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

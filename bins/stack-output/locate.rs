//! Finds the location of the stack's state, by the rules of the programs that own it.

use std::path::{Path, PathBuf};

use fault::{Fault, Result};
use runner::{Environment, HomeRule};
use stack::pulumi::project::{PulumiProject, StackReference};
use stack::pulumi::store::DiskStore;
use stack::pulumi::store_url;
use stack::terraform::backend_block::BackendBlock;
use stack::terraform::configuration::Configuration;
use stack::terraform::local;
use stack::terraform::pointer::Backend;

use crate::args::{Args, Source};
use crate::sign_in::{Session, pulumi_cloud};

/// Where a state is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StateLocation {
    /// Stdin.
    Stdin,
    /// A file, whatever it holds.
    File(PathBuf),
    /// A document at an address, `https://…`, `s3://bucket/key`, …, whatever it holds.
    Url(String),
    /// A Pulumi store in a folder.
    Store { store: DiskStore, reference: StackReference, project: Option<String> },
    /// Pulumi Cloud at an address.
    Cloud { url: String, reference: StackReference, project: Option<String> },
    /// A Pulumi store in a bucket.
    Bucket { address: store_url::StoreUrl, reference: StackReference, project: Option<String> },
    /// A local Terraform state file.
    Terraform { file: PathBuf, workspace: String },
    /// A remote Terraform backend.
    Backend { backend: Backend, workspace: String, directory: PathBuf },
    /// A Pulumi backend that only the pulumi program reads.
    Unsupported { fault: Fault, stack: Option<String>, directory: PathBuf },
}

impl StateLocation {
    /// The stack's name for the pulumi program, and the folder to run it in.
    pub(crate) fn of_pulumi(&self, args: &Args) -> Option<(String, PathBuf)> {
        let (Self::Store { reference, .. } | Self::Cloud { reference, .. } | Self::Bucket { reference, .. }) = self
        else {
            return None;
        };
        let parts = [reference.organization.as_deref(), reference.project.as_deref(), Some(reference.stack.as_str())];
        let name: Vec<&str> = parts.into_iter().flatten().collect();
        Some((name.join("/"), args.source.cwd.clone().unwrap_or_else(|| PathBuf::from("."))))
    }
}

/// The location of the state that the arguments ask for.
pub(crate) fn location(session: Session<'_>) -> Result<StateLocation> {
    let (args, console, environment) = (session.args, session.console, session.environment());
    let directory = directory(&args.source)?;
    match args.source.state.as_deref() {
        Some("-") => return Ok(StateLocation::Stdin),
        Some("") => return Err(Fault::usage("--state is empty").help("name a file, or `-` for stdin")),
        Some(file) if let Some(path) = file.strip_prefix("file://") => {
            return Ok(StateLocation::File(directory.join(path)));
        }
        Some(url) if url.contains("://") => return Ok(StateLocation::Url(url.to_owned())),
        Some(file) => return Ok(StateLocation::File(directory.join(file))),
        None => {}
    }
    let data_dir = directory.join(environment.get("TF_DATA_DIR").unwrap_or(".terraform"));
    let project = PulumiProject::find(&directory)?;
    let is_terraform = local::is_here(&directory, &data_dir);
    if args.source.backend.is_none() && is_terraform && project.as_ref().is_none_or(|it| it.directory() != directory) {
        return terraform(&args.source, environment, &directory, &data_dir);
    }
    if project.is_none() && args.source.backend.is_none() && !is_full_name(&args.source, environment) {
        if !console.stdin_is_terminal() && args.source.stack.is_none() && args.source.cwd.is_none() {
            return Ok(StateLocation::Stdin);
        }
        return Err(nowhere(&directory));
    }
    pulumi(&args.source, environment, &directory, project.as_ref())
}

/// Whether the stack is named so that no project file is needed: organization/project/stack.
fn is_full_name(source: &Source, environment: &Environment) -> bool {
    let name = source.stack.as_deref().or_else(|| environment.get("PULUMI_STACK"));
    name.is_some_and(|name| name.split('/').count() == 3)
}

/// The error when there is nothing to read.
pub(crate) fn nowhere(directory: &Path) -> Fault {
    Fault::usage(format!("there is no stack in {}", directory.display()))
        .cause("no Pulumi.yaml here or above, and no Terraform state or configuration")
        .help("add --cwd, --state or --backend")
}

fn directory(source: &Source) -> Result<PathBuf> {
    let about = |error: std::io::Error, shown: &Path| {
        Fault::usage(format!("cannot list the folder {}", shown.display())).cause(error.to_string())
    };
    let cwd = source.cwd.as_deref().unwrap_or(Path::new("."));
    let absolute = std::path::absolute(cwd).map_err(|error| about(error, cwd))?;
    // Symbolic links stay as they are, as in Pulumi, whose selected stack is remembered under the path as it was entered.
    let absolute: PathBuf = absolute.components().fold(PathBuf::new(), |mut path, component| {
        if component == std::path::Component::ParentDir {
            path.pop();
        } else {
            path.push(component);
        }
        path
    });
    std::fs::read_dir(&absolute).map_err(|error| about(error, &absolute))?;
    Ok(absolute)
}

fn terraform(source: &Source, environment: &Environment, directory: &Path, data_dir: &Path) -> Result<StateLocation> {
    let variable = source.stack.as_deref().or_else(|| environment.get("TF_WORKSPACE"));
    let workspace = local::workspace(variable, data_dir)?;
    if workspace.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Fault::usage(format!("`{}` cannot be a workspace", workspace.escape_debug())));
    }
    Ok(match backend(directory, data_dir, environment)? {
        None => StateLocation::Terraform { file: local::state(directory, &workspace), workspace },
        Some(backend) if backend.kind == "local" => {
            let file =
                directory.join(match (workspace.as_str(), backend.text("path"), backend.text("workspace_dir")) {
                    ("default", Some(path), _) => PathBuf::from(path),
                    (name, _, Some(folder)) if name != "default" => {
                        Path::new(folder).join(name).join("terraform.tfstate")
                    }
                    _ => local::state(directory, &workspace),
                });
            StateLocation::Terraform { file, workspace }
        }
        Some(backend) => StateLocation::Backend { backend, workspace, directory: directory.to_owned() },
    })
}

/// The backend that holds the project's state; `None` for the local default.
///
/// The configuration decides. A checkout in CI has no `.terraform`, and a local state file beside a remote backend is left over from
/// before the move: printing its values would deploy to a server that may be gone.
fn backend(directory: &Path, data_dir: &Path, environment: &Environment) -> Result<Option<Backend>> {
    let initialised = Backend::read(data_dir)?;
    let Some(configuration) = Configuration::find(directory)? else { return Ok(initialised) };
    let program = if configuration.is_opentofu() { "tofu" } else { "terraform" };
    let (block, initialised) = match (configuration.backend()?, initialised) {
        (None, None) => return Ok(None),
        (None, Some(stored)) => {
            let cause =
                format!("it was initialised for the backend `{}`, and its configuration names none", stored.kind);
            return Err(outdated(program, &stored.kind).cause(cause));
        }
        (Some(block), stored) => (block, stored),
    };
    let Some(stored) = initialised else {
        return match unusable(&block, environment) {
            None => Ok(Some(block.backend)),
            Some(cause) => Err(Fault::usage(format!("the backend `{}` is not initialised", block.backend.kind))
                .cause(cause)
                .help(initialise(program, &block.backend.kind))),
        };
    };
    match block.difference(&stored) {
        None => Ok(Some(stored)),
        Some(cause) => Err(outdated(program, &block.backend.kind).cause(cause)),
    }
}

fn outdated(program: &str, kind: &str) -> Fault {
    Fault::usage(format!("this project's backend was changed since `{program} init`")).help(initialise(program, kind))
}

fn initialise(program: &str, kind: &str) -> String {
    let state = match kind {
        "s3" => "s3://BUCKET/KEY",
        "gcs" => "gs://BUCKET/OBJECT",
        "azurerm" => "azblob://CONTAINER/BLOB?storage_account=NAME",
        "http" => "https://…",
        "local" => "FILE",
        _ => {
            return format!(
                "run `{program} init`, or pipe the outputs: {program} output -json | stack-output --state - NAME"
            );
        }
    };
    format!("run `{program} init`, or name the state itself: --state {state}")
}

/// Why a block does not name its state without `init`, which may be given further attributes.
fn unusable(block: &BackendBlock, environment: &Environment) -> Option<String> {
    let (file, backend) = (&block.file, &block.backend);
    if let Some(name) = block.unevaluated.first() {
        return Some(format!("`{name}` in {file} is not a literal"));
    }
    if backend.kind == "local" {
        // Others would be a misspelt path, and the default path another state.
        let arguments = ["path", "workspace_dir"];
        let is_read = |name: &str| arguments.contains(&name) && backend.string(name).is_some() || backend.is_null(name);
        let unknown = backend.names().find(|name| !is_read(name));
        return unknown.map(|name| format!("`{name}` in {file} is no argument of this backend, or not a string"));
    }
    let required: &[(&str, Option<&str>)] = match backend.kind.as_str() {
        "s3" => &[("bucket", None), ("key", None)],
        "gcs" => &[("bucket", None)],
        "azurerm" => &[("storage_account_name", None), ("container_name", None), ("key", None)],
        "http" => &[("address", Some("TF_HTTP_ADDRESS"))],
        "remote" | "cloud" => &[("organization", Some("TF_CLOUD_ORGANIZATION"))],
        _ => &[],
    };
    let is_missing = |(name, variable): &&(&str, Option<&str>)| {
        backend.text(name).is_none() && variable.is_none_or(|variable| environment.get(variable).is_none())
    };
    required.iter().find(is_missing).map(|(name, _)| format!("the block in {file} has no `{name}`"))
}

fn pulumi(
    source: &Source,
    environment: &Environment,
    directory: &Path,
    project: Option<&PulumiProject>,
) -> Result<StateLocation> {
    let of_project = || project.and_then(|project| Some((project.backend.as_deref()?, project.directory())));
    let account = pulumi_cloud::account(environment);
    let address = pulumi_cloud::address(environment);
    let given = source.backend.as_deref().map(|url| (url, directory));
    let logged_in = || account.current().map(|url| (url, directory));
    let (url, base) = given.or_else(of_project).or_else(logged_in).unwrap_or((&address, directory));
    let selected = || project?.selected_stack(pulumi_cloud::home(environment)?.as_path(), url);
    let named = source.stack.clone().or_else(|| environment.get("PULUMI_STACK").map(str::to_owned));
    let stack = named.clone();
    let reference = || named.or_else(selected).ok_or_else(no_stack)?.parse::<StackReference>();
    let project = project.map(|project| project.name.clone());
    let home = environment.home(HomeRule::PasswdFirst);
    match url.split_once("://") {
        Some(("file", rest)) => Ok(StateLocation::Store {
            store: DiskStore::from_url(rest, home.as_deref(), base),
            reference: reference()?,
            project,
        }),
        Some(("https" | "http", _)) => {
            Ok(StateLocation::Cloud { url: url.trim_end_matches('/').to_owned(), reference: reference()?, project })
        }
        _ if let Some(address) = store_url::StoreUrl::parse(url) => {
            Ok(StateLocation::Bucket { address: address?, reference: reference()?, project })
        }
        _ => {
            let fault = Fault::usage(format!("cannot read the Pulumi backend `{}`", scheme(url).escape_debug()))
                .cause("file://, s3://, gs://, azblob:// and https:// can be read; there is no `pulumi` on PATH to ask")
                .help("pipe the outputs: pulumi stack output --json | stack-output --state - NAME");
            Ok(StateLocation::Unsupported { fault, stack, directory: directory.to_owned() })
        }
    }
}

fn no_stack() -> Fault {
    Fault::usage("no stack is selected").help("add --stack, set PULUMI_STACK, or run `pulumi stack select`")
}

fn scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(scheme, _)| scheme)
}

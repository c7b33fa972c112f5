//! Finds the location of the stack's state, by the rules of the programs that own it.

use std::path::{Path, PathBuf};

use fault::{Fault, Result};
use runner::Environment;
use stack::pulumi::project::{PulumiProject, StackReference};
use stack::pulumi::store::DiskStore;
use stack::pulumi::store_url;
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
    /// The stack's name for the pulumi program, and where to start it.
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
        Fault::usage(format!("cannot look into the folder {}", shown.display())).cause(error.to_string())
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
    let workspace = local::workspace(variable, data_dir);
    if workspace.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Fault::usage(format!("`{}` cannot be a workspace", workspace.escape_debug())));
    }
    Ok(match Backend::read(data_dir)? {
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
    let home = environment.get("HOME").map(Path::new);
    match url.split_once("://") {
        Some(("file", rest)) => {
            Ok(StateLocation::Store { store: DiskStore::from_url(rest, home, base), reference: reference()?, project })
        }
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

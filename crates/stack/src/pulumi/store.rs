//! A self-managed store: the `.pulumi` folder that Pulumi keeps on a disk or in a bucket, and the place of a stack's state in it.
//!
//! Source: pulumi/pulumi `pkg/backend/diy/{backend,meta,state,store}.go`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fault::{Fault, Result, nearest};

use yaml::Yaml;

use super::project::StackReference;
use crate::files;

/// The suffixes that a state's file may have. The compression is recognised by content all the same.
pub const SUFFIXES: [&str; 3] = [".json", ".json.gz", ".json.zst"];

/// How states are named below `.pulumi/stacks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `<project>/<stack>.json`, version 1.
    Project,
    /// `<stack>.json`, version 0, which new versions of Pulumi refuse.
    Legacy,
}

impl Layout {
    /// The layout that `meta.yaml` names.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] if it names no version or one we do not know.
    pub(crate) fn from_meta(text: &str) -> Result<Self> {
        let about = |cause: String| Fault::usage("cannot read the store's .pulumi/meta.yaml").cause(cause);
        let documents = yaml::documents(text).map_err(|error| about(error.to_string()))?;
        let version = documents.first().and_then(|meta| meta.as_mapping_get("version")).and_then(Yaml::as_integer);
        match version {
            Some(1) => Ok(Self::Project),
            Some(0) => Ok(Self::Legacy),
            Some(version) => Err(about(format!("its version is {version}; 0 and 1 are known"))
                .help("update stack-output, or read this stack with the `pulumi` program")),
            None => {
                Err(about("it has no `version`".to_owned()).help("restore it: `version: 1` for a store with projects"))
            }
        }
    }

    /// The state's path below the store, without its suffix; `project` is the working directory's.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for an organization, which a self-managed store does not have, and for a missing project.
    pub fn state(self, reference: &StackReference, project: Option<&str>) -> Result<String> {
        if let Some(organization) = &reference.organization
            && organization != "organization"
        {
            return Err(Fault::usage(format!("a self-managed store has no organization `{organization}`"))
                .help("write the stack as organization/<project>/<stack>, with that very word"));
        }
        if self == Self::Legacy {
            return Ok(format!(".pulumi/stacks/{}", reference.stack));
        }
        let project = reference.project.as_deref().or(project).ok_or_else(|| {
            Fault::usage(format!("the project of the stack `{}` is not known", reference.stack))
                .cause("there is no Pulumi.yaml here or above")
                .help("add --cwd, or write the stack as organization/<project>/<stack>")
        })?;
        Ok(format!(".pulumi/stacks/{project}/{}", reference.stack))
    }
}

/// One file of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFile {
    /// The file's name, without folders.
    pub name: String,
    /// When it was last written.
    pub modified: SystemTime,
}

/// The file that holds `stack`'s state, among the files of its folder. If a change of compression left several, it is the
/// newest.
#[must_use]
pub fn newest<'a>(entries: &'a [StoreFile], stack: &str) -> Option<&'a StoreFile> {
    let is_state = |entry: &&StoreFile| SUFFIXES.iter().any(|suffix| entry.name.strip_suffix(suffix) == Some(stack));
    entries.iter().filter(is_state).max_by_key(|entry| entry.modified)
}

/// The names of the stacks among the files of a folder.
#[must_use]
pub fn stacks(entries: &[StoreFile]) -> Vec<&str> {
    let stack = |entry: &'_ StoreFile| -> Option<usize> {
        SUFFIXES.iter().find_map(|suffix| entry.name.strip_suffix(suffix)).map(str::len)
    };
    let mut names: Vec<&str> = entries.iter().filter_map(|entry| stack(entry).map(|end| &entry.name[..end])).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The error for a `stack` that is not in `place`, which contains `entries`.
#[must_use]
pub(crate) fn no_such_stack(stack: &str, place: &str, entries: &[StoreFile]) -> Fault {
    let names = stacks(entries);
    let fault = Fault::failed(format!("there is no stack `{stack}` in {place}"));
    match nearest(stack, names.iter().copied()) {
        Some(name) => fault.help(format!("add --stack {name}, the nearest name")),
        None if names.is_empty() => {
            fault.cause("no state file there").help("check --cwd, --backend and the project's name")
        }
        None => fault.cause(format!("its stacks: {}", names[..names.len().min(12)].join(", "))),
    }
}

/// A store on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskStore {
    /// The folder that holds `.pulumi`.
    pub root: PathBuf,
}

impl DiskStore {
    /// The folder that a `file://` address names: `~` is `home`, and a relative path is relative to `base`.
    #[must_use]
    pub fn from_url(rest: &str, home: Option<&Path>, base: &Path) -> Self {
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let root = match (path.strip_prefix('~'), home) {
            (Some(below), Some(home)) if below.is_empty() || below.starts_with('/') => {
                home.join(below.trim_start_matches('/'))
            }
            _ => base.join(path),
        };
        Self { root }
    }

    /// The file that holds a stack's state.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] if the store cannot be read, [`fault::Kind::Failed`] if the stack does not exist.
    pub fn state(&self, reference: &StackReference, project: Option<&str>) -> Result<PathBuf> {
        let layout = self.layout()?;
        let state = self.root.join(layout.state(reference, project)?);
        let folder = state.parent().unwrap_or(&self.root);
        let entries = entries(folder)?;
        match newest(&entries, &reference.stack) {
            Some(entry) => Ok(folder.join(&entry.name)),
            None => Err(no_such_stack(&reference.stack, &folder.display().to_string(), &entries)),
        }
    }

    fn layout(&self) -> Result<Layout> {
        let meta = self.root.join(".pulumi/meta.yaml");
        match files::read_text(&meta) {
            Ok(text) => Layout::from_meta(&text).map_err(|fault| fault.cause(meta.display().to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.layout_without_meta(),
            Err(error) => Err(Fault::usage(format!("cannot read {}", meta.display())).cause(error.to_string())),
        }
    }

    /// A store from before there was a `meta.yaml` has states in the folder that has projects now.
    fn layout_without_meta(&self) -> Result<Layout> {
        let folder = self.root.join(".pulumi/stacks");
        if !folder.is_dir() {
            return Err(Fault::usage(format!("there is no Pulumi store in {}", self.root.display()))
                .cause(format!("{} is not a folder", folder.display()))
                .help("check the backend's address: --backend, PULUMI_BACKEND_URL or backend.url in Pulumi.yaml"));
        }
        Ok(if stacks(&entries(&folder)?).is_empty() { Layout::Project } else { Layout::Legacy })
    }
}

fn entries(folder: &Path) -> Result<Vec<StoreFile>> {
    let about =
        |error: std::io::Error| Fault::usage(format!("cannot list {}", folder.display())).cause(error.to_string());
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(about(error)),
    };
    let mut entries = Vec::new();
    for entry in listing {
        let entry = entry.map_err(about)?;
        let metadata = std::fs::metadata(entry.path()).map_err(about)?;
        if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
            entries.push(StoreFile { name, modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH) });
        }
    }
    Ok(entries)
}

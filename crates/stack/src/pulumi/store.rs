//! A store of one's own: the `.pulumi` folder that Pulumi keeps on a disk or in a bucket, and where in it a stack's state stands.
//!
//! Source: pulumi/pulumi `pkg/backend/diy/{backend,meta,state,store}.go`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fault::{Fault, Result, nearest};

use yaml::Yaml;

use super::project::Reference;

/// The names a state may have, by packing; told apart by content all the same.
pub const SUFFIXES: [&str; 3] = [".json", ".json.gz", ".json.zst"];

/// Where stacks stand below `.pulumi/stacks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `<project>/<stack>.json`, version 1.
    Project,
    /// `<stack>.json`, version 0, which new versions of Pulumi refuse.
    Legacy,
}

impl Layout {
    /// What `meta.yaml` says.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] when it says nothing or a version we do not know.
    pub fn of_meta(text: &str) -> Result<Self> {
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

    /// The state's path below the store, without its suffix; `project` is the one of the working directory.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a reference that a store cannot hold, or one that needs a project and has none.
    pub fn state(self, reference: &Reference, project: Option<&str>) -> Result<String> {
        if let Some(organization) = &reference.organization
            && organization != "organization"
        {
            return Err(Fault::usage(format!("a store of one's own has no organization `{organization}`"))
                .help("write the stack as organization/<project>/<stack>, with that very word"));
        }
        if self == Self::Legacy {
            return Ok(format!(".pulumi/stacks/{}", reference.stack));
        }
        let project = reference.project.as_deref().or(project).ok_or_else(|| {
            Fault::usage(format!("which project's stack `{}` is meant is not known", reference.stack))
                .cause("there is no Pulumi.yaml here or above")
                .help("add --cwd, or write the stack as organization/<project>/<stack>")
        })?;
        Ok(format!(".pulumi/stacks/{project}/{}", reference.stack))
    }
}

/// One file of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without folders.
    pub name: String,
    /// When it was last written.
    pub modified: SystemTime,
}

/// The file that holds `stack`'s state among those of its folder: the newest, where a change of compression left several.
#[must_use]
pub fn newest<'a>(entries: &'a [Entry], stack: &str) -> Option<&'a Entry> {
    let is_state = |entry: &&Entry| SUFFIXES.iter().any(|suffix| entry.name.strip_suffix(suffix) == Some(stack));
    entries.iter().filter(is_state).max_by_key(|entry| entry.modified)
}

/// The names of the stacks among the files of a folder.
#[must_use]
pub fn stacks(entries: &[Entry]) -> Vec<&str> {
    let stack = |entry: &'_ Entry| -> Option<usize> {
        SUFFIXES.iter().find_map(|suffix| entry.name.strip_suffix(suffix)).map(str::len)
    };
    let mut names: Vec<&str> = entries.iter().filter_map(|entry| stack(entry).map(|end| &entry.name[..end])).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Says that `stack` is not in `place`, which holds `entries`.
#[must_use]
pub fn no_such_stack(stack: &str, place: &str, entries: &[Entry]) -> Fault {
    let names = stacks(entries);
    let fault = Fault::no(format!("there is no stack `{stack}` in {place}"));
    match nearest(stack, names.iter().copied()) {
        Some(name) => fault.help(format!("add --stack {name}, the nearest name")),
        None if names.is_empty() => {
            fault.cause("no state stands there").help("check --cwd, --backend and the project's name")
        }
        None => fault.cause(format!("its stacks: {}", names[..names.len().min(12)].join(", "))),
    }
}

/// A store on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The folder that holds `.pulumi`.
    pub root: PathBuf,
}

impl Directory {
    /// The folder that a `file://` address names: `~` is `home`, and what is relative is so to `base`.
    #[must_use]
    pub fn of_url(rest: &str, home: Option<&Path>, base: &Path) -> Self {
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
    /// [`fault::Kind::Usage`] when the store cannot be read, [`fault::Kind::No`] when the stack is not there.
    pub fn state(&self, reference: &Reference, project: Option<&str>) -> Result<PathBuf> {
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
        match std::fs::read_to_string(&meta) {
            Ok(text) => Layout::of_meta(&text).map_err(|fault| fault.cause(meta.display().to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.layout_without_meta(),
            Err(error) => Err(Fault::usage(format!("cannot read {}", meta.display())).cause(error.to_string())),
        }
    }

    /// A store from before there was a `meta.yaml` has states where projects stand now.
    fn layout_without_meta(&self) -> Result<Layout> {
        let folder = self.root.join(".pulumi/stacks");
        if !folder.is_dir() {
            return Err(Fault::usage(format!("there is no Pulumi store in {}", self.root.display()))
                .cause(format!("{} is no folder", folder.display()))
                .help("check the backend's address: --backend, PULUMI_BACKEND_URL or backend.url in Pulumi.yaml"));
        }
        Ok(if stacks(&entries(&folder)?).is_empty() { Layout::Project } else { Layout::Legacy })
    }
}

fn entries(folder: &Path) -> Result<Vec<Entry>> {
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
            entries.push(Entry { name, modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH) });
        }
    }
    Ok(entries)
}

//! The pointer that `terraform init` leaves in `.terraform/terraform.tfstate`: which backend holds the state.
//!
//! Attributes that the environment sets stay null in it, so variables are read after it. Source: `internal/command/workdir`.

use std::path::Path;

use fault::{Fault, Result};

use crate::files;
use crate::json::{self, Json};

/// A backend, with every attribute that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// `s3`, `http`, `remote`, …
    pub kind: String,
    config: Option<Json>,
}

impl Backend {
    /// The backend that the pointer in `data_dir` names; `None` without a pointer.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] if the pointer cannot be read.
    pub fn read(data_dir: &Path) -> Result<Option<Self>> {
        let file = data_dir.join("terraform.tfstate");
        let about = |cause: String| Fault::usage(format!("cannot read {}", file.display())).cause(cause);
        let text = match files::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(about(error.to_string())),
        };
        let pointer = json::parse(&text).map_err(|broken| about(Fault::from(broken).message))?;
        if pointer.get("state_store").is_some_and(|store| *store != Json::Null) {
            return Err(about("the state is in a provider's store, which only terraform reads".to_owned()));
        }
        let Some(backend) = pointer.get("backend").filter(|backend| **backend != Json::Null) else { return Ok(None) };
        let kind = backend.text_of("type").ok_or_else(|| about("its backend has no type".to_owned()))?;
        Ok(Some(Self { kind: kind.to_owned(), config: backend.get("config").cloned() }))
    }

    /// A backend with these attributes.
    pub(crate) fn new(kind: String, config: Json) -> Self {
        Self { kind, config: Some(config) }
    }

    /// Its attributes, by name.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &Json)> {
        let map = match &self.config {
            Some(Json::Map(map)) => Some(map),
            _ => None,
        };
        map.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// The names of its attributes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.attributes().map(|(name, _)| name)
    }

    /// Whether an attribute is null, which means that it is not set.
    #[must_use]
    pub fn is_null(&self, name: &str) -> bool {
        self.attribute(name) == Some(&Json::Null)
    }

    /// An attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&Json> {
        self.config.as_ref()?.get(name)
    }

    /// An attribute that is a string, which may be empty.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<&str> {
        self.config.as_ref()?.text_of(name)
    }

    /// An attribute that is a string and not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.config.as_ref()?.text_of(name).filter(|text| !text.is_empty())
    }

    /// An attribute of a block: `endpoints`, `workspaces`. A block may be wrapped in a list of one.
    #[must_use]
    pub fn nested(&self, block: &str, name: &str) -> Option<&str> {
        self.block(block)?.text_of(name).filter(|text| !text.is_empty())
    }

    /// Whether an attribute of a block is set, as [`Backend::is_set`].
    #[must_use]
    pub fn nested_is_set(&self, block: &str, name: &str) -> bool {
        self.block(block).and_then(|block| block.get(name)).is_some_and(is_something)
    }

    fn block(&self, name: &str) -> Option<&Json> {
        match self.config.as_ref()?.get(name)? {
            Json::List(list) => list.first(),
            block => Some(block),
        }
    }

    /// Whether an attribute is set and neither false nor empty.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.config.as_ref().and_then(|config| config.get(name)).is_some_and(is_something)
    }

    /// The first of `names` that is set. For attributes that we do not support: ignoring one would read another state.
    #[must_use]
    pub fn first_set<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.is_set(name))
    }
}

fn is_something(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => false,
        Json::Text(text) => !text.is_empty(),
        Json::List(list) => !list.is_empty(),
        Json::Map(map) => !map.is_empty(),
        _ => true,
    }
}

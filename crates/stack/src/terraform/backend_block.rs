//! The block of a configuration that names the backend, compared with the backend that `init` stored.

use std::collections::BTreeMap;

use super::hcl::{Block, Body};
use super::pointer::Backend;
use crate::json::Json;

/// The block of the configuration that names where the state is stored: `backend "s3" { … }` or `cloud { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendBlock {
    /// The backend with the attributes that are literals; its kind is `cloud` for the second form.
    pub backend: Backend,
    /// The attributes whose values would have to be evaluated first.
    pub unevaluated: Vec<String>,
    /// The name of the file it is in.
    pub file: String,
}

impl BackendBlock {
    pub(super) fn of(block: &Block, file: &str) -> Option<Self> {
        let kind = match (block.kind.as_str(), block.labels.first()) {
            ("backend", Some(kind)) => kind.clone(),
            ("cloud", _) => "cloud".to_owned(),
            _ => return None,
        };
        let (mut config, mut unevaluated) = (BTreeMap::new(), Vec::new());
        read_literals(&block.body, "", &mut config, &mut unevaluated);
        Some(Self { backend: Backend::new(kind, Json::Map(config)), unevaluated, file: file.to_owned() })
    }

    /// In what the backend that `terraform init` stored differs from this block; `None` if it may have come from it. Attributes
    /// that the block leaves out may come from `-backend-config`.
    #[must_use]
    pub fn difference(&self, initialised: &Backend) -> Option<String> {
        let (block, stored) = (&self.backend, initialised);
        if block.kind != stored.kind {
            return Some(format!(
                "it was initialised for the backend `{}`, and {} names `{}`",
                stored.kind, self.file, block.kind
            ));
        }
        let differs = block.attributes().find(|(name, value)| !agrees(value, stored.attribute(name)));
        differs.map(|(name, _)| format!("`{name}` of the backend `{}` was changed in {} since", block.kind, self.file))
    }
}

fn read_literals(body: &Body, before: &str, config: &mut BTreeMap<String, Json>, unevaluated: &mut Vec<String>) {
    for (name, value) in &body.attributes {
        match value.literal() {
            // Strings, wherever a number can be one: `key = 5` names the object `5`.
            Some(Json::Number(text)) => {
                config.insert(name.clone(), Json::Text(text));
            }
            Some(value) => {
                config.insert(name.clone(), value);
            }
            None => unevaluated.push(format!("{before}{name}")),
        }
    }
    for block in &body.blocks {
        let mut inner = BTreeMap::new();
        read_literals(&block.body, &format!("{before}{}.", block.kind), &mut inner, unevaluated);
        config.insert(block.kind.clone(), Json::Map(inner));
    }
}

/// Whether a literal of the configuration and what was stored for it are the same. A block may be stored in a list of one, a set in
/// another order, and a number or a bool as a string.
fn agrees(literal: &Json, stored: Option<&Json>) -> bool {
    match (literal, stored.unwrap_or(&Json::Null)) {
        (Json::Null, _) => true,
        (Json::Map(map), Json::List(list)) if list.len() == 1 => {
            map.iter().all(|(name, value)| agrees(value, list[0].get(name)))
        }
        (Json::Map(map), stored @ Json::Map(_)) => map.iter().all(|(name, value)| agrees(value, stored.get(name))),
        (Json::Map(map), Json::Null) => map.is_empty(),
        (Json::List(list), Json::List(stored)) => {
            list.len() == stored.len() && list.iter().all(|item| stored.iter().any(|stored| agrees(item, Some(stored))))
        }
        (literal, stored) => scalar(literal).is_some_and(|literal| scalar(stored) == Some(literal)),
    }
}

fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(text) | Json::Text(text) => Some(text.clone()),
        _ => None,
    }
}

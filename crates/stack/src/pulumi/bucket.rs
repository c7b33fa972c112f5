//! A self-managed store in a bucket.
//!
//! All names that a state may have are requested at once instead of listing the folder. That takes one round trip and needs no
//! permission to list.

use std::time::SystemTime;

use clouds::{Object, Store};
use fault::{Fault, Kind, Result};
use futures_util::future::join_all;

use super::project::StackReference;
use super::store::{Layout, SUFFIXES, StoreFile, no_such_stack, stacks};

/// The most bytes of a `meta.yaml` that are read; it has one line.
const META_LIMIT: u64 = 64 * 1024;

/// Opens a stack's state for reading.
///
/// # Errors
/// [`Kind::Failed`] if the stack does not exist; the errors of [`Store::get`].
pub async fn state(store: &Store, prefix: &str, reference: &StackReference, project: Option<&str>) -> Result<Object> {
    let meta = store.get(&format!("{prefix}.pulumi/meta.yaml")).await?;
    let layout = if let Some(meta) = meta {
        Layout::from_meta(&String::from_utf8_lossy(&meta.bytes(META_LIMIT).await?))?
    } else {
        // A store from before there was a `meta.yaml` has states where the folders of projects are now.
        let stem = format!("{prefix}{}", Layout::Legacy.state(reference, project)?);
        if let Some(object) = variants(store, &stem).await? {
            return Ok(object);
        }
        Layout::Project
    };
    let stem = format!("{prefix}{}", layout.state(reference, project)?);
    match variants(store, &stem).await? {
        Some(object) => Ok(object),
        None => Err(missing(store, &stem, &reference.stack).await),
    }
}

/// The newest of the objects that hold the state at `stem`, compressed or not.
async fn variants(store: &Store, stem: &str) -> Result<Option<Object>> {
    let asked = SUFFIXES.map(|suffix| format!("{stem}{suffix}"));
    newest(join_all(asked.iter().map(|key| store.get(key))).await)
}

/// The error for a stack that does not exist, with the nearest name if the store can be listed. `stem` is the key of its state.
async fn missing(store: &Store, stem: &str, stack: &str) -> Fault {
    let folder = stem.strip_suffix(stack).unwrap_or(stem);
    let keys = store.keys(folder).await;
    let names = keys.iter().filter_map(|key| key.strip_prefix(folder)).filter(|name| !name.contains('/'));
    let files: Vec<_> =
        names.map(|name| StoreFile { name: name.to_owned(), modified: SystemTime::UNIX_EPOCH }).collect();
    if stacks(&files).is_empty() {
        return Fault::failed(format!("there is no stack `{stack}` in the bucket"))
            .cause(format!("none of {}", SUFFIXES.map(|suffix| format!("{stem}{suffix}")).join(", ")))
            .help("check --stack, --backend and the project's name");
    }
    no_such_stack(stack, "the bucket", &files)
}

/// The newest of the objects that exist. Without the permission to list, S3 answers 403 for those that do not, so a refusal
/// only counts if no object was found.
fn newest(answers: Vec<Result<Option<Object>>>) -> Result<Option<Object>> {
    let (mut found, mut refused): (Option<Object>, _) = (None, None);
    for answer in answers {
        match answer {
            Ok(Some(object)) if found.as_ref().is_none_or(|found| object.modified > found.modified) => {
                found = Some(object);
            }
            Ok(_) => {}
            Err(fault) if fault.kind == Kind::Permission => refused = Some(fault),
            Err(fault) => return Err(fault),
        }
    }
    match (found, refused) {
        (Some(object), _) => Ok(Some(object)),
        (None, Some(fault)) => Err(fault),
        (None, None) => Ok(None),
    }
}

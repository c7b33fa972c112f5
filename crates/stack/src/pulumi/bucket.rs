//! A self-managed store in a bucket.
//!
//! All names that a state may have are requested at once instead of listing the folder. That takes one round trip and needs no
//! permission to list.

use clouds::{Object, Store};
use fault::{Fault, Kind, Result};
use futures_util::future::join_all;

use super::project::StackReference;
use super::store::{Layout, SUFFIXES};

/// The most bytes of a `meta.yaml` that are read; it has one line.
const META_LIMIT: u64 = 64 * 1024;

/// Opens a stack's state for reading.
///
/// # Errors
/// [`Kind::No`] if the stack does not exist; the errors of [`Store::get`].
pub async fn state(store: &Store, prefix: &str, reference: &StackReference, project: Option<&str>) -> Result<Object> {
    let layout = match store.get(&format!("{prefix}.pulumi/meta.yaml")).await? {
        Some(meta) => Layout::from_meta(&String::from_utf8_lossy(&meta.bytes(META_LIMIT).await?))?,
        None => Layout::Project,
    };
    let stem = layout.state(reference, project)?;
    let asked = SUFFIXES.map(|suffix| format!("{prefix}{stem}{suffix}"));
    let answers = join_all(asked.iter().map(|key| store.get(key))).await;
    newest(answers)?.ok_or_else(|| {
        Fault::no(format!("there is no stack `{}` in the bucket", reference.stack))
            .cause(format!("none of {}", asked.join(", ")))
            .help("check --stack, --backend and the project's name")
    })
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

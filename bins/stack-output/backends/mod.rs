//! Terraform's remote backends: the attributes of the backend, what variables add to them, and the state they lead to.

pub(crate) mod azurerm;
mod hcp;
pub(crate) mod http;
pub(crate) mod s3_gcs;
pub(crate) mod stores;

use clouds::Store;
use fault::{Fault, Result, nearest};
use stack::pulumi::store_url::StoreUrl;
use stack::terraform::pointer::Backend;
use stack::{Decryption, Dialect, Outputs, StackDocument, source};

use crate::loaded::Stack;
use crate::sign_in::{Session, Support};

/// Reads the workspace from `backend`.
pub(crate) async fn read(backend: &Backend, workspace: &str, session: Session<'_>) -> Result<Support<Stack>> {
    if let Some(fault) = unsupported(backend) {
        return Ok(Support::NeedsProgram(without_program(fault)));
    }
    let name = format!("the workspace `{workspace}`");
    let store = match backend.kind.as_str() {
        "s3" => s3_gcs::s3(backend, workspace, session).await?,
        "gcs" => Support::Native(s3_gcs::gcs(backend, workspace, session).await?),
        "azurerm" => azurerm::open(backend, workspace, session).await?,
        "http" => {
            let document = http::from_backend(backend, workspace, &name, session).await?;
            let document = document.unwrap_or_else(nothing).from_backend(&name)?;
            return Stack::of_document(name, document, Some(workspace), session).await.map(Support::Native);
        }
        _ => return hcp::stack(backend, workspace, session).await.map(Support::Native),
    };
    let (store, key) = match store {
        Support::Native(found) => found,
        Support::NeedsProgram(fault) => return Ok(Support::NeedsProgram(without_program(fault))),
    };
    let document = match store.get(&key).await? {
        Some(object) => source::answer(object.answer, &name, session.secrets()).await?,
        None if workspace == "default" => None,
        // Every other workspace exists only by its state: --default must not hide a mistyped name.
        None => {
            let fault = Fault::failed(format!("the workspace `{workspace}` does not exist"))
                .cause(format!("the backend `{}` has nothing at `{key}`", backend.kind));
            return Err(match nearest_workspace(&store, &key, workspace).await {
                Some(name) => fault.help(format!("add --stack {name}, the nearest name")),
                None => fault.help("check --stack and TF_WORKSPACE"),
            });
        }
    };
    let document = document.unwrap_or_else(nothing).from_backend(&name)?;
    Stack::of_document(name, document, Some(workspace), session).await.map(Support::Native)
}

/// The workspace with the nearest name, if the store can be listed.
async fn nearest_workspace(store: &Store, key: &str, workspace: &str) -> Option<String> {
    let (before, after) = key.split_once(&format!("{workspace}/"))?;
    let keys = store.keys(before).await;
    let names: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix(before)?.strip_suffix(after)).collect();
    let names = names.iter().filter_map(|name| name.strip_suffix('/'));
    nearest(workspace, names).map(str::to_owned)
}

fn nothing() -> StackDocument {
    StackDocument::Outputs(Outputs::nothing(Dialect::Terraform, "it has no state: nothing was applied"))
}

/// Why this backend cannot be read as terraform would: an unknown type, or an attribute that is not supported.
fn unsupported(backend: &Backend) -> Option<Fault> {
    let attributes: &[&str] = match backend.kind.as_str() {
        "s3" => s3_gcs::UNSUPPORTED_S3,
        "gcs" => s3_gcs::UNSUPPORTED_GCS,
        "azurerm" => azurerm::UNSUPPORTED,
        "http" => &["skip_cert_verification", "client_ca_certificate_pem", "client_certificate_pem"],
        "remote" | "cloud" => &[],
        kind => {
            let message = format!("cannot read Terraform's backend `{}`", kind.escape_debug());
            return Some(Fault::usage(message).cause("local, s3, gcs, azurerm, http, remote and cloud can be read"));
        }
    };
    let name = backend.first_set(attributes)?;
    Some(Fault::usage(format!("backend `{}`: `{name}` is not supported", backend.kind)))
}

/// The error if neither program is installed.
fn without_program(fault: Fault) -> Fault {
    let fault = fault.cause("there is neither `terraform` nor `tofu` on PATH to ask");
    match &fault.help {
        Some(_) => fault,
        None => fault.help("pipe the outputs: terraform output -json | stack-output --state - NAME"),
    }
}

/// The document at an address of `--state`; over http with the login of Terraform's `http` backend if one is set. `None` if
/// nothing was found there.
pub(crate) async fn address(
    url: &str,
    shown: &str,
    secrets: Decryption,
    session: Session<'_>,
) -> Result<Option<StackDocument>> {
    if let Some(place) = StoreUrl::parse(url) {
        let place = place?;
        return match stores::object(&place.bucket, place.prefix.trim_end_matches('/'), session).await? {
            Some(object) => source::answer(object.answer, shown, secrets).await,
            None => Ok(None),
        };
    }
    if !matches!(url.split_once("://"), Some(("http" | "https", _))) {
        return Err(Fault::usage("cannot read the address of --state")
            .help("name a file, `-`, https://…, s3://bucket/key, gs://bucket/object or azblob://container/blob"));
    }
    http::of_address(url, shown, session).await
}

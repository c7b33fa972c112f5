//! Terraform's backends elsewhere: what the pointer says, what variables add, and the state behind them.

use std::path::Path;

use api::{Base, Deadline};
use cli::Console;
use credentials::Credentials;
use fault::{Fault, Result};
use runner::Environment;
use secrecy::{ExposeSecret as _, SecretString};
use stack::pulumi::address::Place;
use stack::terraform::http;
use stack::terraform::pointer::Backend;
use stack::terraform::remote::Remote;
use stack::{Dialect, Document, Outputs, Secrets, source};

use crate::args::Args;
use crate::gather::{Origin, Stack, of_document};
use crate::session::{Reached, Session};
use crate::{azurerm, object_backends, stores};

/// Reads the workspace from `backend`.
pub(crate) async fn read(
    backend: &Backend,
    workspace: &str,
    secrets: Secrets,
    args: &Args,
    console: &Console,
) -> Result<Reached<Stack>> {
    if let Some(fault) = beyond(backend) {
        return Ok(Reached::Beyond(asked(fault)));
    }
    let name = format!("the workspace `{workspace}`");
    let session = Session::new(args, console);
    let store = match backend.kind.as_str() {
        "s3" => object_backends::s3(backend, workspace, session).await?,
        "gcs" => Reached::Here(object_backends::gcs(backend, workspace, session).await?),
        "azurerm" => azurerm::open(backend, workspace, session).await?,
        "http" => {
            let document = http(backend, workspace, &name, secrets, args, console).await?;
            let document = document.unwrap_or_else(nothing).of_backend(&name)?;
            return of_document(name, document, args, console).await.map(Reached::Here);
        }
        _ => return remote(backend, workspace, args, console).await.map(Reached::Here),
    };
    let (store, key) = match store {
        Reached::Here(found) => found,
        Reached::Beyond(fault) => return Ok(Reached::Beyond(asked(fault))),
    };
    let document = match store.get(&key).await? {
        Some(object) => source::answer(object.answer, &name, secrets).await?,
        None => None,
    };
    let document = document.unwrap_or_else(nothing).of_backend(&name)?;
    of_document(name, document, args, console).await.map(Reached::Here)
}

fn nothing() -> Document {
    Document::Outputs(Outputs::nothing(Dialect::Terraform, "it has no state: nothing was applied"))
}

/// What keeps us from reading this backend as terraform does: a kind we do not speak to, or an attribute whose meaning we do not
/// keep.
fn beyond(backend: &Backend) -> Option<Fault> {
    let attributes: &[&str] = match backend.kind.as_str() {
        "s3" => object_backends::BEYOND_S3,
        "gcs" => object_backends::BEYOND_GCS,
        "azurerm" => azurerm::BEYOND,
        "http" => &["skip_cert_verification", "client_ca_certificate_pem", "client_certificate_pem"],
        "remote" | "cloud" => &[],
        kind => {
            let message = format!("cannot read Terraform's backend `{}`", kind.escape_debug());
            return Some(Fault::usage(message).cause("local, s3, gcs, azurerm, http, remote and cloud can be read"));
        }
    };
    let name = backend.first_set(attributes)?;
    Some(Fault::usage(format!("cannot keep `{name}` of Terraform's backend `{}`", backend.kind)))
}

/// The error where neither program is there to be asked.
fn asked(fault: Fault) -> Fault {
    let fault = fault.cause("there is neither `terraform` nor `tofu` on PATH to ask");
    match &fault.help {
        Some(_) => fault,
        None => fault.help("pipe the outputs: terraform output -json | stack-output --state - NAME"),
    }
}

/// The document at an address of `--state`; over http with the login of Terraform's `http` backend, where one is set. `None` when
/// there is nothing.
pub(crate) async fn address(
    url: &str,
    shown: &str,
    secrets: Secrets,
    args: &Args,
    console: &Console,
) -> Result<Option<Document>> {
    if let Some(place) = Place::of_url(url) {
        let place = place?;
        let session = Session::new(args, console);
        return match stores::object(&place.bucket, place.prefix.trim_end_matches('/'), session).await? {
            Some(object) => source::answer(object.answer, shown, secrets).await,
            None => Ok(None),
        };
    }
    let deadline = Deadline::after(args.source.deadline);
    if !matches!(url.split_once("://"), Some(("http" | "https", _))) {
        return Err(Fault::usage("cannot read the address of --state")
            .help("name a file, `-`, https://…, s3://bucket/key, gs://bucket/object or azblob://container/blob"));
    }
    let login = match console.environment().get("TF_HTTP_USERNAME") {
        Some(user) => Some((user.to_owned(), credential("TF_HTTP_PASSWORD", deadline, console).await?)),
        None => None,
    };
    http::document(url, login.as_ref(), shown, secrets, deadline).await
}

async fn http(
    backend: &Backend,
    workspace: &str,
    name: &str,
    secrets: Secrets,
    args: &Args,
    console: &Console,
) -> Result<Option<Document>> {
    if workspace != "default" {
        return Err(Fault::usage(format!("Terraform's backend `http` has no workspace `{workspace}`, only `default`")));
    }
    let environment = console.environment();
    let attribute =
        |name: &str, variable: &str| backend.text(name).or_else(|| environment.get(variable)).map(str::to_owned);
    let address = attribute("address", "TF_HTTP_ADDRESS")
        .ok_or_else(|| Fault::usage("Terraform's backend `http` has no `address`").help("set TF_HTTP_ADDRESS"))?;
    let deadline = Deadline::after(args.source.deadline);
    let login = match attribute("username", "TF_HTTP_USERNAME") {
        None => None,
        Some(user) => {
            let password = match backend.text("password") {
                Some(password) => SecretString::from(password.to_owned()),
                None => credential("TF_HTTP_PASSWORD", deadline, console).await?,
            };
            // Exposed to be masked.
            console.mask(&[password.expose_secret().to_owned()]);
            Some((user, password))
        }
    };
    http::document(&address, login.as_ref(), name, secrets, deadline).await
}

async fn credential(name: &str, deadline: Deadline, console: &Console) -> Result<SecretString> {
    let mask = |values: &[String]| console.mask(values);
    Ok(Credentials::new(console.environment(), deadline).require(name, &mask).await?.value)
}

async fn remote(backend: &Backend, workspace: &str, args: &Args, console: &Console) -> Result<Stack> {
    let environment = console.environment();
    let attribute =
        |name: &str, variable: &str| backend.text(name).or_else(|| environment.get(variable)).map(str::to_owned);
    let host = attribute("hostname", "TF_CLOUD_HOSTNAME").unwrap_or_else(|| "app.terraform.io".to_owned());
    let organization = attribute("organization", "TF_CLOUD_ORGANIZATION")
        .ok_or_else(|| Fault::usage("Terraform's backend has no `organization`").help("set TF_CLOUD_ORGANIZATION"))?;
    let workspace = remote_workspace(backend, workspace)?;
    let deadline = Deadline::after(args.source.deadline);
    let token = match backend.text("token").map(str::to_owned).or_else(|| logged_in(&host, environment)) {
        Some(token) => SecretString::from(token),
        None => credential(&variable(&host), deadline, console).await?,
    };
    // Exposed to be masked.
    console.mask(&[token.expose_secret().to_owned()]);
    let base: Base = if host.contains("://") { host } else { format!("https://{host}") }.parse()?;
    let remote = Remote::new(base, token, deadline)?;
    let outputs = remote.outputs(&organization, &workspace).await?;
    Ok(Stack { name: format!("the workspace `{workspace}`"), outputs, origin: Origin::Remote(remote) })
}

/// The workspace's name in the organization. The configuration names one, or several by a prefix or tags, and then one has to be
/// selected: `default` is only what terraform calls none.
fn remote_workspace(backend: &Backend, selected: &str) -> Result<String> {
    match (backend.nested("workspaces", "name"), backend.nested("workspaces", "prefix"), selected) {
        (Some(name), _, selected) if selected != "default" && selected != name => {
            Err(Fault::usage(format!("Terraform's backend has the workspace `{name}`, and no `{selected}`"))
                .help("leave --stack and TF_WORKSPACE away, or run `terraform init` for another workspace"))
        }
        (Some(name), ..) => Ok(name.to_owned()),
        (None, _, "default") => Err(Fault::usage("which workspace is meant is not known")
            .cause("Terraform's backend names several, by a prefix or by tags, and none is selected")
            .help("add --stack, set TF_WORKSPACE, or run `terraform workspace select`")),
        (None, prefix, selected) => Ok(format!("{}{selected}", prefix.unwrap_or_default())),
    }
}

/// The variable that holds a host's token: `TF_TOKEN_app_terraform_io`, dashes doubled.
fn variable(host: &str) -> String {
    let host = host.split_once("://").map_or(host, |(_, host)| host).replace('-', "__");
    format!("TF_TOKEN_{}", host.replace(['.', ':'], "_"))
}

/// What `terraform login` left, unless the variable is set.
fn logged_in(host: &str, environment: &Environment) -> Option<String> {
    if environment.get(&variable(host)).is_some() {
        return None;
    }
    let file = Path::new(environment.get("HOME")?).join(".terraform.d/credentials.tfrc.json");
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    file["credentials"][host]["token"].as_str().filter(|token| !token.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn a_hosts_token_has_a_variable() {
        assert_eq!(variable("app.terraform.io"), "TF_TOKEN_app_terraform_io");
        assert_eq!(variable("my-tfe.example.com"), "TF_TOKEN_my__tfe_example_com");
    }
}

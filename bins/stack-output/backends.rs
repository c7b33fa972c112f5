//! Terraform's backends elsewhere: what the pointer says, what variables add, and the state behind them.

use std::path::Path;

use api::{Base, Deadline};
use cli::Console;
use credentials::Credentials;
use fault::{Fault, Result};
use runner::Environment;
use secrecy::{ExposeSecret as _, SecretString};
use stack::pulumi::bucket::Place;
use stack::s3::{AccessKey, Address};
use stack::terraform::http;
use stack::terraform::pointer::Backend;
use stack::terraform::remote::Remote;
use stack::{Dialect, Document, Outputs, Secrets, source};

use crate::args::Args;
use crate::aws;
use crate::gather::{Origin, Stack, of_document};

/// Reads the workspace from `backend`.
pub(crate) async fn read(
    backend: &Backend,
    workspace: &str,
    secrets: Secrets,
    args: &Args,
    console: &Console,
) -> Result<Stack> {
    let name = format!("the workspace `{workspace}`");
    let document = match backend.kind.as_str() {
        "s3" => {
            let body = s3(backend, workspace, args, console).await?;
            body.map(|body| source::stream(body.as_slice(), &name, secrets)).transpose()?
        }
        "http" => http(backend, workspace, &name, secrets, args, console).await?,
        _ => return remote(backend, workspace, args, console).await,
    };
    let document = document.unwrap_or_else(|| {
        Document::Outputs(Outputs::nothing(Dialect::Terraform, "it has no state: nothing was applied"))
    });
    of_document(name, document, args, console).await
}

/// What keeps us from reading this backend as terraform does: a kind we do not speak to, or an attribute whose meaning we do not
/// keep.
pub(crate) fn beyond(backend: &Backend) -> Option<Fault> {
    let attributes: &[&str] = match backend.kind.as_str() {
        "s3" => &[
            "assume_role",
            "role_arn",
            "assume_role_with_web_identity",
            "sse_customer_key",
            "shared_credentials_files",
        ],
        "http" => &["skip_cert_verification", "client_ca_certificate_pem", "client_certificate_pem"],
        "remote" | "cloud" => &[],
        kind => {
            let message = format!("cannot read Terraform's backend `{}`", kind.escape_debug());
            return Some(asked(Fault::usage(message).cause("local, s3, http, remote and cloud can be read")));
        }
    };
    let name = backend.first_set(attributes)?;
    Some(asked(Fault::usage(format!("cannot keep `{name}` of Terraform's backend `{}`", backend.kind))))
}

fn asked(fault: Fault) -> Fault {
    fault
        .cause("there is neither `terraform` nor `tofu` on PATH to ask")
        .help("pipe the outputs: terraform output -json | stack-output --state - NAME")
}

/// The document at an address of `--state`; over http with the login of Terraform's `http` backend, where one is set.
pub(crate) async fn address(url: &str, secrets: Secrets, args: &Args, console: &Console) -> Result<Option<Document>> {
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    let deadline = Deadline::after(args.source.deadline);
    match url.split_once("://") {
        Some(("s3", _)) => {
            let place = Place::of_url(url)?;
            let bucket = aws::bucket(place.address.clone(), place.profile.as_deref(), None, args, console).await?;
            let object = bucket.get(place.prefix.trim_end_matches('/')).await?;
            object.map(|object| source::stream(object.body.as_slice(), shown, secrets)).transpose()
        }
        Some(("http" | "https", _)) => {
            let login = match console.environment().get("TF_HTTP_USERNAME") {
                Some(user) => Some((user.to_owned(), credential("TF_HTTP_PASSWORD", deadline, console).await?)),
                None => None,
            };
            http::document(url, login.as_ref(), shown, secrets, deadline).await
        }
        _ => {
            Err(Fault::usage("cannot read the address of --state")
                .help("name a file, `-`, https:// or s3://bucket/key"))
        }
    }
}

fn required<'a>(backend: &'a Backend, name: &str) -> Result<&'a str> {
    backend.text(name).ok_or_else(|| {
        Fault::usage(format!("Terraform's backend `{}` has no `{name}`", backend.kind))
            .help("run `terraform init` again")
    })
}

async fn s3(backend: &Backend, workspace: &str, args: &Args, console: &Console) -> Result<Option<Vec<u8>>> {
    let endpoint = backend.nested("endpoints", "s3").or_else(|| backend.text("endpoint"));
    let address = Address {
        bucket: required(backend, "bucket")?.to_owned(),
        region: backend.text("region").unwrap_or_default().to_owned(),
        endpoint: endpoint.map(str::to_owned),
    };
    let key = backend.text("access_key").zip(backend.text("secret_key")).map(|(id, secret)| AccessKey {
        id: id.to_owned(),
        secret: secret.to_owned().into(),
        session: backend.text("token").map(|token| token.to_owned().into()),
    });
    let object = required(backend, "key")?;
    let object = if workspace == "default" {
        object.to_owned()
    } else {
        format!("{}/{workspace}/{object}", backend.text("workspace_key_prefix").unwrap_or("env:"))
    };
    let bucket = aws::bucket(address, backend.text("profile"), key, args, console).await?;
    Ok(bucket.get(&object).await?.map(|object| object.body))
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
    let workspace = match (backend.nested("workspaces", "name"), backend.nested("workspaces", "prefix")) {
        (Some(name), _) => name.to_owned(),
        (None, Some(prefix)) => format!("{prefix}{workspace}"),
        (None, None) => workspace.to_owned(),
    };
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

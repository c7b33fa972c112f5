//! Terraform's backend `azurerm`: the blob of a workspace, and the credentials to read it.
//!
//! Source: hashicorp/terraform `internal/backend/remote-state/azure` at 1.11.

use clouds::Store;
use clouds::azure::blob::{Access, Container};
use clouds::azure::{AUDIENCE, Cloud, Identity, Machine, Proof, STORAGE, machine_token};
use fault::{Fault, Result};
use runner::oidc::IdTokenRequest;
use secrecy::SecretString;
use stack::terraform::pointer::Backend;

use crate::backends::s3_gcs::{Found, required};
use crate::sign_in::azure;
use crate::sign_in::{Session, Support, origin, value};

/// Attributes that are not supported: certificates, other pipelines, private clouds.
pub(crate) const UNSUPPORTED: &[&str] =
    &["client_certificate", "client_certificate_path", "metadata_host", "ado_pipeline_service_connection_id"];

/// `azurerm`: `<key>`, or `<key>env:<workspace>`.
pub(crate) async fn open(backend: &Backend, workspace: &str, session: Session<'_>) -> Result<Support<Found>> {
    let key = required(backend, "key")?;
    let key = if workspace == "default" { key.to_owned() } else { format!("{key}env:{workspace}") };
    let account = required(backend, "storage_account_name")?;
    let container = required(backend, "container_name")?;
    let environment = backend.text("environment").or_else(|| session.variable("ARM_ENVIRONMENT")).unwrap_or("public");
    let Some(cloud) = Cloud::of_name(environment) else {
        return Ok(Support::NeedsProgram(Fault::usage(format!(
            "unknown Azure environment `{}`",
            environment.escape_debug()
        ))));
    };
    if let Some(name) =
        ["ARM_METADATA_HOSTNAME", "ARM_METADATA_HOST"].into_iter().find(|name| session.variable(name).is_some())
    {
        return Ok(Support::NeedsProgram(Fault::usage(format!("{name} is set, and private clouds are not supported"))));
    }
    Ok(match access(backend, account, cloud, session).await? {
        Support::Native(access) => {
            let base = format!("https://{account}.{}", cloud.blobs());
            let container = Container::new(&base, account, container, access, session.deadline)?;
            Support::Native((Store::Azure(container), key))
        }
        Support::NeedsProgram(fault) => Support::NeedsProgram(fault),
    })
}

/// How the account is read: its key, a signature or, if the backend is configured so, an identity.
async fn access(backend: &Backend, account: &str, cloud: Cloud, session: Session<'_>) -> Result<Support<Access>> {
    const SECRETS: [&str; 3] = ["ARM_ACCESS_KEY", "ARM_SAS_TOKEN", "ARM_CLIENT_SECRET"];
    const BACKEND: &str = "the backend";
    let owned = account.to_owned();
    if let Some(key) = backend.text("access_key") {
        return Ok(Support::Native(Access::Key {
            account: owned,
            key: session.masked(key),
            origin: BACKEND.to_owned(),
        }));
    }
    if let Some(signature) = backend.text("sas_token") {
        return Ok(Support::Native(azure::masked_signature(signature.into(), BACKEND.to_owned(), session)));
    }
    let as_identity = backend.is_set("use_azuread_auth") || session.is_true("ARM_USE_AZUREAD");
    let given: Vec<&str> = SECRETS.into_iter().filter(|name| session.variable(name).is_some()).collect();
    // Doppler is asked only if no variable names a credential.
    let found =
        session.find(if given.is_empty() && !is_federated(backend, session) { &SECRETS } else { &given }).await?;
    if let Some(key) = value(&found, SECRETS[0]) {
        return Ok(Support::Native(Access::Key { account: owned, key, origin: origin(&found, SECRETS[0]) }));
    }
    if let Some(signature) = value(&found, SECRETS[1]) {
        return Ok(Support::Native(azure::masked_signature(signature, origin(&found, SECRETS[1]), session)));
    }
    if !as_identity {
        let fault = Fault::permission(format!(
            "the key of the storage account `{account}` is not set, and looking it up in Azure's management API is not supported"
        ));
        return Ok(Support::NeedsProgram(fault.help(
            "set ARM_ACCESS_KEY or ARM_SAS_TOKEN, or ARM_USE_AZUREAD=true for an identity that may read the container",
        )));
    }
    let secret = match backend.text("client_secret") {
        Some(secret) => Some(session.masked(secret)),
        None => value(&found, SECRETS[2]),
    };
    identity(backend, secret, cloud, session).await
}

fn is_on(backend: &Backend, attribute: &str, variable: &str, session: Session<'_>) -> bool {
    backend.is_set(attribute) || session.is_true(variable)
}

fn is_federated(backend: &Backend, session: Session<'_>) -> bool {
    is_on(backend, "use_oidc", "ARM_USE_OIDC", session)
        || is_on(backend, "use_aks_workload_identity", "ARM_USE_AKS_WORKLOAD_IDENTITY", session)
}

/// The application or machine as which `azurerm` signs in.
async fn identity(
    backend: &Backend,
    secret: Option<SecretString>,
    cloud: Cloud,
    session: Session<'_>,
) -> Result<Support<Access>> {
    let attribute =
        |name: &str, variables: &[&str]| backend.text(name).or_else(|| session.first(variables)).map(str::to_owned);
    let secret = match (secret, attribute("client_secret_file_path", &["ARM_CLIENT_SECRET_FILE_PATH"])) {
        (None, Some(file)) => Some(session.file(&file, "client_secret_file_path")?),
        (secret, _) => secret,
    };
    let client = match attribute("client_id_file_path", &["ARM_CLIENT_ID_FILE_PATH"]) {
        Some(file) => Some(session.text(&file, "client_id_file_path")?),
        None => attribute("client_id", &["ARM_CLIENT_ID", "AZURE_CLIENT_ID"]),
    };
    let tenant = attribute("tenant_id", &["ARM_TENANT_ID", "AZURE_TENANT_ID"]);
    let proof = match secret {
        Some(secret) => Some(Proof::Secret(secret)),
        None if is_federated(backend, session) => federated(backend, session).await?,
        None => None,
    };
    if let (Some(client), Some(tenant), Some(proof)) = (client.clone(), tenant, proof) {
        let authority = cloud.authority().to_owned();
        let who = format!("the application {client}");
        let identity = Identity { authority, tenant, client, proof };
        let token = session.issued(identity.token(STORAGE, session.deadline).await?);
        return Ok(Support::Native(Access::Token { token, who }));
    }
    if is_on(backend, "use_msi", "ARM_USE_MSI", session) {
        let endpoint = attribute("msi_endpoint", &["ARM_MSI_ENDPOINT"]).unwrap_or_else(|| Machine::SERVER.to_owned());
        if let Some(token) = machine_token(&Machine { endpoint, client }, STORAGE, session.deadline).await {
            let who = "this machine's identity".to_owned();
            return Ok(Support::Native(Access::Token { token: session.issued(token), who }));
        }
    }
    let fault =
        Fault::permission("no identity for the backend `azurerm` is set").cause("the login of `az` is not supported");
    Ok(Support::NeedsProgram(fault.help(
        "set ARM_CLIENT_ID and ARM_TENANT_ID, with ARM_CLIENT_SECRET, or with ARM_USE_OIDC=true and `id-token: write`",
    )))
}

/// The token of another provider: from a variable, a file or the runner.
async fn federated(backend: &Backend, session: Session<'_>) -> Result<Option<Proof>> {
    const REQUEST: [[&str; 2]; 2] = [
        ["ARM_OIDC_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_URL"],
        ["ARM_OIDC_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
    ];
    let attribute = |name: &str, variables: &[&str]| backend.text(name).or_else(|| session.first(variables));
    if let Some(token) = attribute("oidc_token", &["ARM_OIDC_TOKEN"]) {
        return Ok(Some(Proof::Federated(session.masked(token))));
    }
    let file = attribute("oidc_token_file_path", &["ARM_OIDC_TOKEN_FILE_PATH", "AZURE_FEDERATED_TOKEN_FILE"]);
    if let Some(file) = file {
        return Ok(Some(Proof::Federated(session.file(file, "oidc_token_file_path")?)));
    }
    let (Some(url), Some(bearer)) =
        (attribute("oidc_request_url", &REQUEST[0]), attribute("oidc_request_token", &REQUEST[1]))
    else {
        return Ok(None);
    };
    session.mask(&[bearer]);
    let request =
        IdTokenRequest { url: url.to_owned(), audience: Some(AUDIENCE.to_owned()), bearer: bearer.to_owned() };
    session.identity_token(&request).await.map(|token| Some(Proof::Federated(token)))
}

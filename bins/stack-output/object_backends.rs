//! Terraform's backends in object stores: which object holds a workspace, and who reads it.
//!
//! Source: hashicorp/terraform `internal/backend/remote-state/{s3,gcs,azure}` at 1.11.

use clouds::aws::sts::Role;
use clouds::aws::{AccessKey, Network, s3};
use clouds::azure::blob::{Access, Container};
use clouds::azure::{AUDIENCE, Cloud, Identity, Machine, Proof, STORAGE, machine_token};
use clouds::google::storage::{self, Reader};
use clouds::{Store, google as gc};
use fault::{Fault, Result};
use runner::oidc::IdTokenRequest;
use secrecy::SecretString;
use stack::terraform::pointer::Backend;

use crate::session::{Reached, Session, value};
use crate::stores::{self, Emulator};
use crate::{aws, azure, google};

/// An open store, and the key of the workspace's state in it.
pub(crate) type Found = (Store, String);

/// Attributes of `s3` that are not kept: other trust, other ways through the network, other files.
pub(crate) const BEYOND_S3: &[&str] = &[
    "shared_credentials_file",
    "shared_credentials_files",
    "shared_config_files",
    "custom_ca_bundle",
    "insecure",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "sts_region",
];

/// Attributes of `gcs` that are not kept.
pub(crate) const BEYOND_GCS: &[&str] = &["impersonate_service_account_delegates"];

/// Attributes of `azurerm` that are not kept: certificates, other pipelines, clouds of one's own.
pub(crate) const BEYOND_AZURERM: &[&str] =
    &["client_certificate", "client_certificate_path", "metadata_host", "ado_pipeline_service_connection_id"];

/// What of a role the attributes may say that is not passed on.
const BEYOND_ROLE: [&str; 4] = ["policy_arns", "tags", "transitive_tag_keys", "source_identity"];

fn required<'a>(backend: &'a Backend, name: &str) -> Result<&'a str> {
    backend.text(name).ok_or_else(|| {
        Fault::usage(format!("Terraform's backend `{}` has no `{name}`", backend.kind))
            .help("run `terraform init` again")
    })
}

/// `s3`: the key itself, or `<workspace_key_prefix>/<workspace>/<key>`.
pub(crate) async fn s3(backend: &Backend, workspace: &str, session: Session<'_>) -> Result<Reached<Found>> {
    if let Some(name) = BEYOND_ROLE.iter().find(|name| backend.nested_is_set("assume_role", name)) {
        return Ok(Reached::Beyond(Fault::usage(format!(
            "cannot keep `assume_role.{name}` of Terraform's backend `s3`"
        ))));
    }
    let key = required(backend, "key")?;
    let key = if workspace == "default" {
        key.to_owned()
    } else {
        format!("{}/{workspace}/{key}", backend.text("workspace_key_prefix").unwrap_or("env:"))
    };
    let text = |name: &str| backend.text(name).map(str::to_owned);
    let endpoint = backend.nested("endpoints", "s3").or_else(|| backend.text("endpoint"));
    let endpoint = endpoint.or_else(|| session.first(&["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT"]));
    let customer_key = match text("sse_customer_key") {
        Some(key) => Some(session.masked(&key)),
        None => session.given("AWS_SSE_CUSTOMER_KEY"),
    };
    let address = s3::Address {
        bucket: required(backend, "bucket")?.to_owned(),
        endpoint: endpoint.map(str::to_owned),
        network: Network {
            dualstack: backend.is_set("use_dualstack_endpoint"),
            fips: backend.is_set("use_fips_endpoint"),
            accelerate: false,
        },
        customer_key,
        ..s3::Address::default()
    };
    Ok(match stores::s3_store(address, wanted(backend, session)?, session).await? {
        Reached::Here(store) => Reached::Here((store, key)),
        Reached::Beyond(fault) => Reached::Beyond(fault),
    })
}

/// Who reads the bucket, as the attributes say.
fn wanted(backend: &Backend, session: Session<'_>) -> Result<aws::Wanted> {
    let text = |name: &str| backend.text(name).map(str::to_owned);
    let key = text("access_key").zip(text("secret_key")).map(|(id, secret)| AccessKey {
        id,
        secret: session.masked(&secret),
        session: text("token").map(|token| session.masked(&token)),
    });
    let sts = backend.nested("endpoints", "sts").or_else(|| backend.text("sts_endpoint"));
    Ok(aws::Wanted {
        region: text("region"),
        profile: text("profile"),
        key,
        role: role(backend, "assume_role").or_else(|| outer_role(backend)),
        web: web_role(backend, session)?,
        sts: sts.or_else(|| session.variable("AWS_STS_ENDPOINT")).map(str::to_owned),
    })
}

fn role(backend: &Backend, block: &str) -> Option<Role> {
    let text = |name: &str| backend.nested(block, name).map(str::to_owned);
    Some(Role {
        arn: text("role_arn")?,
        session: text("session_name"),
        external_id: text("external_id"),
        duration_seconds: text("duration").and_then(|text| seconds(&text)),
        policy: text("policy"),
    })
}

/// Older configurations have the role among the backend's own attributes.
fn outer_role(backend: &Backend) -> Option<Role> {
    let text = |name: &str| backend.text(name).map(str::to_owned);
    let (arn, session, external_id) = (text("role_arn")?, text("session_name"), text("external_id"));
    Some(Role { arn, session, external_id, policy: text("assume_role_policy"), duration_seconds: None })
}

fn web_role(backend: &Backend, session: Session<'_>) -> Result<Option<(Role, Option<SecretString>)>> {
    const BLOCK: &str = "assume_role_with_web_identity";
    let Some(role) = role(backend, BLOCK) else { return Ok(None) };
    let token = match (backend.nested(BLOCK, "web_identity_token"), backend.nested(BLOCK, "web_identity_token_file")) {
        (Some(token), _) => Some(session.masked(token)),
        (None, Some(file)) => Some(session.file(file, "web_identity_token_file")?),
        (None, None) => None,
    };
    Ok(Some((role, token)))
}

/// Go's `1h30m` in seconds.
fn seconds(duration: &str) -> Option<String> {
    let (mut total, mut rest) = (0_u64, duration);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let (unit, after) = rest[digits..].split_at_checked(1)?;
        total += number
            * match unit {
                "h" => 3600,
                "m" => 60,
                "s" => 1,
                _ => return None,
            };
        rest = after;
    }
    Some(total.to_string())
}

/// `gcs`: `<prefix>/<workspace>.tfstate`.
pub(crate) async fn gcs(backend: &Backend, workspace: &str, session: Session<'_>) -> Result<Found> {
    const ENDPOINTS: [&str; 2] = ["GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT", "GOOGLE_STORAGE_CUSTOM_ENDPOINT"];
    const IMPERSONATED: [&str; 2] =
        ["GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"];
    let prefix = backend.text("prefix").unwrap_or_default().trim_start_matches('/');
    let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
    let key = format!("{prefix}{slash}{workspace}.tfstate");
    let endpoint = backend.text("storage_custom_endpoint").or_else(|| session.first(&ENDPOINTS));
    let (base, emulator) = stores::google_base(endpoint, session)?;
    let customer_key = match backend.text("encryption_key").or_else(|| session.variable("GOOGLE_ENCRYPTION_KEY")) {
        // The key, or a file that holds it.
        Some(key) if session.path(key).is_file() => Some(session.file(key, "encryption_key")?),
        Some(key) => Some(session.masked(key)),
        None => None,
    };
    let wanted = google::Wanted {
        token: backend.text("access_token").map(str::to_owned),
        credentials: backend.text("credentials").map(str::to_owned),
        impersonated: backend
            .text("impersonate_service_account")
            .or_else(|| session.first(&IMPERSONATED))
            .map(str::to_owned),
        order: google::Wanted::TERRAFORM,
    };
    let reader = if emulator == Emulator::Yes {
        Reader::Anonymous
    } else {
        let caller = google::caller(&wanted, gc::STORAGE, session).await?;
        Reader::Token { token: caller.token, who: caller.who }
    };
    let bucket =
        storage::Bucket::new(base, required(backend, "bucket")?, reader, customer_key.as_ref(), session.deadline)?;
    Ok((Store::Google(bucket), key))
}

/// `azurerm`: `<key>`, or `<key>env:<workspace>`.
pub(crate) async fn azurerm(backend: &Backend, workspace: &str, session: Session<'_>) -> Result<Reached<Found>> {
    let key = required(backend, "key")?;
    let key = if workspace == "default" { key.to_owned() } else { format!("{key}env:{workspace}") };
    let account = required(backend, "storage_account_name")?;
    let container = required(backend, "container_name")?;
    let environment = backend.text("environment").or_else(|| session.variable("ARM_ENVIRONMENT")).unwrap_or("public");
    let Some(cloud) = Cloud::of_name(environment) else {
        return Ok(Reached::Beyond(Fault::usage(format!(
            "cannot find Azure's environment `{}`",
            environment.escape_debug()
        ))));
    };
    if let Some(name) =
        ["ARM_METADATA_HOSTNAME", "ARM_METADATA_HOST"].into_iter().find(|name| session.variable(name).is_some())
    {
        return Ok(Reached::Beyond(Fault::usage(format!("cannot follow {name} to a cloud of its own"))));
    }
    Ok(match access(backend, account, cloud, session).await? {
        Reached::Here(access) => {
            let base = format!("https://{account}.{}", cloud.blobs());
            let container = Container::new(&base, account, container, access, session.deadline)?;
            Reached::Here((Store::Azure(container), key))
        }
        Reached::Beyond(fault) => Reached::Beyond(fault),
    })
}

/// How the account is read: its key, a signature, or, where the backend wants that, an identity.
async fn access(backend: &Backend, account: &str, cloud: Cloud, session: Session<'_>) -> Result<Reached<Access>> {
    const SECRETS: [&str; 3] = ["ARM_ACCESS_KEY", "ARM_SAS_TOKEN", "ARM_CLIENT_SECRET"];
    let owned = account.to_owned();
    if let Some(key) = backend.text("access_key") {
        return Ok(Reached::Here(Access::Key { account: owned, key: session.masked(key) }));
    }
    if let Some(signature) = backend.text("sas_token") {
        return Ok(Reached::Here(azure::masked_signature(&signature.into(), session)));
    }
    let as_identity = backend.is_set("use_azuread_auth") || session.says("ARM_USE_AZUREAD");
    let given: Vec<&str> = SECRETS.into_iter().filter(|name| session.variable(name).is_some()).collect();
    // Doppler is asked only where nothing here says how.
    let found =
        session.find(if given.is_empty() && !is_federated(backend, session) { &SECRETS } else { &given }).await?;
    if let Some(key) = value(&found, SECRETS[0]) {
        return Ok(Reached::Here(Access::Key { account: owned, key }));
    }
    if let Some(signature) = value(&found, SECRETS[1]) {
        return Ok(Reached::Here(azure::masked_signature(&signature, session)));
    }
    if !as_identity {
        let fault = Fault::permission(format!(
            "the key of the storage account `{account}` would have to be looked up in Azure's management API"
        ));
        return Ok(Reached::Beyond(fault.help(
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
    backend.is_set(attribute) || session.says(variable)
}

fn is_federated(backend: &Backend, session: Session<'_>) -> bool {
    is_on(backend, "use_oidc", "ARM_USE_OIDC", session)
        || is_on(backend, "use_aks_workload_identity", "ARM_USE_AKS_WORKLOAD_IDENTITY", session)
}

/// The application or machine that `azurerm` signs in as.
async fn identity(
    backend: &Backend,
    secret: Option<SecretString>,
    cloud: Cloud,
    session: Session<'_>,
) -> Result<Reached<Access>> {
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
        return Ok(Reached::Here(Access::Token { token, who }));
    }
    if is_on(backend, "use_msi", "ARM_USE_MSI", session) {
        let endpoint = attribute("msi_endpoint", &["ARM_MSI_ENDPOINT"]).unwrap_or_else(|| Machine::SERVER.to_owned());
        if let Some(token) = machine_token(&Machine { endpoint, client }, STORAGE, session.deadline).await {
            let who = "this machine's identity".to_owned();
            return Ok(Reached::Here(Access::Token { token: session.issued(token), who }));
        }
    }
    let fault = Fault::permission("no identity for the backend `azurerm` is set")
        .cause("the login of `az` is left to terraform");
    Ok(Reached::Beyond(fault.help(
        "set ARM_CLIENT_ID and ARM_TENANT_ID, with ARM_CLIENT_SECRET, or with ARM_USE_OIDC=true and `id-token: write`",
    )))
}

/// The token of another provider: given, in a file, or asked of the runner.
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
    session.asked(&request).await.map(|token| Some(Proof::Federated(token)))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_roles_duration_is_written_in_seconds() {
        assert_eq!(seconds("1h").as_deref(), Some("3600"));
        assert_eq!(seconds("1h30m15s").as_deref(), Some("5415"));
        assert_eq!(seconds("soon"), None);
    }
}

//! Signing in to Azure: the key, signature or identity.

use clouds::azure::blob::Access;
use clouds::azure::{AUDIENCE, Cloud, Connection, Identity, Machine, Proof, STORAGE, machine_token};
use credentials::Credential;
use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};

use crate::sign_in::{Session, Support, origin, value};

const SECRETS: [&str; 4] =
    ["AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_CLIENT_SECRET"];

/// The other name of the connection string, which Azure's tools use.
const CONNECTION: &str = "AZURE_STORAGEBLOB_CONNECTIONSTRING";

/// How a storage account is read.
#[derive(Clone, Debug)]
pub(crate) struct StorageAuth {
    /// The key, signature or token.
    pub(crate) access: Access,
    /// The address of its blobs, if the credential contains it.
    pub(crate) base: Option<String>,
}

impl From<Access> for StorageAuth {
    fn from(access: Access) -> Self {
        Self { access, base: None }
    }
}

/// How `account` is read, in the order of Pulumi's library: its key, a signature, a connection string, an identity.
pub(crate) async fn access(account: Option<&str>, session: Session<'_>) -> Result<Support<StorageAuth>> {
    let given: Vec<&str> = SECRETS.into_iter().filter(|name| session.variable(name).is_some()).collect();
    let connection = session.given(CONNECTION);
    let is_identity = session.variable("AZURE_CLIENT_ID").is_some() && identity_is_given(session);
    // Doppler is asked only if no variable names a credential.
    let names = if given.is_empty() && connection.is_none() && !is_identity { &SECRETS[..] } else { &given[..] };
    let found = session.find(names).await?;
    if let (Some(account), Some(key)) = (account, value(&found, SECRETS[0])) {
        return Ok(Support::Native(
            Access::Key { account: account.to_owned(), key, origin: origin(&found, SECRETS[0]) }.into(),
        ));
    }
    if let Some(signature) = value(&found, SECRETS[1]) {
        return Ok(Support::Native(masked_signature(signature, origin(&found, SECRETS[1]), session).into()));
    }
    if let Some(text) = value(&found, SECRETS[2]).or(connection) {
        // Exposed to be read.
        let connection = Connection::read(text.expose_secret())?;
        session.mask(&connection.secret().into_iter().collect::<Vec<_>>());
        return Ok(Support::Native(StorageAuth { access: connection.access, base: Some(connection.base) }));
    }
    Ok(match token(STORAGE, &found, session).await? {
        Support::Native((token, who)) => Support::Native(Access::Token { token, who }.into()),
        Support::NeedsProgram(fault) => Support::NeedsProgram(fault),
    })
}

/// A shared access signature. Only its part `sig` is secret; it is masked as written and decoded.
pub(crate) fn masked_signature(signature: SecretString, origin: String, session: Session<'_>) -> Access {
    // Exposed to be masked.
    let text = signature.expose_secret().trim_start_matches('?');
    let written = text.split('&').find_map(|part| part.strip_prefix("sig="));
    let decoded = url_parts(text).into_iter().find(|(name, _)| name == "sig").map(|(_, value)| value);
    let parts: Vec<&str> = [Some(text), written, decoded.as_deref()].into_iter().flatten().collect();
    session.mask(&parts);
    Access::Signature { text: signature, origin }
}

fn url_parts(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// A token for `resource` and its owner, found as Azure's libraries do; `found` are the secrets that were looked up already.
pub(crate) async fn token(
    resource: &str,
    found: &[Credential],
    session: Session<'_>,
) -> Result<Support<(SecretString, String)>> {
    for name in ["AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_USERNAME"] {
        if session.variable(name).is_some() && session.variable("AZURE_CLIENT_SECRET").is_none() {
            return Ok(Support::NeedsProgram(unsupported(&format!(
                "{name} is set, and that way to sign in is not supported"
            ))));
        }
    }
    let client = session.variable("AZURE_CLIENT_ID");
    if let (Some(client), Some(tenant)) = (client, session.variable("AZURE_TENANT_ID"))
        && let Some(proof) = proof(found, session).await?
    {
        let authority = session.variable("AZURE_AUTHORITY_HOST").unwrap_or_else(|| Cloud::Public.authority());
        let (authority, tenant) = (authority.trim_end_matches('/').to_owned(), tenant.to_owned());
        let identity = Identity { authority, tenant, client: client.to_owned(), proof };
        let token = session.issued(identity.token(resource, session.deadline).await?);
        return Ok(Support::Native((token, format!("the application {client} (AZURE_CLIENT_ID)"))));
    }
    let endpoint = match session.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST") {
        Some(host) => format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/')),
        None => Machine::SERVER.to_owned(),
    };
    let machine = Machine { endpoint, client: client.map(str::to_owned) };
    match machine_token(&machine, resource, session.deadline).await {
        Some(token) => Ok(Support::Native((session.issued(token), "this machine's identity".to_owned()))),
        None => Ok(Support::NeedsProgram(no_identity(session))),
    }
}

/// Whether a variable leads to a proof of the application's identity, without a request.
fn identity_is_given(session: Session<'_>) -> bool {
    session.first(&["AZURE_FEDERATED_TOKEN_FILE", "ACTIONS_ID_TOKEN_REQUEST_URL"]).is_some()
}

async fn proof(found: &[Credential], session: Session<'_>) -> Result<Option<Proof>> {
    const FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
    if let Some(secret) = value(found, SECRETS[3]) {
        return Ok(Some(Proof::Secret(secret)));
    }
    if let Some(file) = session.variable(FILE) {
        return Ok(Some(Proof::Federated(session.file(file, FILE)?)));
    }
    Ok(session.identity(AUDIENCE).await?.map(Proof::Federated))
}

/// The token for a key vault's `resource`.
pub(crate) async fn vault_token(resource: &str, session: Session<'_>) -> Result<Support<(SecretString, String)>> {
    let is_given = session.variable("AZURE_CLIENT_SECRET").is_some();
    let names: &[&str] = if is_given || !identity_is_given(session) { &SECRETS[3..] } else { &[] };
    let found = session.find(names).await?;
    token(resource, &found, session).await
}

fn no_identity(session: Session<'_>) -> Fault {
    let fault = unsupported("neither a key nor an identity for Azure is set");
    if session.variable("AZURE_CLIENT_ID").is_some() && session.variable("AZURE_TENANT_ID").is_some() {
        return fault
            .cause("AZURE_CLIENT_ID is set, but neither AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE nor an OIDC token of this job is")
            .help("give the job `permissions: id-token: write`, or set AZURE_CLIENT_SECRET");
    }
    fault
}

fn unsupported(message: &str) -> Fault {
    Fault::permission(message)
        .cause("the login of `az` is not supported")
        .help("set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID and AZURE_TENANT_ID with AZURE_CLIENT_SECRET or `id-token: write`")
}

//! Entra ID (Azure Active Directory) and what trusts its tokens: blobs of a storage account, a key vault, a machine's identity.
//!
//! It checks what Azure checks: tenant, client, secret or the federated token's audience and time, and for what a token was made out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::http::{Request, Response, Secrets, Server, Service, lock, served};
use crate::{jwt, random};

/// The tenant.
pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";

/// The application that is known.
pub const CLIENT: &str = "66666666-7777-8888-9999-000000000000";

/// The hosts that it replaces.
pub const HOSTS: [&str; 3] = ["login.microsoftonline.com", "*.blob.core.windows.net", "*.vault.azure.net"];

/// A running stand-in.
#[derive(Debug)]
pub struct Entra {
    server: Server,
    state: Arc<Mutex<State>>,
    secrets: Secrets,
    secret: String,
}

served!(Entra);

#[derive(Debug, Default)]
struct State {
    /// Access token → for what it was made out.
    tokens: BTreeMap<String, String>,
    /// `/container/blob` → bytes.
    blobs: BTreeMap<String, Vec<u8>>,
    /// Wrapped → unwrapped, base64 for URLs.
    keys: BTreeMap<String, String>,
}

impl Entra {
    /// One application, nothing stored.
    #[must_use]
    pub fn start() -> Self {
        let (state, secrets) = (Arc::new(Mutex::new(State::default())), Secrets::default());
        let secret = format!("8Q~{}", random::uuid());
        secrets.add(&secret);
        let api = Api { state: Arc::clone(&state), secrets: secrets.clone(), secret: secret.clone() };
        Self { server: Server::start(|_| api), state, secrets, secret }
    }

    /// The address to which [`HOSTS`] lead.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Host and port as a URL: a machine's metadata service is at the same address.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The application's secret.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Stores a blob at `container/blob`.
    pub fn put(&self, blob: &str, bytes: impl Into<Vec<u8>>) {
        lock(&self.state).blobs.insert(format!("/{blob}"), bytes.into());
    }

    /// Unwraps `wrapped` with `keys/k`; both base64 for URLs.
    pub fn unwraps(&self, wrapped: &str, plain: &str) {
        lock(&self.state).keys.insert(wrapped.to_owned(), plain.to_owned());
    }

    /// What it holds or has handed out.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }
}

struct Api {
    state: Arc<Mutex<State>>,
    secrets: Secrets,
    secret: String,
}

impl Service for Api {
    fn answer(&self, request: &Request) -> Response {
        let mut state = lock(&self.state);
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", path) if path.ends_with("/oauth2/v2.0/token") => self.token(&mut state, request),
            ("POST", path) if path.ends_with("/decrypt") => unwrap(&state, request),
            ("GET", path) if path.ends_with("/.well-known/openid-configuration") => discovery(),
            ("POST" | "GET", _) if is_vault(request) && request.bearer().is_none() => challenge(),
            // Its identities may decrypt, and nothing else.
            ("GET", _) if is_vault(request) => vault_refused(403, "Forbidden"),
            ("GET", "/metadata/identity/oauth2/token") => {
                if request.header("metadata") != Some("true") {
                    return Response::json(400, &json!({"error": "bad_request_102"}));
                }
                self.issue(&mut state, &request.parameter("resource").unwrap_or_default())
            }
            ("GET", _) => blob(&state, request),
            _ => Response::json(404, &json!({})),
        }
    }
}

impl Api {
    fn token(&self, state: &mut State, request: &Request) -> Response {
        let fields: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let refused = |status, code: &str, text: &str| {
            Response::json(status, &json!({"error": code, "error_description": format!("{text}\r\nTrace ID: 1")}))
        };
        if request.path != format!("/{TENANT}/oauth2/v2.0/token") {
            return refused(400, "invalid_request", "AADSTS90002: Tenant not found.");
        }
        if field("client_id") != CLIENT || field("grant_type") != "client_credentials" {
            return refused(400, "unauthorized_client", "AADSTS700016: Application was not found.");
        }
        let claims = jwt::claims(field("client_assertion")).unwrap_or_default();
        let is_federated = field("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            && claims["iss"] == "https://token.actions.githubusercontent.com"
            && claims["aud"] == "api://AzureADTokenExchange"
            && claims["exp"].as_i64().is_some_and(|end| end > jwt::now());
        if field("client_secret") != self.secret && !is_federated {
            return refused(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
        }
        match field("scope").strip_suffix("/.default") {
            Some(resource) => self.issue(state, resource),
            None => refused(400, "invalid_scope", "AADSTS70011: The scope is not valid."),
        }
    }

    fn issue(&self, state: &mut State, resource: &str) -> Response {
        let token = jwt::issue(&json!({"aud": resource, "tid": TENANT, "exp": jwt::now() + 3600}));
        self.secrets.add(&token);
        state.tokens.insert(token.clone(), resource.to_owned());
        Response::json(200, &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}))
    }
}

fn is_vault(request: &Request) -> bool {
    request.header("host").is_some_and(|host| host.ends_with(".vault.azure.net"))
}

/// Microsoft's own libraries read the address of the token service here.
fn discovery() -> Response {
    let tenant = format!("https://login.microsoftonline.com/{TENANT}");
    Response::json(
        200,
        &json!({
            "token_endpoint": format!("{tenant}/oauth2/v2.0/token"),
            "authorization_endpoint": format!("{tenant}/oauth2/v2.0/authorize"),
            "end_session_endpoint": format!("{tenant}/oauth2/v2.0/logout"),
            "issuer": format!("{tenant}/v2.0"),
            "jwks_uri": format!("{tenant}/discovery/v2.0/keys"),
        }),
    )
}

/// A vault names the authority whose tokens it accepts, and the audience they must have.
fn challenge() -> Response {
    let authority = format!("https://login.microsoftonline.com/{TENANT}");
    Response::json(401, &json!({"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a token."}}))
        .header(
            "www-authenticate",
            format!("Bearer authorization=\"{authority}\", resource=\"https://vault.azure.net\""),
        )
}

fn is_for(state: &State, request: &Request, resource: &str) -> bool {
    request.bearer().and_then(|token| state.tokens.get(token)).is_some_and(|made_for| made_for == resource)
}

fn blob(state: &State, request: &Request) -> Response {
    let xml = |status, code: &str| {
        let text = format!(
            "\u{feff}<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{code}.\nRequestId:1</Message></Error>"
        );
        Response::new(status, "application/xml", text)
    };
    if !is_for(state, request, "https://storage.azure.com") || request.header("x-ms-version").is_none() {
        return xml(401, "InvalidAuthenticationInfo");
    }
    let path = request.decoded_path();
    match state.blobs.get(&path) {
        Some(bytes) => Response::new(200, "application/octet-stream", bytes.clone()),
        None if state.blobs.keys().any(|key| key.split('/').nth(1) == path.split('/').nth(1)) => {
            xml(404, "BlobNotFound")
        }
        None => xml(404, "ContainerNotFound"),
    }
}

fn unwrap(state: &State, request: &Request) -> Response {
    if !is_for(state, request, "https://vault.azure.net") {
        return vault_refused(401, "Unauthorized");
    }
    let body = request.json();
    let plain = body["value"].as_str().and_then(|wrapped| state.keys.get(wrapped));
    match plain {
        Some(plain)
            if matches!(request.path.as_str(), "/keys/k/decrypt" | "/keys/k/1/decrypt")
                && body["alg"] == "RSA-OAEP-256" =>
        {
            Response::json(200, &json!({"kid": "https://v.vault.azure.net/keys/k/1", "value": plain}))
        }
        _ => vault_refused(400, "BadParameter"),
    }
}

fn vault_refused(status: u16, code: &str) -> Response {
    Response::json(status, &json!({"error": {"code": code, "message": "No."}}))
}

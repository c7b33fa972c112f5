//! Google Cloud as far as reading an object takes: token service, security token service, IAM credentials, Cloud Storage, Cloud KMS.
//!
//! One server for all its hosts, distinguished by their paths. It checks what Google checks: the signature, audience and time
//! of an assertion, the provider's token of a federated identity, who may impersonate whom, and the scope of every token.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::http::{Request, Response, Secrets, Server, Service, lock, served};
use crate::{jwt, random};

/// The hosts that it replaces.
pub const HOSTS: [&str; 5] = [
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "storage.googleapis.com",
    "cloudkms.googleapis.com",
];

const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The provider of a workload identity pool that trusts GitHub's tokens.
pub const PROVIDER: &str = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/github";

/// The service account that the pool's identities may impersonate.
pub const ACCOUNT: &str = "deploy@acme.iam.gserviceaccount.com";

/// A running stand-in.
#[derive(Debug)]
pub struct Google {
    server: Server,
    state: Arc<Mutex<State>>,
    secrets: Secrets,
}

served!(Google);

#[derive(Debug, Default)]
struct State {
    /// E-mail address → DER of the private key that its user holds.
    accounts: BTreeMap<String, Vec<u8>>,
    /// Refresh token → client id and secret.
    users: BTreeMap<String, (String, String)>,
    /// Access token → whose it is, and its scope.
    tokens: BTreeMap<String, (String, String)>,
    /// `bucket/object` → bytes, and the hash of the key that encrypts them.
    objects: BTreeMap<String, (Vec<u8>, Option<String>)>,
    /// Wrapped → unwrapped.
    keys: BTreeMap<String, String>,
}

impl Google {
    /// Nobody known, nothing stored.
    #[must_use]
    pub fn start() -> Self {
        let (state, secrets) = (Arc::new(Mutex::new(State::default())), Secrets::default());
        let api = Api { state: Arc::clone(&state), secrets: secrets.clone() };
        Self { server: Server::start(|_| api), state, secrets }
    }

    /// The address to which [`HOSTS`] lead.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Host and port as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Makes the service account [`ACCOUNT`] known by its private key (PKCS #8 as PEM); the text of its credentials file.
    #[must_use]
    pub fn service_account(&self, pem: &str) -> String {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        lock(&self.state).accounts.insert(ACCOUNT.to_owned(), STANDARD.decode(body).expect("base64"));
        self.secrets.add(pem);
        json!({
            "type": "service_account", "project_id": "acme", "private_key_id": "1", "private_key": pem,
            "client_email": ACCOUNT, "client_id": "1", "token_uri": "https://oauth2.googleapis.com/token",
        })
        .to_string()
    }

    /// Makes a person known; the text of what `gcloud auth application-default login` leaves.
    #[must_use]
    pub fn user(&self) -> String {
        let (refresh, secret) = (format!("1//{}", random::uuid()), format!("d-{}", random::uuid()));
        lock(&self.state).users.insert(refresh.clone(), ("764086051850.apps".to_owned(), secret.clone()));
        self.secrets.add(&refresh);
        self.secrets.add(&secret);
        json!({
            "type": "authorized_user", "client_id": "764086051850.apps", "client_secret": secret, "refresh_token": refresh,
            "account": "", "universe_domain": "googleapis.com",
        })
        .to_string()
    }

    /// A ready token with the scope to read objects.
    #[must_use]
    pub fn token(&self) -> String {
        self.issue(ACCOUNT, "https://www.googleapis.com/auth/devstorage.read_only")
    }

    /// Stores an object; `key` is the customer's own, base64.
    pub fn put(&self, object: &str, bytes: impl Into<Vec<u8>>, key: Option<&str>) {
        let hash = key.map(|key| STANDARD.encode(digest(&SHA256, &STANDARD.decode(key).expect("base64"))));
        lock(&self.state).objects.insert(object.to_owned(), (bytes.into(), hash));
    }

    /// Unwraps `wrapped` for `projects/p/locations/global/keyRings/r/cryptoKeys/k`; both base64.
    pub fn unwraps(&self, wrapped: &str, plain: &str) {
        lock(&self.state).keys.insert(wrapped.to_owned(), plain.to_owned());
    }

    /// What it holds or has handed out.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    fn issue(&self, who: &str, scope: &str) -> String {
        lock(&self.state).issue(who, scope, &self.secrets)
    }
}

impl State {
    fn issue(&mut self, who: &str, scope: &str, secrets: &Secrets) -> String {
        let token = format!("ya29.{}", random::uuid().replace('-', ""));
        secrets.add(&token);
        self.tokens.insert(token.clone(), (who.to_owned(), scope.to_owned()));
        token
    }

    /// Whose the request's token is, if it is good for `scope`.
    fn who(&self, request: &Request, scope: &str) -> Option<&str> {
        let (who, granted) = self.tokens.get(request.bearer()?)?;
        (granted == scope || granted == PLATFORM).then_some(who.as_str())
    }
}

struct Api {
    state: Arc<Mutex<State>>,
    secrets: Secrets,
}

impl Service for Api {
    fn answer(&self, request: &Request) -> Response {
        let mut state = lock(&self.state);
        let fields: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/token") => self.token(&mut state, &fields),
            ("POST", "/v1/token") => self.exchange(&mut state, &fields),
            ("POST", path) if path.ends_with(":generateAccessToken") => self.impersonate(&mut state, request),
            ("POST", path) if path.ends_with(":decrypt") => decrypt(&state, request),
            ("GET", path) if path.starts_with("/computeMetadata/") => self.metadata(&mut state, request),
            ("GET", _) => object(&state, request),
            _ => Response::json(404, &json!({"error": {"code": 404, "status": "NOT_FOUND", "message": "Not found."}})),
        }
    }
}

impl Api {
    fn token(&self, state: &mut State, fields: &BTreeMap<String, String>) -> Response {
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        match field("grant_type") {
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => match asserted(state, field("assertion")) {
                Some((who, scope)) => granted(&state.issue(&who, &scope, &self.secrets)),
                None => grant_refused("Invalid JWT Signature."),
            },
            "refresh_token" => match state.users.get(field("refresh_token")) {
                Some((id, secret)) if id == field("client_id") && secret == field("client_secret") => {
                    granted(&state.issue("somebody", PLATFORM, &self.secrets))
                }
                _ => grant_refused("Token has been expired or revoked."),
            },
            _ => grant_refused("Unknown grant type."),
        }
    }

    /// A token of GitHub's for one of the pool.
    fn exchange(&self, state: &mut State, fields: &BTreeMap<String, String>) -> Response {
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let claims = jwt::claims(field("subject_token")).unwrap_or_default();
        let is_good = field("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange"
            && field("requested_token_type") == "urn:ietf:params:oauth:token-type:access_token"
            && field("subject_token_type") == "urn:ietf:params:oauth:token-type:jwt"
            && field("audience") == PROVIDER
            && claims["aud"] == format!("https:{PROVIDER}")
            && claims["exp"].as_i64().is_some_and(|end| end > jwt::now());
        if is_good {
            granted(&state.issue("pool", field("scope"), &self.secrets))
        } else {
            grant_refused("Not accepted.")
        }
    }

    fn impersonate(&self, state: &mut State, request: &Request) -> Response {
        let is_account = request.path == format!("/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken");
        let body = request.json();
        match (state.who(request, PLATFORM), body["scope"][0].as_str()) {
            (Some("pool" | "somebody"), Some(scope)) if is_account => {
                let token = state.issue(ACCOUNT, scope, &self.secrets);
                Response::json(200, &json!({"accessToken": token, "expireTime": "2030-01-01T00:00:00Z"}))
            }
            _ => denied("iam.serviceAccounts.getAccessToken"),
        }
    }

    fn metadata(&self, state: &mut State, request: &Request) -> Response {
        if request.header("metadata-flavor") != Some("Google") {
            return Response::new(403, "text/html", "Missing Metadata-Flavor:Google header.");
        }
        let token = state.issue(ACCOUNT, &request.parameter("scopes").unwrap_or_default(), &self.secrets);
        granted(&token).header("metadata-flavor", "Google")
    }
}

/// Who an assertion is about and what it asks for, when its account's key signed it for Google and it is not over.
fn asserted(state: &State, assertion: &str) -> Option<(String, String)> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let claims = jwt::claims(assertion)?;
    let who = claims["iss"].as_str()?;
    let pair = RsaKeyPair::from_pkcs8(state.accounts.get(who)?).ok()?;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public().as_ref());
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    let (issued, end) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
    let is_now = (issued - jwt::now()).abs() < 300 && end > jwt::now() && end - issued <= 3600;
    let is_for_google = claims["aud"] == "https://oauth2.googleapis.com/token";
    (is_now && is_for_google).then_some((who.to_owned(), claims["scope"].as_str()?.to_owned()))
}

fn object(state: &State, request: &Request) -> Response {
    let xml = |status, code: &str| {
        Response::new(
            status,
            "application/xml",
            format!("<Error><Code>{code}</Code><Message>{code}.</Message></Error>"),
        )
    };
    let path = request.decoded_path();
    let path = path.trim_start_matches('/');
    let bucket = path.split('/').next().unwrap_or_default();
    let is_public = bucket.starts_with("public");
    if !is_public && state.who(request, "https://www.googleapis.com/auth/devstorage.read_only").is_none() {
        return xml(if request.bearer().is_some() { 401 } else { 403 }, "AccessDenied");
    }
    if !state.objects.keys().any(|key| key.starts_with(&format!("{bucket}/"))) {
        return xml(404, "NoSuchBucket");
    }
    match state.objects.get(path) {
        None => xml(404, "NoSuchKey"),
        Some((_, Some(hash))) if request.header("x-goog-encryption-key-sha256") != Some(hash) => {
            xml(400, "ResourceIsEncryptedWithCustomerEncryptionKey")
        }
        Some((bytes, _)) => Response::new(200, "application/octet-stream", bytes.clone())
            .header("last-modified", "Fri, 20 Nov 2026 10:00:00 GMT"),
    }
}

fn decrypt(state: &State, request: &Request) -> Response {
    let is_key = request.path == "/v1/projects/p/locations/global/keyRings/r/cryptoKeys/k:decrypt";
    let body = request.json();
    let plain = body["ciphertext"].as_str().and_then(|wrapped| state.keys.get(wrapped));
    match (state.who(request, "https://www.googleapis.com/auth/cloudkms"), plain) {
        (Some(_), Some(plain)) if is_key => Response::json(200, &json!({ "plaintext": plain })),
        _ => denied("cloudkms.cryptoKeyVersions.useToDecrypt"),
    }
}

fn granted(token: &str) -> Response {
    Response::json(200, &json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
}

fn grant_refused(why: &str) -> Response {
    Response::json(400, &json!({"error": "invalid_grant", "error_description": why}))
}

fn denied(permission: &str) -> Response {
    let message = format!("Permission '{permission}' denied on resource (or it may not exist).");
    let error: Value = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": message}});
    Response::json(403, &error)
}

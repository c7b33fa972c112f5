//! Amazon Web Services as far as reading an object takes: S3, STS, a machine's metadata service, a container's agent.
//!
//! One server for all of its hosts, distinguished by `Host`. Every signature is recomputed; a role's key is valid for its session only.

mod signature;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::http::{Request, Response, Secrets, Server, Service, lock, served};
use crate::{jwt, random};
use signature::{Key, Signed, check};

/// The role that users, and GitHub's identities, may assume; outsiders must say [`EXTERNAL_ID`].
pub const ROLE: &str = "arn:aws:iam::123456789012:role/reader";

/// The external id that the role asks for when it is assumed with a key.
pub const EXTERNAL_ID: &str = "acme-7";

/// The user's access key.
pub const USER: &str = "AKIAUSER";

/// What a container's agent asks for.
pub const AUTHORIZATION: &str = "container-authorization";

/// A running stand-in.
#[derive(Debug)]
pub struct Amazon {
    server: Server,
    state: Arc<Mutex<State>>,
    secrets: Secrets,
    secret: String,
}

served!(Amazon);

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<String, Key>,
    /// `bucket/key` → bytes, and the MD5 of the customer's key in base64.
    objects: BTreeMap<String, (Vec<u8>, Option<String>)>,
}

impl Amazon {
    /// One user, nothing stored. All buckets are in `eu-west-1`.
    #[must_use]
    pub fn start() -> Self {
        let (secrets, secret) = (Secrets::default(), random::uuid());
        secrets.add(&secret);
        let user = Key { secret: secret.clone(), session: None, who: "user".to_owned() };
        let state = State { keys: [(USER.to_owned(), user)].into(), objects: BTreeMap::new() };
        let state = Arc::new(Mutex::new(state));
        let api = Api { state: Arc::clone(&state), secrets: secrets.clone() };
        Self { server: Server::start(|_| api), state, secrets, secret }
    }

    /// The address to which `*.amazonaws.com` leads.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Host and port as a URL, for the metadata services.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The secret of [`USER`].
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Stores an object at `bucket/key`; `key` is the customer's own, base64.
    pub fn put(&self, object: &str, bytes: impl Into<Vec<u8>>, key: Option<&str>) {
        let hash = key.map(|key| BASE64_STANDARD.encode(md5::compute(BASE64_STANDARD.decode(key).expect("base64")).0));
        lock(&self.state).objects.insert(object.to_owned(), (bytes.into(), hash));
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
}

impl Service for Api {
    fn answer(&self, request: &Request) -> Response {
        let mut state = lock(&self.state);
        let host = request.header("host").unwrap_or_default();
        match host.strip_suffix(".amazonaws.com") {
            Some(name) if name.starts_with("sts.") => self.sts(&mut state, request),
            Some(name) => s3(&state, name, request),
            None => self.nearby(&mut state, request),
        }
    }
}

impl Api {
    fn sts(&self, state: &mut State, request: &Request) -> Response {
        let fields: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let has_session = !field("RoleSessionName").is_empty() && field("Version") == "2011-06-15";
        let may = match field("Action") {
            "AssumeRole" => match check(request, &state.keys) {
                Ok(Signed { who, service, .. }) => {
                    who == "user" && service == "sts" && field("ExternalId") == EXTERNAL_ID
                }
                Err(code) => return sts_error(403, code),
            },
            "AssumeRoleWithWebIdentity" => {
                let claims = jwt::claims(field("WebIdentityToken")).unwrap_or_default();
                if claims["exp"].as_i64().is_none_or(|end| end < jwt::now()) {
                    return sts_error(400, "ExpiredTokenException");
                }
                claims["aud"] == "sts.amazonaws.com" && claims["iss"] == "https://token.actions.githubusercontent.com"
            }
            _ => return sts_error(400, "InvalidAction"),
        };
        if !may || !has_session || field("RoleArn") != ROLE {
            return sts_error(403, "AccessDenied");
        }
        let (id, key) = self.issue(state, ROLE);
        let action = field("Action");
        let text = format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
             <SessionToken>{}</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>",
            key.secret,
            key.session.unwrap_or_default()
        );
        Response::new(200, "text/xml", text)
    }

    fn issue(&self, state: &mut State, who: &str) -> (String, Key) {
        let id = format!("ASIA{}", random::uuid().replace('-', "").to_uppercase());
        let key = Key { secret: random::uuid(), session: Some(random::uuid().repeat(3)), who: who.to_owned() };
        self.secrets.add(&key.secret);
        self.secrets.add(key.session.as_deref().unwrap_or_default());
        state.keys.insert(id.clone(), key.clone());
        (id, key)
    }

    /// The metadata service in its second version, and a container's agent.
    fn nearby(&self, state: &mut State, request: &Request) -> Response {
        const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
        let may = request.header("x-aws-ec2-metadata-token") == Some("metadata-session");
        let issued = |(id, key): (String, Key)| {
            Response::json(
                200,
                &json!({"Code": "Success", "AccessKeyId": id, "SecretAccessKey": key.secret, "Token": key.session, "Expiration": "2030-01-01T00:00:00Z"}),
            )
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token") if request.header("x-aws-ec2-metadata-token-ttl-seconds").is_some() => {
                Response::new(200, "text/plain", "metadata-session")
            }
            ("GET", ROLES) if may => Response::new(200, "text/plain", "reader"),
            ("GET", path) if may && path == format!("{ROLES}reader") => issued(self.issue(state, ROLE)),
            ("GET", "/v1/credentials") if request.header("authorization") == Some(AUTHORIZATION) => {
                issued(self.issue(state, ROLE))
            }
            _ => Response::empty(401),
        }
    }
}

/// `states.s3.eu-west-1`, `states.s3-accelerate.dualstack`, or `s3.eu-west-1` with the bucket in the path.
fn s3(state: &State, name: &str, request: &Request) -> Response {
    let path = request.decoded_path();
    let object = match name.split_once(".s3") {
        Some((bucket, _)) => format!("{bucket}{path}"),
        None => path.trim_start_matches('/').to_owned(),
    };
    let bucket = object.split('/').next().unwrap_or_default();
    if !bucket.starts_with("public") {
        match check(request, &state.keys) {
            Err(code) => return s3_error(403, code),
            Ok(signed) if signed.service != "s3" => return s3_error(400, "AuthorizationHeaderMalformed"),
            Ok(signed) if signed.region != "eu-west-1" => return s3_error(400, "AuthorizationHeaderMalformed"),
            Ok(signed) if bucket.starts_with("role") && signed.who != ROLE => return s3_error(403, "AccessDenied"),
            Ok(_) => {}
        }
    }
    if !state.objects.keys().any(|key| key.starts_with(&format!("{bucket}/"))) {
        return s3_error(404, "NoSuchBucket");
    }
    match state.objects.get(&object) {
        None => s3_error(404, "NoSuchKey"),
        Some((_, Some(_))) if request.header("x-amz-server-side-encryption-customer-key").is_none() => {
            s3_error(400, "InvalidRequest")
        }
        Some((_, Some(hash))) if request.header("x-amz-server-side-encryption-customer-key-md5") != Some(hash) => {
            s3_error(403, "AccessDenied")
        }
        Some((bytes, _)) => Response::new(200, "application/octet-stream", bytes.clone()),
    }
}

fn s3_error(status: u16, code: &str) -> Response {
    Response::new(status, "application/xml", format!("<Error><Code>{code}</Code><Message>No.</Message></Error>"))
}

fn sts_error(status: u16, code: &str) -> Response {
    let text = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>No.</Message></Error></ErrorResponse>"
    );
    Response::new(status, "text/xml", text)
}

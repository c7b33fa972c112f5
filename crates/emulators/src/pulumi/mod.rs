//! Pulumi Cloud as far as reading a stack's outputs needs it: outputs, export, decryption with the service's key, and tokens in
//! return for a job's identity.

mod oauth;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

use crate::http::{Request, Response, Secrets, Server, Service, lock, served};
use crate::random;

/// Marks an object of the state as more than an object, and a secret among those (`resource/sig`).
const SIGNATURE: &str = "4dabf18193072939515e22adb298388d";
const SECRET: &str = "1b47061264138c4ac30d75fd1eb44270";

/// A running stand-in of `https://api.pulumi.com`.
#[derive(Debug)]
pub struct PulumiCloud {
    server: Server,
    state: Arc<Mutex<State>>,
    secrets: Secrets,
    token: String,
}

served!(PulumiCloud);

#[derive(Debug, Default)]
struct State {
    /// `org/project/stack` → outputs as they stand in the state.
    stacks: BTreeMap<String, Map<String, Value>>,
    /// Ciphertext → stack and plaintext.
    sealed: BTreeMap<String, (String, String)>,
    without_outputs: bool,
    policies: Vec<oauth::Policy>,
    issued: Vec<oauth::Issued>,
}

impl PulumiCloud {
    /// No stack yet.
    #[must_use]
    pub fn start() -> Self {
        let (state, secrets) = (Arc::new(Mutex::new(State::default())), Secrets::default());
        let token = format!("pul-{}", random::uuid().replace('-', ""));
        secrets.add(&token);
        let api = Api { state: Arc::clone(&state), token: token.clone(), secrets: secrets.clone() };
        Self { server: Server::start(|_| api), state, secrets, token }
    }

    /// For `PULUMI_BACKEND_URL` or `PULUMI_API`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// For `PULUMI_ACCESS_TOKEN`.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Adds a plain output to the stack `org/project/stack`, which it makes.
    pub fn set(&self, stack: &str, name: &str, value: Value) {
        lock(&self.state).outputs(stack).insert(name.to_owned(), value);
    }

    /// Adds a secret output. Its value is JSON text under a ciphertext that only the service can open.
    pub fn set_secret(&self, stack: &str, name: &str, value: &Value) {
        self.secrets.add(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let ciphertext = BASE64_STANDARD.encode(random::bytes::<48>());
        let mut state = lock(&self.state);
        let sealed = json!({ SIGNATURE: SECRET, "ciphertext": ciphertext });
        state.outputs(stack).insert(name.to_owned(), sealed);
        state.sealed.insert(ciphertext, (stack.to_owned(), value.to_string()));
    }

    /// Lets jobs whose OIDC subject matches (`repo:acme/shop:*`) have tokens of `organization`: `token` is `organization`,
    /// `team:NAME` or `user:NAME`.
    pub fn trust(&self, organization: &str, subject: &str, token: &str) {
        let (organization, subject, token) = (organization.to_owned(), subject.to_owned(), token.to_owned());
        lock(&self.state).policies.push(oauth::Policy { organization, subject, token });
    }

    /// Answers as a self-hosted service does that is older than the `outputs` call.
    pub fn forget_outputs_call(&self) {
        lock(&self.state).without_outputs = true;
    }

    /// The token and the values of secret outputs.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }
}

impl State {
    fn outputs(&mut self, stack: &str) -> &mut Map<String, Value> {
        self.stacks.entry(stack.to_owned()).or_default()
    }
}

struct Api {
    state: Arc<Mutex<State>>,
    token: String,
    secrets: Secrets,
}

impl Api {
    fn exchange(&self, state: &mut State, request: &Request) -> Response {
        let (answer, issued) = oauth::exchange(&state.policies, request);
        if let Some(issued) = issued {
            self.secrets.add(&issued.0);
            state.issued.push(issued);
        }
        answer
    }

    /// Whether the request bears a token that may read the stacks of `organization`; `None` means any.
    fn admits(&self, state: &State, request: &Request, organization: Option<&str>) -> bool {
        let Some(token) = request.header("authorization").and_then(|value| value.strip_prefix("token ")) else {
            return false;
        };
        let is_issued = |(text, of): &oauth::Issued| text == token && organization.is_none_or(|wanted| wanted == of);
        token == self.token || state.issued.iter().any(is_issued)
    }
}

impl Service for Api {
    fn answer(&self, request: &Request) -> Response {
        let mut state = lock(&self.state);
        let segments = request.segments();
        if (request.method.as_str(), segments.as_slice()) == ("POST", &["api", "oauth", "token"]) {
            return self.exchange(&mut state, request);
        }
        let owner = match segments.as_slice() {
            ["api", "stacks", owner, ..] => Some(*owner),
            _ => None,
        };
        if !self.admits(&state, request, owner) {
            return error(401, "Unauthorized: No credentials provided or are invalid.");
        }
        let ["api", "stacks", owner, project, name, call @ ..] = segments.as_slice() else {
            return match (request.method.as_str(), segments.as_slice()) {
                ("GET", ["api", "user"]) => Response::json(200, &user()),
                _ => error(404, "Not Found"),
            };
        };
        let stack = format!("{owner}/{project}/{name}");
        let Some(outputs) = state.stacks.get(&stack) else {
            return error(404, &format!("Not Found: Stack '{stack}' not found"));
        };
        match (request.method.as_str(), call) {
            ("GET", ["outputs"]) if !state.without_outputs => {
                let body = json!({ "outputs": outputs, "secretsProviders": provider(&stack) });
                Response::json(200, &body)
            }
            ("GET", ["export"]) => Response::json(200, &export(&stack, outputs)),
            ("POST", ["decrypt"]) => decrypt(&state, &stack, &body(request)),
            ("POST", ["batch-decrypt"]) => batch_decrypt(&state, &stack, &body(request)),
            ("POST", ["decrypt", "log-decryption" | "log-batch-decryption"]) => Response::empty(204),
            _ => error(404, "Not Found"),
        }
    }

    fn everywhere(&self) -> Vec<(String, String)> {
        vec![("x-pulumi-request-id".to_owned(), random::uuid())]
    }
}

fn error(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "code": status, "message": message }))
}

fn user() -> Value {
    json!({ "githubLogin": "stand-in", "name": "Stand-in", "organizations": [{ "githubLogin": "acme", "name": "acme" }] })
}

fn provider(stack: &str) -> Value {
    let mut parts = stack.split('/');
    let mut next = || parts.next().unwrap_or_default();
    let (owner, project, stack) = (next(), next(), next());
    let state = json!({ "url": "https://api.pulumi.com", "owner": owner, "project": project, "stack": stack });
    json!({ "type": "service", "state": state })
}

fn export(stack: &str, outputs: &Map<String, Value>) -> Value {
    let mut parts = stack.split('/').skip(1);
    let (project, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let kind = "pulumi:pulumi:Stack";
    let urn = format!("urn:pulumi:{name}::{project}::{kind}::{project}-{name}");
    let resource = json!({ "urn": urn, "custom": false, "type": kind, "outputs": outputs });
    let manifest = json!({ "time": "2026-01-02T03:04:05.678901234Z", "magic": "", "version": "v3.259.0" });
    let deployment = json!({ "manifest": manifest, "secrets_providers": provider(stack), "resources": [resource] });
    json!({ "version": 3, "deployment": deployment })
}

/// The JSON body, which the CLI sends compressed.
fn body(request: &Request) -> Value {
    if request.header("content-encoding") != Some("gzip") {
        return request.json();
    }
    let mut text = String::new();
    match GzDecoder::new(request.body.as_ref()).read_to_string(&mut text) {
        Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

fn opened(state: &State, stack: &str, ciphertext: &Value) -> Option<String> {
    let (owner, plaintext) = state.sealed.get(ciphertext.as_str()?)?;
    (owner == stack).then(|| BASE64_STANDARD.encode(plaintext))
}

fn decrypt(state: &State, stack: &str, body: &Value) -> Response {
    opened(state, stack, &body["ciphertext"]).map_or_else(
        || error(400, "Bad Request: invalid ciphertext"),
        |text| Response::json(200, &json!({ "plaintext": text })),
    )
}

fn batch_decrypt(state: &State, stack: &str, body: &Value) -> Response {
    let Some(list) = body["ciphertexts"].as_array() else { return error(400, "Bad Request: ciphertexts is missing") };
    let mut plaintexts = Map::new();
    for ciphertext in list {
        let Some(text) = opened(state, stack, ciphertext) else { return error(400, "Bad Request: invalid ciphertext") };
        plaintexts.insert(ciphertext.as_str().unwrap_or_default().to_owned(), Value::from(text));
    }
    Response::json(200, &json!({ "plaintexts": plaintexts }))
}

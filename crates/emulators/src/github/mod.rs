//! GitHub's REST API as far as a deploy talks to it: comments, check runs, deployments, and the identity token of a job.
//!
//! One repository. The job's token may write; the token of a fork's pull request may only read, and gets GitHub's answer to a write.

mod limits;
mod state;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::{Request, Response, Secrets, Server, Service, lock, served};
use crate::{jwt, random};
use limits::{check_check_run, check_deployment, check_status};
pub use state::Deployment;
use state::State;

/// The repository that the stand-in knows.
pub const REPOSITORY: &str = "acme/shop";

/// How many requests an hour a job's token has.
const HOURLY: u64 = 1000;

/// A loopback GitHub with one repository.
#[derive(Debug)]
pub struct GitHub {
    server: Server,
    state: Arc<Mutex<State>>,
    tokens: Tokens,
    secrets: Secrets,
}

served!(GitHub);

#[derive(Clone, Debug)]
struct Tokens {
    write: String,
    fork: String,
    id_request: String,
}

impl GitHub {
    /// Starts on a free port.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(0)
    }

    /// Starts on `port` (0: any free one).
    #[must_use]
    pub(crate) fn start_at(port: u16) -> Self {
        let secrets = Secrets::default();
        let token = || {
            let token = format!("ghs_{}", random::word(36));
            secrets.add(&token);
            token
        };
        let tokens = Tokens { write: token(), fork: token(), id_request: token() };
        let state = Arc::new(Mutex::new(State::default()));
        let server = Server::start_at(port, |address| Api {
            address,
            state: Arc::clone(&state),
            tokens: tokens.clone(),
            secrets: secrets.clone(),
        });
        Self { server, state, tokens, secrets }
    }

    /// For `GITHUB_API_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// For `GITHUB_TOKEN`: the job's own, with every permission we use.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.tokens.write
    }

    /// For `GITHUB_TOKEN` in a fork's pull request: it may read only.
    #[must_use]
    pub fn fork_token(&self) -> &str {
        &self.tokens.fork
    }

    /// For `ACTIONS_ID_TOKEN_REQUEST_URL`.
    #[must_use]
    pub fn id_token_url(&self) -> String {
        format!("{}/oidc/token?api-version=2.0", self.server.url())
    }

    /// For `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    #[must_use]
    pub fn id_token_bearer(&self) -> &str {
        &self.tokens.id_request
    }

    /// Tokens handed out so far.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The comments of an issue or pull request, oldest first.
    #[must_use]
    pub fn comments(&self, issue: u64) -> Vec<String> {
        let state = lock(&self.state);
        state.comments.iter().filter(|one| one.issue == issue).map(|one| one.body.clone()).collect()
    }

    /// Another author's comment.
    pub fn comment(&self, issue: u64, body: &str) {
        lock(&self.state).add_comment(issue, "octocat", body);
    }

    /// The check runs as the API shows them, oldest first.
    #[must_use]
    pub fn check_runs(&self) -> Vec<Value> {
        lock(&self.state).check_runs.clone()
    }

    /// The deployments, oldest first.
    #[must_use]
    pub fn deployments(&self) -> Vec<Deployment> {
        lock(&self.state).deployments.clone()
    }
}

struct Api {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    tokens: Tokens,
    secrets: Secrets,
}

impl Service for Api {
    fn answer(&self, request: &Request) -> Response {
        let segments = request.segments();
        if segments == ["oidc", "token"] {
            return self.id_token(request);
        }
        let token = request.bearer().or_else(|| request.header("authorization")?.strip_prefix("token "));
        let may_write = match token {
            Some(token) if token == self.tokens.write => true,
            Some(token) if token == self.tokens.fork => false,
            _ => return message(401, "Bad credentials"),
        };
        let ["repos", owner, name, rest @ ..] = segments.as_slice() else { return message(404, "Not Found") };
        if format!("{owner}/{name}") != REPOSITORY {
            return message(404, "Not Found");
        }
        if request.method != "GET" && !may_write {
            return message(403, "Resource not accessible by integration");
        }
        route(&mut lock(&self.state), &self.address.to_string(), rest, request)
    }

    fn everywhere(&self) -> Vec<(String, String)> {
        let used = {
            let mut state = lock(&self.state);
            state.requests += 1;
            state.requests
        };
        [
            ("x-github-request-id", "C0DE:1234:5678".to_owned()),
            ("x-ratelimit-limit", HOURLY.to_string()),
            ("x-ratelimit-remaining", HOURLY.saturating_sub(used).to_string()),
            ("x-ratelimit-used", used.to_string()),
            ("x-ratelimit-reset", (jwt::now() + 3600).to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

impl Api {
    /// The runner's own endpoint: the JWT of this job.
    fn id_token(&self, request: &Request) -> Response {
        if request.bearer() != Some(&self.tokens.id_request) {
            return message(401, "The request token is not valid");
        }
        let owner = REPOSITORY.split('/').next().unwrap_or_default();
        let audience = request.parameter("audience").unwrap_or_else(|| format!("https://github.com/{owner}"));
        let token = jwt::issue(&json!({
            "iss": "https://token.actions.githubusercontent.com",
            "aud": audience,
            "sub": format!("repo:{REPOSITORY}:ref:refs/heads/main"),
            "repository": REPOSITORY,
            "ref": "refs/heads/main",
            "iat": jwt::now(),
            "exp": jwt::now() + 300,
        }));
        self.secrets.add(&token);
        Response::json(200, &json!({ "count": token.len(), "value": token }))
    }
}

fn route(state: &mut State, host: &str, segments: &[&str], request: &Request) -> Response {
    let body = request.json();
    match (request.method.as_str(), segments) {
        ("GET", ["issues", issue, "comments"]) => comments(state, host, issue, request),
        ("POST", ["issues", issue, "comments"]) => match (issue.parse(), body["body"].as_str()) {
            (Ok(issue), Some(text)) if text.chars().count() <= 65_536 => {
                Response::json(201, &state.add_comment(issue, "github-actions[bot]", text))
            }
            _ => invalid("body is missing or too long (maximum is 65536 characters)"),
        },
        ("PATCH", ["issues", "comments", id]) => {
            let edited = body["body"].as_str().and_then(|text| state.edit_comment(id.parse().ok()?, text));
            edited.map_or_else(|| message(404, "Not Found"), |comment| Response::json(200, &comment))
        }
        ("DELETE", ["issues", "comments", id]) => {
            state.comments.retain(|one| one.id.to_string() != *id);
            Response::empty(204)
        }
        ("POST", ["check-runs"]) => match check_check_run(&body, true) {
            Err(why) => invalid(&why),
            Ok(()) => Response::json(201, &state.add_check_run(&body)),
        },
        ("PATCH", ["check-runs", id]) => match check_check_run(&body, false) {
            Err(why) => invalid(&why),
            Ok(()) => match state.edit_check_run(id, &body) {
                Some(run) => Response::json(200, &run),
                None => message(404, "Not Found"),
            },
        },
        ("POST", ["deployments"]) => match check_deployment(&body) {
            Err(why) => invalid(&why),
            Ok(()) => Response::json(201, &state.add_deployment(&body)),
        },
        ("POST", ["deployments", id, "statuses"]) => match check_status(&body) {
            Err(why) => invalid(&why),
            Ok(()) => match state.add_status(id, &body) {
                Some(status) => Response::json(201, &status),
                None => message(404, "Not Found"),
            },
        },
        _ => message(404, "Not Found"),
    }
}

/// Oldest first, 30 a page unless asked for up to 100, the next page in `Link`.
fn comments(state: &State, host: &str, issue: &str, request: &Request) -> Response {
    let number =
        |name: &str, default: usize| request.parameter(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, size) = (number("page", 1).max(1), number("per_page", 30).clamp(1, 100));
    let all: Vec<Value> =
        state.comments.iter().filter(|one| one.issue.to_string() == issue).map(state::Comment::json).collect();
    let shown: Vec<&Value> = all.iter().skip((page - 1) * size).take(size).collect();
    let answer = Response::json(200, &json!(shown));
    if page * size >= all.len() {
        return answer;
    }
    let next = format!("<http://{host}{}?per_page={size}&page={}>; rel=\"next\"", request.path, page + 1);
    answer.header("link", next)
}

fn message(status: u16, text: &str) -> Response {
    let body =
        json!({ "message": text, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() });
    Response::json(status, &body)
}

fn invalid(why: &str) -> Response {
    let body = json!({ "message": "Validation Failed", "errors": [{ "message": why }], "status": "422" });
    Response::json(422, &body)
}

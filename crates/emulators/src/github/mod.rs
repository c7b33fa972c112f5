//! GitHub's REST API as far as a deploy talks to it: comments, check runs, deployments, and the identity token of a job.
//!
//! One repository. The job's token may write; the token of a fork's pull request may only read, and gets GitHub's answer to a write.

mod documents;
mod entities;
mod limits;
mod names;
mod refusal;
mod routes;
mod state;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::{Request, Response, Secrets, Server, Service, lock, served};
use crate::{jwt, random};
pub use entities::{Deployment, Pull};
use names::LOGIN;
pub use names::REPOSITORY;
use refusal::message;
use routes::route;
use state::State;

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

    /// A comment of a job's token, as another job left it.
    pub fn comment_of_job(&self, issue: u64, body: &str) {
        lock(&self.state).add_comment(issue, LOGIN, body);
    }

    /// A pull request.
    pub fn pull(&self, pull: Pull) {
        lock(&self.state).pulls.push(pull);
    }

    /// The last common commit of any two commits; without it they have none.
    pub fn set_merge_base(&self, commit: &str) {
        lock(&self.state).merge_base = Some(commit.to_owned());
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
        if request.header("user-agent").is_none() {
            return message(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
            );
        }
        // The token of an app is no user to REST; GraphQL knows its login.
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["user"]) => return message(403, "Resource not accessible by integration"),
            ("POST", ["graphql"]) => return viewer(&request.json()),
            _ => {}
        }
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

/// The one query that is understood.
fn viewer(body: &Value) -> Response {
    let query: String = body["query"].as_str().unwrap_or_default().split_whitespace().collect();
    if query == "query{viewer{login}}" {
        return Response::json(200, &json!({ "data": { "viewer": { "login": LOGIN } } }));
    }
    let error = json!({ "message": "Parse error", "locations": [{ "line": 1, "column": 1 }] });
    Response::json(200, &json!({ "errors": [error] }))
}

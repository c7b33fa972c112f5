//! Cloudflare: Pages projects, direct upload, deployments and the deployed sites themselves; and the upload of Workers.
//!
//! Held to real `wrangler pages deploy`, which deploys to it in a test. The sites answer on the same port under
//! `http://<project>.localhost:PORT` (what production serves) and `http://<deployment>.<project>.localhost:PORT`.

mod account;
mod assets;
mod envelope;
mod rules;
mod site;
mod state;
mod token;
mod workers;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::http::{Request, Response, Secrets, Server, Service, lock, served};
pub use envelope::ACCOUNT;
use envelope::failure;
pub use state::{Deployment, Progress, WorkerVersion};
use state::{Permission, State};

/// A loopback Cloudflare with one account.
#[derive(Debug)]
pub struct Cloudflare {
    server: Server,
    state: Arc<Mutex<State>>,
    token: String,
    secrets: Secrets,
}

served!(Cloudflare);

impl Cloudflare {
    /// Starts on a free port.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(0)
    }

    /// Starts on `port` (0: any free one).
    #[must_use]
    pub(crate) fn start_at(port: u16) -> Self {
        let secrets = Secrets::default();
        let state = Arc::new(Mutex::new(State::new(secrets.clone())));
        let token = lock(&state).issue_token(Permission::Edit);
        let server = Server::start_at(port, |address| Pages { address, state: Arc::clone(&state) });
        Self { server, state, token, secrets }
    }

    /// For `CLOUDFLARE_API_BASE_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/client/v4", self.server.url())
    }

    /// For `CLOUDFLARE_ACCOUNT_ID`.
    #[must_use]
    pub fn account(&self) -> &'static str {
        ACCOUNT
    }

    /// For `CLOUDFLARE_API_TOKEN`: may edit Pages.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A valid token without any permission for Pages.
    #[must_use]
    pub fn powerless_token(&self) -> String {
        lock(&self.state).issue_token(Permission::None)
    }

    /// Tokens and upload tokens handed out so far.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Creates a project whose production branch is `main`.
    pub fn project(&self, name: &str) {
        lock(&self.state).create_project(name, "main");
    }

    /// The project's deployments, oldest first.
    #[must_use]
    pub fn deployments(&self, project: &str) -> Vec<Deployment> {
        lock(&self.state).projects.get(project).map(|project| project.deployments.clone()).unwrap_or_default()
    }

    /// The id of the deployment that production serves.
    #[must_use]
    pub fn live(&self, project: &str) -> Option<String> {
        lock(&self.state).projects.get(project)?.canonical.clone()
    }

    /// The versions of a Worker's script, oldest first.
    #[must_use]
    pub fn worker_versions(&self, name: &str) -> Vec<WorkerVersion> {
        lock(&self.state).workers.get(name).map(|worker| worker.versions.clone()).unwrap_or_default()
    }

    /// The id of the version of a Worker's script that answers requests.
    #[must_use]
    pub fn live_worker(&self, name: &str) -> Option<String> {
        lock(&self.state).workers.get(name)?.deployed.clone()
    }

    /// The port of the API and of every site.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// The address at which production serves the project.
    #[must_use]
    pub fn site(&self, project: &str) -> String {
        format!("http://{project}.localhost:{}", self.server.address().port())
    }

    /// The names of all projects.
    #[must_use]
    pub fn projects(&self) -> Vec<String> {
        lock(&self.state).projects.keys().cloned().collect()
    }

    /// Lets time pass: every pending deployment that can end does, as real ones do without being looked at.
    pub fn settle(&self) {
        for project in lock(&self.state).projects.values_mut() {
            let waiting = project.deployments.iter().filter(|one| !one.switched);
            let waiting: Vec<(String, usize)> = waiting.map(|one| (one.id.clone(), one.looks_needed())).collect();
            for (id, looks) in waiting {
                (0..looks).for_each(|_| project.look(&id));
            }
        }
    }

    /// How deployments created from now on proceed.
    pub fn deployments_will(&self, progress: Progress) {
        lock(&self.state).progress = progress;
    }

    /// Every upload token handed out so far has expired.
    pub fn expire_upload_tokens(&self) {
        lock(&self.state).upload_tokens.clear();
    }

    /// Upload tokens from now on live that long and allow that many files.
    pub fn upload_tokens_will(&self, live: Duration, max_files: u64) {
        let mut state = lock(&self.state);
        state.token_life = live;
        state.max_files = max_files;
    }

    /// At most `requests` calls with one token are answered; then 429 with `Retry-After`, until [`Self::recover`].
    pub fn limit(&self, requests: usize, retry_after_seconds: u64) {
        lock(&self.state).limit = Some((requests, retry_after_seconds));
    }

    /// Removes all faults and limits.
    pub fn recover(&self) {
        self.server.recover();
        lock(&self.state).limit = None;
    }
}

struct Pages {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Service for Pages {
    fn answer(&self, request: &Request) -> Response {
        let mut state = lock(&self.state);
        let host = request.header("host").unwrap_or_default();
        if let Some(site) = host.split(':').next().and_then(|name| name.strip_suffix(".localhost")) {
            return site::answer(&state, site, request);
        }
        let Some(path) = request.path.strip_prefix("/client/v4") else {
            return failure(404, 7003, "Could not route to the path: no such endpoint");
        };
        if let Some(refused) = state.over_limit() {
            return refused;
        }
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["pages", "assets", call] => assets::answer(&mut state, call, request),
            _ => account::answer(&mut state, self.address.port(), &segments, request),
        }
    }

    fn everywhere(&self) -> Vec<(String, String)> {
        let mut headers = vec![("cf-ray".to_owned(), "8f00000000000000-LOC".to_owned())];
        if let Some((left, _)) = lock(&self.state).limit {
            headers.push(("x-ratelimit-limit".to_owned(), state::LIMIT.to_string()));
            headers.push(("x-ratelimit-remaining".to_owned(), left.to_string()));
        }
        headers
    }
}

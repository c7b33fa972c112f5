//! A stand-in for Doppler's API: secrets, names, download formats, OIDC, scoped tokens and the limits of its plans.
//!
//! Held to the published `OpenAPI` document and to the behaviour recorded from the real service (error bodies, statuses).

mod answer;
mod format;
mod state;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::http::{Request, Response, Secrets, Server, Service, lock, served};
use crate::random;
pub use state::Visibility;
use state::{Kind, State, Token};

/// The project that [`Doppler::set`] writes to and that the default tokens see, unless it was given another.
pub const PROJECT: &str = "app";

/// A running stand-in of `https://api.doppler.com`.
#[derive(Debug)]
pub struct Doppler {
    server: Server,
    state: Arc<Mutex<State>>,
    secrets: Secrets,
    project: String,
    token: String,
}

served!(Doppler);

impl Doppler {
    /// A workplace with the project `app` and its empty configs `dev`, `stg` and `prd`.
    #[must_use]
    pub fn start() -> Self {
        Self::of(PROJECT)
    }

    /// The same with a project of that name in place of `app`.
    #[must_use]
    pub fn of(project: &str) -> Self {
        let secrets = Secrets::default();
        let state = Arc::new(Mutex::new(State::default()));
        for config in ["dev", "stg", "prd"] {
            lock(&state).config(project, config);
        }
        let service = Api { state: Arc::clone(&state), secrets: secrets.clone() };
        let server = Server::start(|_| service);
        let mut doppler = Self { server, state, secrets, project: project.to_owned(), token: String::new() };
        doppler.token = doppler.service_token("dev");
        doppler
    }

    /// For `DOPPLER_API_HOST`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// A service token of the config `dev`, for `DOPPLER_TOKEN`.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A token that sees one config of the project `app` and no other.
    #[must_use]
    pub fn service_token(&self, config: &str) -> String {
        let scope = Some((self.project.clone(), config.to_owned()));
        self.issue(Kind::Service, format!("dp.st.{config}.{}", random::word(43)), scope)
    }

    /// A service account's token: sees everything, must name project and config.
    #[must_use]
    pub fn service_account_token(&self) -> String {
        self.issue(Kind::ServiceAccount, format!("dp.sa.{}", random::word(43)), None)
    }

    /// A person's token: sees everything but values of restricted visibility, must name project and config.
    #[must_use]
    pub fn personal_token(&self) -> String {
        self.issue(Kind::Personal, format!("dp.pt.{}", random::word(43)), None)
    }

    fn issue(&self, kind: Kind, text: String, scope: Option<(String, String)>) -> String {
        self.secrets.add(&text);
        lock(&self.state).tokens.push(Token { kind, text: text.clone(), scope });
        text
    }

    /// Makes `token` worthless, as revoking it in the dashboard does.
    pub fn revoke(&self, token: &str) {
        lock(&self.state).revoke(token);
    }

    /// Lets the OIDC identity `id` have tokens that see all of the project `app`, for JWTs of that audience and any subject.
    pub fn trust(&self, id: &str, audience: Option<&str>) {
        lock(&self.state).identities.insert(id.to_owned(), audience.map(str::to_owned));
    }

    /// Sets a masked secret of the project `app`. References (`${OTHER}`, `${config.OTHER}`) are resolved when it is read.
    pub fn set(&self, config: &str, name: &str, value: &str) {
        self.set_with(config, name, value, Visibility::Masked);
    }

    /// Sets a secret of that visibility.
    pub fn set_with(&self, config: &str, name: &str, value: &str, visibility: Visibility) {
        if visibility != Visibility::Unmasked {
            self.secrets.add(value);
        }
        lock(&self.state).set((&self.project, config), name, value, visibility);
    }

    /// Sets a masked secret of another project, which is made if there is none.
    pub fn set_in(&self, project: &str, config: &str, name: &str, value: &str) {
        self.add_config(project, config);
        self.secrets.add(value);
        lock(&self.state).set((project, config), name, value, Visibility::Masked);
    }

    /// Adds a project with one empty config.
    pub(crate) fn add_config(&self, project: &str, config: &str) {
        lock(&self.state).config(project, config);
    }

    /// Enforces the limit of secret reads: `count` per `window`, as the free plan's 120 per minute.
    pub fn limit_secret_reads(&self, count: u64, window: Duration) {
        lock(&self.state).limit =
            Some(state::Limit { count, window, used: 0, since: Instant::now(), windows: Vec::new() });
    }

    /// Of each window of the limit that saw a read: how many reads were let through, and how many were refused.
    #[must_use]
    pub fn read_windows(&self) -> Vec<(u64, u64)> {
        lock(&self.state).limit.as_ref().map(|limit| limit.windows.clone()).unwrap_or_default()
    }

    /// From now on lists of secrets carry no `ETag`: the documentation promises it for downloads only.
    pub fn leave_lists_untagged(&self) {
        lock(&self.state).tags_lists = false;
    }

    /// How often values were handed out: answers of 200 to a list, a download or a single secret.
    #[must_use]
    pub fn full_reads(&self) -> usize {
        let reads = ["/v3/configs/config/secrets", "/v3/configs/config/secrets/download", "/v3/configs/config/secret"];
        let requests = self.requests();
        requests.iter().filter(|request| request.status == 200 && reads.contains(&request.path.as_str())).count()
    }

    /// Every token issued and every value set that is not unmasked.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// The tokens that are still good.
    #[must_use]
    pub fn live_tokens(&self) -> Vec<String> {
        lock(&self.state).tokens.iter().map(|token| token.text.clone()).collect()
    }
}

struct Api {
    state: Arc<Mutex<State>>,
    secrets: Secrets,
}

impl Service for Api {
    fn answer(&self, request: &Request) -> Response {
        answer::answer(&mut lock(&self.state), &self.secrets, request)
    }

    fn everywhere(&self) -> Vec<(String, String)> {
        let mut headers = vec![("x-request-id".to_owned(), random::uuid())];
        if let Some(limit) = &mut lock(&self.state).limit {
            headers.extend(limit.headers());
        }
        headers
    }
}

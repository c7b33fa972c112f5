//! The calls of one account, each paced with all others and repeated where that can help and do no harm.

use std::sync::Arc;
use std::time::Duration;

use api::{Client, Deadline, Error, Request};
use fault::{Fault, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::answer::{self, Envelope, Ignored, WAIT, advise, is_limit, is_passing};
use crate::form::Form;
use crate::model::{Deployment, Project};
use crate::rate_limit::RateLimit;
use crate::token::UploadToken;

/// Attempts at one call, those that a rate limit turned away not counted.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// The most deployments the API lists at once; asking for more is refused (8000024).
const PAGE: &str = "25";

/// What one attempt at an upload or a form may take: 56 MB on a slow line.
const LONG: Duration = Duration::from_mins(5);

/// One account's Pages.
#[derive(Clone, Debug)]
pub struct PagesClient {
    http: Client,
    id: String,
    rate_limit: Arc<RateLimit>,
}

/// Whether a call may be made again after an answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Harmless,
    /// Only a rate limit is waited for: it turned the call away before it was acted on.
    Harmful,
}

impl PagesClient {
    /// The account `id`, through a client that carries its API token.
    #[must_use]
    pub fn new(client: Client, id: impl Into<String>, rate_limit: Arc<RateLimit>) -> Self {
        Self { http: client.errors(answer::decode), id: id.into(), rate_limit }
    }

    /// The same account under another deadline.
    #[must_use]
    pub fn until(&self, deadline: Deadline) -> Self {
        Self { http: self.http.clone().until(deadline), id: self.id.clone(), rate_limit: Arc::clone(&self.rate_limit) }
    }

    /// The client, for addresses that are not the API's.
    #[must_use]
    pub fn http(&self) -> &Client {
        &self.http
    }

    /// The project `name`, or `None` where the service says that there is none.
    ///
    /// # Errors
    /// The service refuses, or is away.
    pub async fn project(&self, name: &str) -> Result<Option<Project>> {
        match self.call(Repeat::Harmless, || self.http.get(&self.path(name, ""))).await {
            Ok(project) => Ok(Some(project)),
            Err(error) if answer::is_no_project(&error) => Ok(None),
            Err(error) => Err(advise(error, name)),
        }
    }

    /// Creates the project `name`.
    ///
    /// # Errors
    /// The service refuses, or is away.
    pub async fn create_project(&self, name: &str, production_branch: &str) -> Result<Project> {
        let path = format!("/accounts/{}/pages/projects", self.id);
        let body = json!({"name": name, "production_branch": production_branch});
        self.call(Repeat::Harmful, || self.http.post(&path).json(&body)).await.map_err(|error| advise(error, name))
    }

    /// A token for the project's assets.
    ///
    /// # Errors
    /// The service refuses, or is away.
    pub async fn upload_token(&self, project: &str) -> Result<UploadToken> {
        #[derive(Deserialize)]
        struct Answer {
            jwt: String,
        }
        let path = self.path(project, "/upload-token");
        let answer: Answer =
            self.call(Repeat::Harmless, || self.http.get(&path)).await.map_err(|error| advise(error, project))?;
        Ok(UploadToken::new(answer.jwt.into()))
    }

    /// Posts a deployment, once: the caller looks whether a lost one took.
    pub(crate) async fn post_deployment(&self, project: &str, form: &Form) -> Result<Deployment, Error> {
        let boundary = form.boundary();
        let (path, content_type) =
            (self.path(project, "/deployments"), format!("multipart/form-data; boundary={boundary}"));
        let post = || self.http.post(&path).body(&content_type, form.encode(&boundary)).timeout(LONG);
        self.call(Repeat::Harmful, post).await
    }

    /// The project's newest deployments, newest first, 25 at most.
    ///
    /// # Errors
    /// The service refuses, or is away.
    pub async fn newest_deployments(&self, project: &str) -> Result<Vec<Deployment>> {
        let path = self.path(project, "/deployments");
        let get = || self.http.get(&path).query("page", "1").query("per_page", PAGE);
        self.call(Repeat::Harmless, get).await.map_err(|error| advise(error, project))
    }

    /// A deployment as it stands.
    ///
    /// # Errors
    /// The service refuses, or is away.
    pub async fn deployment(&self, project: &str, id: &str) -> Result<Deployment> {
        let path = self.path(project, &format!("/deployments/{id}"));
        self.call(Repeat::Harmless, || self.http.get(&path)).await.map_err(|error| advise(error, project))
    }

    /// The last line of a deployment's log: why it failed. Foreign text.
    ///
    /// # Errors
    /// The service refuses, or is away.
    pub async fn last_log_line(&self, project: &str, id: &str) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Log {
            #[serde(default)]
            data: Vec<Line>,
        }
        #[derive(Deserialize)]
        struct Line {
            line: String,
        }
        let path = self.path(project, &format!("/deployments/{id}/history/logs"));
        let log: Log = self
            .call(Repeat::Harmless, || self.http.get(&path).query("size", "10000000"))
            .await
            .map_err(|error| advise(error, project))?;
        Ok(log.data.into_iter().next_back().map(|line| line.line))
    }

    /// Makes production serve the deployment `id` again.
    ///
    /// # Errors
    /// The service refuses, or is away.
    pub async fn roll_back(&self, project: &str, id: &str) -> Result<()> {
        let path = self.path(project, &format!("/deployments/{id}/rollback"));
        // The same twice: production serves that deployment.
        let done: Result<Ignored, Error> = self.call(Repeat::Harmless, || self.http.post(&path)).await;
        done.map(|_| ()).map_err(|error| advise(error, project))
    }

    /// A call with its answer's `result`.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        repeat: Repeat,
        make: impl Fn() -> Request,
    ) -> Result<T, Error> {
        let mut attempt = 0;
        loop {
            let turn = match self.rate_limit.turn(self.http.remaining()).await {
                Ok(turn) => turn,
                Err(wait) => return Err(Error::Fault(Fault::temporary(too_long(wait)).help(WAIT))),
            };
            let outcome = make().once().receive::<Envelope<T>>().await;
            drop(turn);
            let error = match outcome {
                // Where the caller wants nothing, `null` is a result.
                Ok(envelope) if envelope.success => {
                    self.rate_limit.answered();
                    return result(envelope.result).map_err(Error::Fault);
                }
                Ok(envelope) => answer::refused(envelope.errors),
                Err(error) => error,
            };
            if let Error::Refused(refusal) = &error
                && is_limit(refusal)
            {
                self.rate_limit.stop(refusal.retry_after_seconds.map(|wait| Duration::from_secs(wait.into())));
                let wait = self.rate_limit.stopped_for();
                if wait >= self.http.remaining() {
                    return Err(gave_up(error, too_long(wait)));
                }
                continue;
            }
            attempt += 1;
            let pause = FIRST_PAUSE.saturating_mul(1 << attempt);
            let again = repeat == Repeat::Harmless && is_passing(&error) && attempt < ATTEMPTS;
            if !again || pause >= self.http.remaining() {
                return Err(if attempt > 1 { gave_up(error, format!("tried {attempt} times")) } else { error });
            }
            tokio::time::sleep(pause).await;
        }
    }

    pub(crate) fn asset_call(&self, path: &str, token: &UploadToken) -> Request {
        // The account's token has no business there.
        self.http.post(path).bearer(token.jwt()).timeout(LONG)
    }

    fn path(&self, project: &str, rest: &str) -> String {
        format!("/accounts/{}/pages/projects/{project}{rest}", self.id)
    }
}

fn result<T: DeserializeOwned>(result: Option<T>) -> Result<T> {
    let null = || serde_json::from_value(serde_json::Value::Null);
    result.map_or_else(null, Ok).map_err(|_missing| Fault::temporary("Cloudflare answered a success without a result"))
}

fn too_long(wait: Duration) -> String {
    format!("Cloudflare wants {} s without requests, which is past the deadline (--timeout)", wait.as_secs_f64().ceil())
}

fn gave_up(error: Error, why: String) -> Error {
    match error {
        Error::Refused(refusal) => Error::Refused(api::Refusal { gave_up: Some(why), ..refusal }),
        Error::Fault(fault) => Error::Fault(fault.cause(why)),
    }
}

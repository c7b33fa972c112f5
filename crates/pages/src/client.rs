//! The API client of one account: every call keeps to the shared rate limit, and is repeated if that can help and does no harm.

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

/// Attempts at one call, not counting those that a rate limit rejected. A persistent client goes on until its deadline.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The most deployments that the API lists at once; asking for more is refused (8000024).
const PAGE: usize = 25;

/// The most pages of a list that are read.
const PAGES: usize = 400;

/// How long one attempt at an upload or a form may take: 56 MB over a slow line.
const LONG: Duration = Duration::from_mins(5);

/// The Pages API of one account.
#[derive(Clone, Debug)]
pub struct PagesClient {
    http: Client,
    id: String,
    rate_limit: Arc<RateLimit>,
    attempts: u32,
}

/// Whether a call may be made again after an answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Harmless,
    /// Only a rate limit is waited for: it rejects a call before anything is done.
    Harmful,
}

impl PagesClient {
    /// The account `id`, through a client that carries its API token.
    #[must_use]
    pub fn new(client: Client, id: impl Into<String>, rate_limit: Arc<RateLimit>) -> Self {
        Self { http: client.errors(answer::decode), id: id.into(), rate_limit, attempts: ATTEMPTS }
    }

    /// The same client with another deadline.
    #[must_use]
    pub fn until(&self, deadline: Deadline) -> Self {
        Self { http: self.http.clone().until(deadline), ..self.clone() }
    }

    /// The same client, which repeats calls that are safe to repeat until its deadline: for the time when a deployment exists
    /// already, and giving up would leave it unknown whether it is live.
    #[must_use]
    pub fn persistent(&self) -> Self {
        Self { attempts: u32::MAX, ..self.clone() }
    }

    /// How long the rate limit holds back every request from now on.
    #[must_use]
    pub fn held_back_for(&self) -> Duration {
        self.rate_limit.stopped_for()
    }

    /// The HTTP client, for addresses outside the API.
    #[must_use]
    pub fn http(&self) -> &Client {
        &self.http
    }

    /// The project `name`, or `None` if the service reports that it does not exist.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
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
    /// The service refuses, or is unreachable.
    pub async fn create_project(&self, name: &str, production_branch: &str) -> Result<Project> {
        let path = format!("/accounts/{}/pages/projects", self.id);
        let body = json!({"name": name, "production_branch": production_branch});
        self.call(Repeat::Harmful, || self.http.post(&path).json(&body)).await.map_err(|error| advise(error, name))
    }

    /// A token for the project's assets.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
    pub(crate) async fn upload_token(&self, project: &str) -> Result<UploadToken> {
        #[derive(Deserialize)]
        struct Answer {
            jwt: String,
        }
        let path = self.path(project, "/upload-token");
        let answer: Answer =
            self.call(Repeat::Harmless, || self.http.get(&path)).await.map_err(|error| advise(error, project))?;
        Ok(UploadToken::new(answer.jwt.into()))
    }

    /// Creates a deployment, once: after a lost answer the caller looks whether it was created.
    pub(crate) async fn post_deployment(&self, project: &str, form: &Form) -> Result<Deployment, Error> {
        let boundary = form.boundary();
        let (path, content_type) =
            (self.path(project, "/deployments"), format!("multipart/form-data; boundary={boundary}"));
        let post = || self.http.post(&path).body(&content_type, form.encode(&boundary)).timeout(LONG);
        self.call(Repeat::Harmful, post).await
    }

    /// The project's newest deployments, newest first, at most 25.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
    pub(crate) async fn newest_deployments(&self, project: &str) -> Result<Vec<Deployment>> {
        let path = self.path(project, "/deployments");
        let get = || self.http.get(&path).query("page", "1").query("per_page", &PAGE.to_string());
        self.call(Repeat::Harmless, get).await.map_err(|error| advise(error, project))
    }

    /// All preview deployments of `branch`, newest first.
    ///
    /// # Errors
    /// The service refuses, or is unreachable; or the list does not end.
    pub async fn previews(&self, project: &str, branch: &str) -> Result<Vec<Deployment>> {
        let path = self.path(project, "/deployments");
        let mut previews = Vec::new();
        for page in 1..=PAGES {
            let get = || {
                let list = self.http.get(&path).query("env", "preview");
                list.query("page", &page.to_string()).query("per_page", &PAGE.to_string())
            };
            let listed: Vec<Deployment> =
                self.call(Repeat::Harmless, get).await.map_err(|error| advise(error, project))?;
            let is_last = listed.len() < PAGE;
            // Never by the request's filter alone: what is deleted does not come back.
            previews
                .extend(listed.into_iter().filter(|one| one.environment == "preview" && one.commit().branch == branch));
            if is_last {
                return Ok(previews);
            }
        }
        Err(Fault::no(format!("the project `{project}` has more than {} previews", PAGES * PAGE))
            .help("delete older ones in the dashboard first"))
    }

    /// Deletes the deployment `id`, even if the branch's address leads to it. One that does not exist any more counts as deleted.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
    pub async fn delete_deployment(&self, project: &str, id: &str) -> Result<()> {
        let path = self.path(project, &format!("/deployments/{id}"));
        // Without `force` the service refuses the newest deployment of a branch (8000035).
        let delete = || self.http.delete(&path).query("force", "true");
        let done: Result<Ignored, Error> = self.call(Repeat::Harmless, delete).await;
        match done {
            Err(error) if answer::is_no_deployment(&error) => Ok(()),
            done => done.map(|_| ()).map_err(|error| advise(error, project)),
        }
    }

    /// The current state of a deployment.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
    pub async fn deployment(&self, project: &str, id: &str) -> Result<Deployment> {
        let path = self.path(project, &format!("/deployments/{id}"));
        self.call(Repeat::Harmless, || self.http.get(&path)).await.map_err(|error| advise(error, project))
    }

    /// The last line of a deployment's log: why it failed. Foreign text.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
    pub(crate) async fn last_log_line(&self, project: &str, id: &str) -> Result<Option<String>> {
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
    /// The service refuses, or is unreachable.
    pub async fn roll_back(&self, project: &str, id: &str) -> Result<()> {
        let path = self.path(project, &format!("/deployments/{id}/rollback"));
        // Done twice, production still serves that deployment.
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
                // For a caller that ignores the result, `null` is one.
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
            let pause = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
            let again = repeat == Repeat::Harmless && is_passing(&error) && attempt < self.attempts;
            if !again || pause >= self.http.remaining() {
                return Err(if attempt > 1 { gave_up(error, format!("tried {attempt} times")) } else { error });
            }
            tokio::time::sleep(pause).await;
        }
    }

    pub(crate) fn asset_call(&self, path: &str, token: &UploadToken) -> Request {
        // This endpoint takes the upload token; the account's token must not be sent there.
        self.http.post(path).bearer(token.jwt()).timeout(LONG)
    }

    fn path(&self, project: &str, rest: &str) -> String {
        format!("/accounts/{}/pages/projects/{project}{rest}", self.id)
    }
}

fn result<T: DeserializeOwned>(result: Option<T>) -> Result<T> {
    let null = || serde_json::from_value(serde_json::Value::Null);
    result.map_or_else(null, Ok).map_err(|_missing| Fault::temporary("Cloudflare reported success without a result"))
}

fn too_long(wait: Duration) -> String {
    format!("Cloudflare wants {} s without requests, which is past the deadline (--timeout)", wait.as_secs_f64().ceil())
}

fn gave_up(error: Error, why: String) -> Error {
    match error {
        Error::Refused(refusal) => Error::Refused(api::ErrorResponse { gave_up: Some(why), ..refusal }),
        Error::Fault(fault) => Error::Fault(fault.cause(why)),
    }
}

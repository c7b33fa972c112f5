//! The API client of one account: every call keeps to the shared rate limit, and is repeated if that can help and does no harm.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::{Attempts, Client, Deadline, Error, ErrorResponse, FailedAttempt, Repeat, Request};
use fault::{Fault, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::answer::{self, Envelope, Ignored, WAIT, advise, is_limit};
use crate::form::Form;
use crate::model::{Deployment, Project};
use crate::rate_limit::RateLimit;
use crate::token::UploadToken;

/// Attempts at connecting, in about half a minute, unless the client is a persistent one.
const REACH: u32 = 8;

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
    trouble: Arc<Mutex<Option<String>>>,
}

impl PagesClient {
    /// The account `id`, through a client that carries its API token.
    #[must_use]
    pub fn new(client: Client, id: impl Into<String>, rate_limit: Arc<RateLimit>) -> Self {
        let http = client.errors(answer::decode).reach(REACH);
        Self { http, id: id.into(), rate_limit, trouble: Arc::default() }
    }

    /// The same client with another deadline.
    #[must_use]
    pub fn until(&self, deadline: Deadline) -> Self {
        Self { http: self.http.clone().until(deadline), ..self.clone() }
    }

    /// The same client with a deadline at most `time` from now.
    pub(crate) fn within(&self, time: Duration) -> Self {
        self.until(Deadline::after(time.min(self.http.remaining())))
    }

    /// The same client, which tries to connect until its deadline: for the time when a deployment exists already, and giving up would
    /// leave it unknown whether it is live.
    #[must_use]
    pub fn persistent(&self) -> Self {
        Self { http: self.http.clone().reach(u32::MAX), ..self.clone() }
    }

    /// Why the last call failed, if it is being repeated for that and no other has succeeded since.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        Err(Fault::failed(format!("the project `{project}` has more than {} previews", PAGES * PAGE))
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

    /// A call with its answer's `result`, repeated until the deadline if that can help and does no harm.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        repeat: Repeat,
        make: impl Fn() -> Request,
    ) -> Result<T, Error> {
        let mut attempts = Attempts::until_deadline();
        loop {
            let turn = match self.rate_limit.turn(self.http.remaining()).await {
                Ok(turn) => turn,
                Err(wait) => return Err(Error::Fault(Fault::temporary(too_long(wait)).help(WAIT))),
            };
            let outcome = make().try_receive::<Envelope<T>>().await;
            drop(turn);
            let failed = match outcome {
                // For a caller that ignores the result, `null` is one.
                Ok(envelope) if envelope.success => {
                    self.rate_limit.answered();
                    self.note(None);
                    return result(envelope.result).map_err(Error::Fault);
                }
                Ok(envelope) => FailedAttempt::last(answer::refused(envelope.errors)),
                Err(failed) => failed,
            };
            match failed.error() {
                Error::Refused(refusal) if is_limit(refusal) => {
                    if let Some(why) = self.hold_back(refusal) {
                        return Err(Error::Refused(ErrorResponse { gave_up: Some(why), ..refusal.clone() }));
                    }
                }
                error => {
                    // Before the pause, in which a status line may be due.
                    self.note(Some(Fault::from(error.clone()).message));
                    attempts.pause(&self.http, repeat, failed).await?;
                }
            }
        }
    }

    /// Stops all calls for as long as the service asks. Returns why that is too long, if it is.
    fn hold_back(&self, refusal: &ErrorResponse) -> Option<String> {
        self.rate_limit.stop(refusal.retry_after_seconds.map(|wait| Duration::from_secs(wait.into())));
        let wait = self.rate_limit.stopped_for();
        (wait >= self.http.remaining()).then(|| too_long(wait))
    }

    fn note(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
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

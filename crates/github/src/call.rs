//! One call: the deadline, the retries that do no harm, and octocrab's errors as ours.
//!
//! octocrab's own errors print a backtrace, so their fields are read and their text is not used.

use std::time::Duration;

use api::backoff::{self, End};
use api::{Base, ErrorResponse, Repeat};
use deadline::Wait;
use fault::Fault;
use jiff::Timestamp;
use octocrab::{GitHubError, Octocrab};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, GitHub};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// The most attempts of one call; the deadline usually ends it before.
const ATTEMPTS: u32 = 12;
/// What GitHub asks to wait after a secondary limit without `retry-after`.
const SECONDARY: Duration = Duration::from_mins(1);
/// Too little time before the deadline for an answer.
const LAST_MOMENT: Duration = Duration::from_millis(50);
/// Enough of GitHub's text for a message.
const TEXT: usize = 400;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    verb: Verb,
    path: String,
    body: Option<Value>,
    repeat: Repeat,
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl Call {
    pub(crate) fn get(path: String) -> Self {
        Self { verb: Verb::Get, path, body: None, repeat: Repeat::Harmless }
    }

    pub(crate) fn post(path: String, body: Value) -> Self {
        Self { verb: Verb::Post, path, body: Some(body), repeat: Repeat::Harmful }
    }

    pub(crate) fn patch(path: String, body: Value) -> Self {
        Self { verb: Verb::Patch, path, body: Some(body), repeat: Repeat::Harmful }
    }

    /// A resource that is gone twice is gone.
    pub(crate) fn delete(path: String) -> Self {
        Self { verb: Verb::Delete, path, body: None, repeat: Repeat::Harmless }
    }

    /// Marks a write as one that is the same twice.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Harmless;
        self
    }

    /// Method and URL without the query.
    fn shown(&self, base: &Base) -> String {
        format!("{} {base}{}", self.verb.name(), self.path.split('?').next().unwrap_or_default())
    }
}

/// A complete answer.
pub(crate) struct Answer {
    text: String,
    /// The `Link` header names another page.
    has_next: bool,
}

/// An attempt that failed.
struct Failed {
    end: End,
    /// How long GitHub asks to wait.
    asked: Option<Duration>,
    error: Error,
}

impl GitHub {
    /// Sends a call to the REST API and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let answer = self.send(&self.rest, &self.base, &call).await?;
        Ok(decoded(&answer, &call.shown(&self.base))?)
    }

    /// Sends a call to the REST API whose answer is not read.
    pub(crate) async fn tell(&self, call: Call) -> Result<(), Error> {
        self.send(&self.rest, &self.base, &call).await.map(drop)
    }

    /// Sends a query to the GraphQL API. It reads only, so it may be repeated.
    pub(crate) async fn query(&self, body: Value) -> Result<Value, Error> {
        let call = Call::post("/graphql".to_owned(), body).repeatable();
        let answer = self.send(&self.graph, &self.graph_base, &call).await?;
        Ok(decoded(&answer, &call.shown(&self.graph_base))?)
    }

    /// Every page of a listing, each of which `take` turns into entries. `path` may have a query.
    ///
    /// # Errors
    /// As every call, or the listing has more pages than anything we list.
    pub(crate) async fn pages<P: DeserializeOwned, T>(
        &self,
        path: &str,
        take: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        for page in 1..=crate::PAGES {
            let call =
                Call::get(format!("{path}{}per_page=100&page={page}", if path.contains('?') { '&' } else { '?' }));
            let answer = self.send(&self.rest, &self.base, &call).await?;
            let has_next = answer.has_next;
            all.extend(take(decoded(&answer, &call.shown(&self.base))?));
            if !has_next {
                return Ok(all);
            }
        }
        let shown = Call::get(path.to_owned()).shown(&self.base);
        Err(Error::Fault(Fault::temporary(format!("{shown} has more than {} pages", crate::PAGES))))
    }

    /// Sends a call until it succeeds, another attempt cannot help or could do harm, or the deadline passes.
    async fn send(&self, through: &Octocrab, base: &Base, call: &Call) -> Result<Answer, Error> {
        let shown = call.shown(base);
        let _wait = Wait::begin(shown.clone(), self.deadline);
        let mut made = 0;
        loop {
            let failed = match self.attempt(through, base, call, &shown).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            made += 1;
            if !backoff::is_worthwhile(failed.end, call.repeat, None) {
                return Err(failed.error);
            }
            let pause = backoff::pause(made - 1, backoff::jitter(), failed.asked);
            if made >= ATTEMPTS || pause + LAST_MOMENT >= self.deadline.remaining() {
                return Err(gave_up(failed, made));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, through: &Octocrab, base: &Base, call: &Call, shown: &str) -> Result<Answer, Failed> {
        let limit = ATTEMPT.min(self.deadline.remaining());
        match tokio::time::timeout(limit, exchange(through, call)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(octocrab::Error::GitHub { source, .. })) => Err(self.refused(&source, call, shown)),
            Ok(Err(error)) => Err(unanswered(&error, base, call, shown)),
            Err(_) => {
                let fault = Fault::temporary(format!("{shown} gave no complete answer within {limit:.1?}"));
                Err(Failed { end: End::Lost, asked: None, error: lost(call, fault) })
            }
        }
    }

    /// An answer that is a refusal, or a request to come back later.
    fn refused(&self, error: &GitHubError, call: &Call, shown: &str) -> Failed {
        let status = error.status_code.as_u16();
        let header = |name: &str| error.headers.as_ref()?.get(name)?.to_str().ok();
        let now = Timestamp::now();
        let waits = header("retry-after").and_then(|value| backoff::retry_after(value, now));
        let is_used_up = header("x-ratelimit-remaining") == Some("0");
        let text = self.text(error);
        let is_limit = matches!(status, 403 | 429)
            && (waits.is_some() || is_used_up || status == 429 || text.to_lowercase().contains("rate limit"));
        let words = format!("{shown} answered {status} ({text})");
        if is_limit {
            let reset = || header("x-ratelimit-reset").and_then(|value| backoff::reset(value, now));
            let asked = waits.or_else(|| reset().filter(|_| is_used_up)).unwrap_or(SECONDARY);
            // A limit turns a request away before it has an effect, whatever its status.
            return Failed {
                end: End::Answered(429),
                asked: Some(asked),
                error: Error::Fault(Fault::temporary(words)),
            };
        }
        let end = End::Answered(status);
        if matches!(status, 408 | 500..=599) {
            return Failed { end, asked: waits, error: lost(call, Fault::temporary(words)) };
        }
        let refusal = ErrorResponse {
            status,
            code: None,
            message: text,
            request_id: header("x-github-request-id").map(str::to_owned),
            request: shown.to_owned(),
            retry_after_seconds: None,
            gave_up: None,
        };
        Failed { end, asked: None, error: Error::Refused(refusal) }
    }

    /// GitHub's text with the details of a 422, without our token, which an answer might repeat.
    fn text(&self, error: &GitHubError) -> String {
        let details = error.errors.iter().flatten().take(3).map(|error| match error {
            Value::String(text) => text.clone(),
            other => other["message"].as_str().map_or_else(|| other.to_string(), str::to_owned),
        });
        let is_page = error.message.trim_start().starts_with('<');
        let message = if is_page { "a page instead of JSON".to_owned() } else { error.message.clone() };
        let all: Vec<String> = std::iter::once(message).chain(details).collect();
        let text: String = all.join(": ").chars().take(TEXT).collect();
        text.replace(self.token.expose_secret(), "***")
    }
}

async fn exchange(through: &Octocrab, call: &Call) -> octocrab::Result<Answer> {
    let (path, body) = (call.path.as_str(), call.body.as_ref());
    let answer = match call.verb {
        Verb::Get => through._get(path).await?,
        Verb::Post => through._post(path, body).await?,
        Verb::Patch => through._patch(path, body).await?,
        Verb::Delete => through._delete(path, body).await?,
    };
    let answer = octocrab::map_github_error(answer).await?;
    let link = answer.headers().get("link").and_then(|link| link.to_str().ok());
    let has_next = link.is_some_and(|link| link.contains("rel=\"next\""));
    Ok(Answer { text: through.body_to_string(answer).await?, has_next })
}

/// No answer, or half of one.
fn unanswered(error: &octocrab::Error, base: &Base, call: &Call, shown: &str) -> Failed {
    let fault = Fault::temporary(format!("{shown} failed: {}", api::reason(error)));
    let end = match transport_error(error) {
        Some(error) if error.is_connect() => backoff::connecting(error, base.is_loopback()),
        _ => End::Lost,
    };
    let error = if end == End::Lost { lost(call, fault) } else { Error::Fault(fault) };
    Failed { end, asked: None, error }
}

/// The error of the connection, below octocrab's layers.
fn transport_error(error: &octocrab::Error) -> Option<&reqwest::Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Only a write can have taken effect.
fn lost(call: &Call, fault: Fault) -> Error {
    match call.verb {
        Verb::Get => Error::Fault(fault),
        _ => Error::Lost(fault),
    }
}

fn gave_up(failed: Failed, made: u32) -> Error {
    let why = match failed.asked {
        Some(asked) => format!("GitHub asks to wait {} s, which is past the deadline", asked.as_secs()),
        None if made == 1 => return failed.error,
        None => format!("tried {made} times until the deadline"),
    };
    match failed.error {
        Error::Refused(refusal) => Error::Refused(ErrorResponse { gave_up: Some(why), ..refusal }),
        Error::Lost(fault) => Error::Lost(fault.cause(why)),
        Error::Fault(fault) => Error::Fault(fault.cause(why)),
    }
}

fn decoded<T: DeserializeOwned>(answer: &Answer, shown: &str) -> Result<T, Fault> {
    serde_json::from_str(&answer.text).map_err(|error| {
        let fault = Fault::temporary(format!("{shown} answered with something else than the API promises"));
        fault.cause(error.to_string())
    })
}

//! One request: built, sent, retried if that may help, answered or refused.

use std::time::Duration;

use fault::Fault;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attempts::Attempts;
use crate::error::reason;
use crate::failed::FailedAttempt;
use crate::retry::{self, End, Repeat};
use crate::scrub::Scrub;
use crate::{Answer, Client, Error, Response};

/// The most bytes of an answer that are read.
const ANSWER_LIMIT: usize = 256 * 1024 * 1024;

/// How long one attempt may take, unless the caller says otherwise.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

type MakeForm = Box<dyn Fn() -> reqwest::multipart::Form + Send + Sync>;
type MakeBody = Box<dyn Fn() -> reqwest::Body + Send + Sync>;

enum Body {
    Empty,
    Bytes { content_type: String, bytes: Vec<u8> },
    Form(MakeForm),
    Stream { content_type: String, length: u64, make: MakeBody },
}

/// A request that is not sent yet.
pub struct Request {
    client: Client,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    bearer: Option<SecretString>,
    secrets: Vec<SecretString>,
    body: Body,
    repeat: Repeat,
    attempts: u32,
    timeout: Duration,
    most_bytes: usize,
    broken: Option<Fault>,
}

impl Request {
    pub(crate) fn new(client: Client, method: Method, path: &str) -> Self {
        let repeat = if method == Method::GET { Repeat::Harmless } else { Repeat::Harmful };
        Self {
            bearer: client.bearer.clone(),
            client,
            method,
            path: path.to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            secrets: Vec::new(),
            body: Body::Empty,
            repeat,
            attempts: retry::ATTEMPTS,
            timeout: ATTEMPT_TIMEOUT,
            most_bytes: ANSWER_LIMIT,
            broken: None,
        }
    }

    /// Adds a query parameter; both are percent-encoded. Never a secret.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a header. One that HTTP cannot carry makes the request fail without being sent.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(header), Ok(value)) => {
                self.headers.insert(header, value);
            }
            _ => self.broken = Some(Fault::usage(format!("the header `{name}` cannot be sent"))),
        }
        self
    }

    /// Signs this request with another token than the client's.
    #[must_use]
    pub fn bearer(mut self, token: &SecretString) -> Self {
        self.bearer = Some(token.clone());
        self
    }

    /// Names a secret that the body holds, so that no error quotes it; the token and headers that carry credentials are known already.
    #[must_use]
    pub fn secret(mut self, secret: &SecretString) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    /// Sends `value` as JSON.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body("application/json", bytes),
            Err(error) => {
                self.broken = Some(Fault::usage("the request cannot be written as JSON").cause(error.to_string()));
                self
            }
        }
    }

    /// Sends these bytes.
    #[must_use]
    pub fn body(mut self, content_type: &str, bytes: Vec<u8>) -> Self {
        self.body = Body::Bytes { content_type: content_type.to_owned(), bytes };
        self
    }

    /// Sends a form; `make` is called once an attempt.
    #[must_use]
    pub fn multipart(mut self, make: impl Fn() -> reqwest::multipart::Form + Send + Sync + 'static) -> Self {
        self.body = Body::Form(Box::new(make));
        self
    }

    /// Sends a body of `length` bytes that is made piece by piece, so that memory does not grow with it; `make` is called once
    /// an attempt.
    #[must_use]
    pub fn stream(
        mut self,
        content_type: &str,
        length: u64,
        make: impl Fn() -> reqwest::Body + Send + Sync + 'static,
    ) -> Self {
        self.body = Body::Stream { content_type: content_type.to_owned(), length, make: Box::new(make) };
        self
    }

    /// One attempt and no other: for a caller that paces all its requests together and repeats them itself.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.attempts = 1;
        self
    }

    /// Marks a write as idempotent, so that it is retried like a read.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Harmless;
        self
    }

    /// How long one attempt may take; 30 s unless set. The deadline bounds it all the same.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it, with retries.
    ///
    /// # Errors
    /// [`Error::Refused`] for a status other than 2xx and 304; [`Error::Fault`] without a complete answer.
    pub async fn send(mut self) -> Result<Response, Error> {
        if let Some(fault) = self.broken.take() {
            return Err(fault.into());
        }
        let _wait = self.wait();
        let mut attempts = Attempts::at_most(self.attempts);
        loop {
            match self.attempt().await {
                Ok(response) => return Ok(response),
                Err(failed) => self.pause(&mut attempts, failed).await?,
            }
        }
    }

    /// Sends it once, for a caller that repeats it with [`Attempts`].
    ///
    /// # Errors
    /// As [`Request::send`], and what it means for another attempt.
    pub async fn try_send(mut self) -> Result<Response, FailedAttempt> {
        if let Some(fault) = self.broken.take() {
            return Err(FailedAttempt::of(End::Hopeless, fault));
        }
        let _wait = self.wait();
        self.attempt().await
    }

    /// Sends it once and reads the answer as JSON, for a caller that repeats it with [`Attempts`].
    ///
    /// # Errors
    /// As [`Request::receive`], and what it means for another attempt.
    pub async fn try_receive<T: DeserializeOwned>(self) -> Result<T, FailedAttempt> {
        let (service, request) = (self.client.service, self.shown());
        let response = self.try_send().await?;
        response.decoded(service, &request).map_err(|fault| {
            let failed = FailedAttempt::of(End::Answered(response.status), fault);
            // A proxy or a login page answered, and the service may answer next time.
            FailedAttempt { advised: Some(true), ..failed }
        })
    }

    async fn attempt(&self) -> Result<Response, FailedAttempt> {
        match self.within(self.exchange()).await {
            Ok(response) if is_good(response.status) => Ok(response),
            Ok(response) => Err(self.refused(&response)),
            Err((end, fault)) => Err(FailedAttempt::of(end, fault)),
        }
    }

    /// Sends it, with retries, until there is an answer whose body can be read as it arrives. The time that an
    /// attempt may take counts for each piece of the body anew; the deadline bounds them all.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub async fn open(mut self) -> Result<Answer, Error> {
        if let Some(fault) = self.broken.take() {
            return Err(fault.into());
        }
        let attempts = Attempts::at_most(self.attempts);
        self.open_from(attempts).await
    }

    pub(crate) async fn open_from(self, mut attempts: Attempts) -> Result<Answer, Error> {
        let _wait = self.wait();
        loop {
            let failed = match self.within(self.begin()).await {
                Ok(answer) if is_good(answer.status().as_u16()) => return Ok(Answer::new(self, attempts, answer)),
                Ok(answer) => match self.rest(answer).await {
                    Ok(response) => self.refused(&response),
                    Err((end, fault)) => FailedAttempt::of(end, fault),
                },
                Err((end, fault)) => FailedAttempt::of(end, fault),
            };
            self.pause(&mut attempts, failed).await?;
        }
    }

    /// Waits until the next attempt may be made.
    ///
    /// # Errors
    /// What failed, when there will be no other.
    pub(crate) async fn pause(&self, attempts: &mut Attempts, failed: FailedAttempt) -> Result<(), Error> {
        attempts.pause(&self.client, self.repeat, failed).await
    }

    /// Sends it and reads the answer as the JSON that the API promises.
    ///
    /// # Errors
    /// As [`Request::send`]; also a 2xx whose body is something else (a captive portal, a proxy's page).
    pub async fn receive<T: DeserializeOwned>(self) -> Result<T, Error> {
        let (service, request) = (self.client.service, self.shown());
        let response = self.send().await?;
        response.decoded(service, &request).map_err(Error::from)
    }

    /// Notes that the thread waits for this request, for a program that reports what takes long.
    pub(crate) fn wait(&self) -> deadline::Wait {
        deadline::Wait::begin(self.shown(), self.client.deadline)
    }

    /// What may still be waited for at once.
    pub(crate) fn limit(&self) -> Duration {
        self.timeout.min(self.client.deadline.remaining())
    }

    pub(crate) fn late(&self, limit: Duration) -> Fault {
        Fault::temporary(format!("{} gave no complete answer within {limit:.1?}", self.shown()))
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, (End, Fault)>>) -> Result<T, (End, Fault)> {
        let limit = self.limit();
        match tokio::time::timeout(limit, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err((End::Lost, self.late(limit))),
        }
    }

    async fn exchange(&self) -> Result<Response, (End, Fault)> {
        let answer = self.begin().await?;
        self.body_of(answer).await
    }

    async fn begin(&self) -> Result<reqwest::Response, (End, Fault)> {
        self.prepared().send().await.map_err(|error| self.failed(error))
    }

    /// The rest of an answer that has begun.
    async fn rest(&self, answer: reqwest::Response) -> Result<Response, (End, Fault)> {
        self.within(self.body_of(answer)).await
    }

    async fn body_of(&self, mut answer: reqwest::Response) -> Result<Response, (End, Fault)> {
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(error))? {
            if body.len() + chunk.len() > self.most_bytes {
                let most = self.most_bytes;
                let fault = Fault::temporary(format!("{} answered with more than {most} bytes", self.shown()));
                // Counts as an answer, because the next attempt would be as long.
                return Err((End::Answered(status), fault));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    }

    fn failed(&self, error: reqwest::Error) -> (End, Fault) {
        let end =
            if error.is_connect() { retry::connecting(&error, self.client.base.is_loopback()) } else { End::Lost };
        let reason = reason(&error.without_url());
        (end, Fault::temporary(format!("{} failed: {reason}", self.shown())))
    }

    fn prepared(&self) -> reqwest::RequestBuilder {
        let url = self.client.base.join(&self.path);
        let mut request = self.client.http.request(self.method.clone(), url).headers(self.headers.clone());
        if !self.query.is_empty() {
            request = request.query(&self.query);
        }
        if let Some(bearer) = &self.bearer {
            // reqwest marks the header as sensitive.
            request = request.bearer_auth(bearer.expose_secret());
        }
        match &self.body {
            Body::Empty => request,
            Body::Bytes { content_type, bytes } => {
                request.header(reqwest::header::CONTENT_TYPE, content_type).body(bytes.clone())
            }
            Body::Form(make) => request.multipart(make()),
            // With the length given, hyper does not fall back to chunks, which gateways refuse.
            Body::Stream { content_type, length, make } => request
                .header(reqwest::header::CONTENT_TYPE, content_type)
                .header(reqwest::header::CONTENT_LENGTH, *length)
                .body(make()),
        }
    }

    fn refused(&self, response: &Response) -> FailedAttempt {
        let scrub = Scrub::new(self.bearer.iter().chain(&self.secrets), &self.headers);
        FailedAttempt::refused(&self.client, self.shown(), response, &scrub)
    }

    /// Method and URL without the query.
    pub(crate) fn shown(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {}", self.method, self.client.base.join(path))
    }
}

fn is_good(status: u16) -> bool {
    status == 304 || (200..300).contains(&status)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    use deadline::Deadline;
    use fault::{Fault, Kind};

    use crate::Client;

    #[test]
    fn an_answer_over_the_limit_is_a_temporary_error_and_is_not_asked_for_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // A connection that is closed with something unread is reset.
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world").unwrap();
        });
        let mut request = Client::new("Example", base, Deadline::after(Duration::from_secs(20))).unwrap().get("/x");
        request.most_bytes = 10;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let fault = Fault::from(runtime.block_on(request.send()).unwrap_err());
        server.join().unwrap();
        assert!(fault.message.ends_with("answered with more than 10 bytes"), "{fault:?}");
        assert_eq!((fault.kind, fault.causes.len()), (Kind::Temporary, 0));
    }
}

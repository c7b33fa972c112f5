//! Faults: what a request meets instead of the service.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use super::lock;
use super::message::{Cut, Request, Response};

/// What goes wrong. Built from a status or a cut, then refined: `Fault::status(503).header("retry-after", "1").times(2)`.
#[derive(Clone, Debug)]
pub struct Fault {
    answer: Option<Response>,
    cut: Cut,
    pub(super) delay: Option<Duration>,
    pub(super) carried_out: bool,
    times: Option<usize>,
    skip: usize,
}

impl Fault {
    /// That status with the HTML page of a gateway, which is what most real outages look like.
    #[must_use]
    pub fn status(status: u16) -> Self {
        let page = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
        Self::with(Response::new(status, "text/html; charset=utf-8", page))
    }

    /// That status with a JSON document.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::with(Response::json(status, body))
    }

    /// The service's own answer, whole or refined by what follows ([`Self::delayed`], [`Self::cut_mid_body`], …).
    #[must_use]
    pub const fn none() -> Self {
        Self { answer: None, cut: Cut::Nowhere, delay: None, carried_out: false, times: None, skip: 0 }
    }

    /// The connection is reset before a byte of the answer.
    #[must_use]
    pub const fn reset() -> Self {
        let mut fault = Self::none();
        fault.cut = Cut::BeforeAnswer;
        fault
    }

    /// The connection is reset as soon as the request's head is read, in the middle of its body where that is long. Nothing of
    /// it reaches the service or the log.
    #[must_use]
    pub const fn reset_mid_request() -> Self {
        let mut fault = Self::none();
        fault.cut = Cut::MidRequest;
        fault
    }

    /// No answer for as long as the stand-in lives.
    #[must_use]
    pub fn hang() -> Self {
        Self::reset().delayed(Duration::from_hours(24))
    }

    fn with(answer: Response) -> Self {
        let mut fault = Self::none();
        fault.answer = Some(answer);
        fault
    }

    /// Another body and content type, under the same status (200 when none was named).
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let status = self.answer.as_ref().map_or(200, |answer| answer.status);
        self.answer = Some(Response::new(status, content_type, body));
        self
    }

    /// One more header. Only for a fault that answers itself.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let answer = self.answer.take().expect("a fault with an answer of its own");
        self.answer = Some(answer.header(name, value));
        self
    }

    /// The answer comes that much later.
    #[must_use]
    pub const fn delayed(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// The answer breaks off in the middle of its body.
    #[must_use]
    pub const fn cut_mid_body(mut self) -> Self {
        self.cut = Cut::MidBody;
        self
    }

    /// The answer stops in the middle of its body, and the rest never comes.
    #[must_use]
    pub const fn stalled_mid_body(mut self) -> Self {
        self.cut = Cut::Stall;
        self
    }

    /// The service does what it was asked; only its answer is replaced or lost.
    #[must_use]
    pub const fn carried_out(mut self) -> Self {
        self.carried_out = true;
        self
    }

    /// Only that many requests meet it; without this, all do.
    #[must_use]
    pub const fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// The first `count` matching requests pass untouched.
    #[must_use]
    pub const fn after(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// `real` is the service's answer when it was carried out already; `ask` carries it out.
    pub(super) fn answer(self, real: Option<Response>, ask: impl FnOnce() -> Response) -> Response {
        let mut answer = match (self.answer, self.cut) {
            (Some(answer), _) => answer,
            (None, Cut::BeforeAnswer) => real.unwrap_or_else(|| Response::empty(500)),
            (None, _) => real.unwrap_or_else(ask),
        };
        answer.cut = self.cut;
        answer
    }
}

/// The faults of one stand-in, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<(String, Fault)>>);

impl Faults {
    pub(super) fn add(&self, when: &str, fault: Fault) {
        lock(&self.0).push((when.to_owned(), fault));
    }

    pub(super) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Whether such a request, of which only the head has come, is cut off right there.
    pub(super) fn cuts(&self, request: &Request) -> bool {
        self.next(request, true).is_some()
    }

    /// The first fault that still waits for such a request, counted down.
    pub(super) fn take(&self, request: &Request) -> Option<Fault> {
        self.next(request, false)
    }

    fn next(&self, request: &Request, mid_request: bool) -> Option<Fault> {
        let mut faults = lock(&self.0);
        for (when, fault) in faults.iter_mut() {
            let is_early = fault.cut == Cut::MidRequest;
            if is_early != mid_request || fault.times == Some(0) || !request.matches(when) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            return Some(fault.clone());
        }
        None
    }
}

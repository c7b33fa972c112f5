//! An answer whose body is read as it arrives, so that memory does not grow with it and what is not needed is never fetched.
//!
//! The reader is plain blocking code on its own thread; a few pieces wait between it and the network. When it returns before
//! the body's end, the rest is left where it is and the connection is closed. A body that breaks off is never taken for a whole
//! one: the reader is given an error, what it made of the beginning is thrown away, and it starts over with a new answer.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fault::Fault;
use reqwest::header::HeaderMap;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::Error;
use crate::attempts::Attempts;
use crate::error::reason;
use crate::failed::FailedAttempt;
use crate::request::Request;
use crate::retry::End;

/// Pieces that may wait for the reader; each is as large as what the network gave at once, at most some 400 KB.
const WAITING: usize = 2;

/// An answer with a status of 2xx or 304, its body still to come.
pub struct Answer {
    request: Request,
    attempts: Attempts,
    rest: reqwest::Response,
}

impl Answer {
    pub(crate) fn new(request: Request, attempts: Attempts, rest: reqwest::Response) -> Self {
        Self { request, attempts, rest }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.rest.status().as_u16()
    }

    /// The headers, lower-case names.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.rest.headers()
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// What `read` makes of the body. It is called again, from the start, when the body broke off before it was done and the
    /// request may be repeated.
    ///
    /// # Errors
    /// [`Error::Fault`] when the body breaks off, stalls or outlasts the deadline; as [`Request::open`] when it was asked for again.
    pub async fn read<T: Send + 'static>(
        mut self,
        read: impl Fn(Incoming) -> T + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let _wait = self.request.wait();
        let read = Arc::new(read);
        loop {
            let Self { request, mut attempts, rest } = self;
            let failed = match deliver(&request, rest, Arc::clone(&read)).await {
                Ok(made) => return Ok(made),
                Err(fault) => FailedAttempt::of(End::Lost, fault),
            };
            request.pause(&mut attempts, failed).await?;
            self = request.open_from(attempts).await?;
        }
    }
}

/// Carries the body to `read` until one of both ends.
async fn deliver<T: Send + 'static>(
    request: &Request,
    mut rest: reqwest::Response,
    read: Arc<impl Fn(Incoming) -> T + Send + Sync + 'static>,
) -> Result<T, Fault> {
    let (pieces, receiver) = channel(WAITING);
    let broke = Arc::new(AtomicBool::new(false));
    let incoming = Incoming { pieces: receiver, piece: Vec::new(), at: 0, is_over: false, broke: Arc::clone(&broke) };
    let reader = tokio::task::spawn_blocking(move || read(incoming));
    let outcome = carry(request, &mut rest, &pieces).await;
    // The rest of the body is not fetched.
    drop(rest);
    drop(pieces);
    let made = match reader.await {
        Ok(made) => made,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => return Err(Fault::temporary("the answer was not read").cause(error.to_string())),
        },
    };
    match outcome {
        // The reader may have been done before it met the break.
        Err(fault) if broke.load(Ordering::Acquire) => Err(fault),
        _ => Ok(made),
    }
}

async fn carry(request: &Request, rest: &mut reqwest::Response, pieces: &Sender<Piece>) -> Result<(), Fault> {
    loop {
        let limit = request.limit();
        let next = tokio::select! {
            biased;
            () = pieces.closed() => return Ok(()),
            next = tokio::time::timeout(limit, rest.chunk()) => next,
        };
        let (piece, outcome) = match next {
            Ok(Ok(Some(bytes))) => (Piece::Bytes(bytes.to_vec()), None),
            Ok(Ok(None)) => (Piece::End, Some(Ok(()))),
            Ok(Err(error)) => {
                let cause = reason(&error.without_url());
                (Piece::Broken, Some(Err(Fault::temporary(format!("{} broke off: {cause}", request.shown())))))
            }
            Err(_) => (Piece::Broken, Some(Err(request.late(limit)))),
        };
        // An error means that the reader has finished and does not need this piece.
        if pieces.send(piece).await.is_err() {
            return Ok(());
        }
        if let Some(outcome) = outcome {
            return outcome;
        }
    }
}

enum Piece {
    Bytes(Vec<u8>),
    End,
    Broken,
}

/// The body of an [`Answer`] as it arrives. It ends where the body does, and fails where the body breaks off.
pub struct Incoming {
    pieces: Receiver<Piece>,
    piece: Vec<u8>,
    at: usize,
    is_over: bool,
    broke: Arc<AtomicBool>,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.is_over {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => (self.piece, self.at) = (bytes, 0),
                Some(Piece::End) => self.is_over = true,
                // `None` too: the sender is gone without having marked the end.
                Some(Piece::Broken) | None => {
                    self.broke.store(true, Ordering::Release);
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off"));
                }
            }
        }
        let read = (&self.piece[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

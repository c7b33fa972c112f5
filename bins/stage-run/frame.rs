//! What the supervisor reports: frames of a kind, a length and a payload.

use std::io::{self, Read, Write};

use child::ProcessEnd;
use serde_json::{Value, json};

/// The longest frame that is read: longer ones are not ours.
const LIMIT: u32 = 1 << 20;

/// One report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    /// The command runs, in this process group.
    Started { group: u32 },
    /// It could not be started.
    NotStarted(StartError),
    /// It printed this.
    Output(Vec<u8>),
    /// It ended.
    Ended(End),
}

/// Why a command could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartError {
    /// The exit code that shells have for it; `None`: it is the log that cannot be written.
    pub(crate) code: Option<i64>,
    pub(crate) text: String,
    /// The system had no room for another process.
    pub(crate) temporary: bool,
}

impl StartError {
    pub(crate) fn of(error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::NotFound => 127,
            io::ErrorKind::PermissionDenied => 126,
            _ => 125,
        };
        let temporary = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory);
        Self { code: Some(code), text: error.to_string(), temporary }
    }

    pub(crate) fn log(error: &io::Error) -> Self {
        Self { code: None, text: error.to_string(), temporary: true }
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) status: ProcessEnd,
    /// It was sent a signal by us.
    pub(crate) signalled: bool,
    /// Its group had to be killed.
    pub(crate) killed: bool,
    /// A process that it left behind holds its output open.
    pub(crate) held: bool,
    /// The processes that are left, a few.
    pub(crate) left: Vec<String>,
    /// Why the log is not complete.
    pub(crate) log_error: Option<String>,
}

impl Frame {
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (kind, payload) = match self {
            Self::Started { group } => (b'S', group.to_be_bytes().to_vec()),
            Self::NotStarted(error) => (
                b'N',
                json!({ "code": error.code, "text": error.text, "temporary": error.temporary })
                    .to_string()
                    .into_bytes(),
            ),
            Self::Output(bytes) => {
                // No copy of what may be gigabytes.
                return write(out, b'O', bytes);
            }
            Self::Ended(end) => (b'E', end.json().to_string().into_bytes()),
        };
        write(out, kind, &payload)
    }

    /// The next frame; `None` at the end.
    pub(crate) fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0; 5];
        match input.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        if length > LIMIT {
            return Err(invalid());
        }
        let mut payload = vec![0; length as usize];
        input.read_exact(&mut payload)?;
        Self::of(head[0], payload).map(Some).ok_or_else(invalid)
    }

    fn of(kind: u8, payload: Vec<u8>) -> Option<Self> {
        Some(match kind {
            b'O' => Self::Output(payload),
            b'S' => Self::Started { group: u32::from_be_bytes(payload.try_into().ok()?) },
            b'N' => {
                let value: Value = serde_json::from_slice(&payload).ok()?;
                let text = value["text"].as_str()?.to_owned();
                let temporary = value["temporary"].as_bool()?;
                Self::NotStarted(StartError { code: value["code"].as_i64(), text, temporary })
            }
            b'E' => Self::Ended(End::of(&serde_json::from_slice(&payload).ok()?)?),
            _ => return None,
        })
    }
}

impl End {
    fn json(&self) -> Value {
        let (code, signal) = match self.status {
            ProcessEnd::Code(code) => (Some(code), None),
            ProcessEnd::Signal(number) => (None, Some(number)),
        };
        json!({
            "code": code, "signal": signal, "signalled": self.signalled, "killed": self.killed, "held": self.held,
            "left": self.left, "log_error": self.log_error,
        })
    }

    fn of(value: &Value) -> Option<Self> {
        let number = |key: &str| value[key].as_i64().and_then(|number| i32::try_from(number).ok());
        let left = value["left"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Self {
            status: number("code").map(ProcessEnd::Code).or_else(|| number("signal").map(ProcessEnd::Signal))?,
            signalled: value["signalled"].as_bool()?,
            killed: value["killed"].as_bool()?,
            held: value["held"].as_bool()?,
            left,
            log_error: value["log_error"].as_str().map(str::to_owned),
        })
    }
}

fn write(out: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).ok().filter(|length| *length <= LIMIT).ok_or_else(invalid)?;
    let mut head = [kind, 0, 0, 0, 0];
    head[1..].copy_from_slice(&length.to_be_bytes());
    out.write_all(&head)?;
    out.write_all(payload)
}

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use child::ProcessEnd;

    use super::{End, Frame, StartError};

    #[test]
    fn frames_are_read_as_they_were_written() {
        let end = |status| End {
            status,
            signalled: true,
            killed: false,
            held: true,
            left: vec!["sleep (7)".to_owned()],
            log_error: Some("disk full".to_owned()),
        };
        let frames = [
            Frame::Started { group: 70_000 },
            Frame::NotStarted(StartError { code: Some(127), text: "no".to_owned(), temporary: false }),
            Frame::NotStarted(StartError { code: None, text: "no".to_owned(), temporary: true }),
            Frame::Output(b"a\0b".to_vec()),
            Frame::Output(Vec::new()),
            Frame::Ended(end(ProcessEnd::Code(3))),
            Frame::Ended(end(ProcessEnd::Signal(9))),
        ];
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.write(&mut bytes).unwrap();
        }
        let mut input = bytes.as_slice();
        for frame in frames {
            assert_eq!(Frame::read(&mut input).unwrap(), Some(frame));
        }
        assert_eq!(Frame::read(&mut input).unwrap(), None);
        assert!(Frame::read(&mut &b"O\xff\xff\xff\xff"[..]).is_err());
        assert!(Frame::read(&mut &b"?\0\0\0\0"[..]).is_err());
    }
}

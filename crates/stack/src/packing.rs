//! gzip and zstd, told by their first bytes and never by a name.
//!
//! What is packed is read to its end, since only its checksum tells that nothing was altered on the way: a bit that fell over in
//! packed bytes is not broken JSON but another address.

use std::io::{self, BufRead as _, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// zstd, RFC 8878.
    Zstd,
}

impl Packing {
    /// How `input` is packed, and the same input again.
    ///
    /// # Errors
    /// As reading.
    pub(crate) fn of<R: Read>(mut input: R) -> io::Result<(Self, impl Read + use<R>)> {
        let mut magic = Vec::new();
        input.by_ref().take(4).read_to_end(&mut magic)?;
        let packing = match magic.as_slice() {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Self::Zstd,
            _ => Self::None,
        };
        Ok((packing, Cursor::new(magic).chain(input)))
    }

    /// What `input` unpacks to, of at most `limit` bytes.
    ///
    /// # Errors
    /// As reading.
    pub(crate) fn unpacked<'a>(self, input: impl Read + 'a, limit: u64) -> io::Result<Box<dyn Read + 'a>> {
        let (input, kind): (Box<dyn Read>, _) = match self {
            Self::None => return Ok(Box::new(input)),
            Self::Gzip => (Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, input))), "gzip"),
            Self::Zstd => (Box::new(Frames::new(input)?), "zstd"),
        };
        Ok(Box::new(Unpacked { input, kind, limit, left: limit }))
    }
}

/// Packed bytes read at a time.
const BUFFER: usize = 64 * 1024;

/// Fails once more than `limit` bytes came out: what unpacks without end is no state.
struct Unpacked<R> {
    input: R,
    kind: &'static str,
    limit: u64,
    left: u64,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer).map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::UnexpectedEof => "is cut off".to_owned(),
                _ => format!("is broken: {error}"),
            };
            io::Error::new(error.kind(), format!("its {} packing {what}", self.kind))
        })?;
        let too_much = || io::Error::other(format!("it unpacks to more than {} MiB", self.limit >> 20));
        self.left = self.left.checked_sub(read as u64).ok_or_else(too_much)?;
        Ok(read)
    }
}

/// zstd's frames, one after the other, each against its checksum.
struct Frames<R> {
    input: BufReader<R>,
    decoder: FrameDecoder,
    is_inside: bool,
}

/// The header of an empty frame.
const EMPTY: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0];

impl<R: Read> Frames<R> {
    fn new(input: R) -> io::Result<Self> {
        let mut decoder = FrameDecoder::new();
        // ruzstd bounds the memory that a frame asks for, to 100 MiB, in every frame but the first that it sees.
        decoder.reset(EMPTY.as_slice()).map_err(io::Error::other)?;
        Ok(Self { input: BufReader::with_capacity(BUFFER, input), decoder, is_inside: false })
    }

    /// Begins the next frame with content; `false` at the end of the input.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.input.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(false)
    }

    fn check(&self) -> io::Result<()> {
        match self.decoder.get_checksum_from_data() {
            Some(checksum) if Some(checksum) != self.decoder.get_calculated_checksum() => {
                Err(io::Error::other("its checksum does not match"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_inside && !self.begin()? {
                return Ok(0);
            }
            self.is_inside = true;
            while self.decoder.can_collect() < buffer.len() && !self.decoder.is_finished() {
                let more = BlockDecodingStrategy::UptoBytes(buffer.len() - self.decoder.can_collect());
                self.decoder.decode_blocks(&mut self.input, more).map_err(failed)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.check()?;
            self.is_inside = false;
        }
    }
}

/// The input's own error where it is one: how a file ends is told from how it is broken.
fn failed(error: FrameDecoderError) -> io::Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return io::Error::new(inner.kind(), inner.to_string());
        }
        source = inner.source();
    }
    io::Error::other(error)
}

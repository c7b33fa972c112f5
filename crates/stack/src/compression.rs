//! gzip and zstd, recognised by their first bytes and never by a file's name.
//!
//! Compressed input is read to its end, because only the trailing checksum detects corruption: a flipped bit in compressed
//! bytes may decompress to valid JSON with another address in it.

use std::io::{self, BufRead as _, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// zstd, RFC 8878.
    Zstd,
}

impl Compression {
    /// How `input` is compressed, and a reader of the same input from its beginning.
    ///
    /// # Errors
    /// The errors of reading.
    pub(crate) fn detect<R: Read>(mut input: R) -> io::Result<(Self, impl Read + use<R>)> {
        let mut magic = Vec::new();
        input.by_ref().take(4).read_to_end(&mut magic)?;
        let packing = match magic.as_slice() {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Self::Zstd,
            _ => Self::None,
        };
        Ok((packing, Cursor::new(magic).chain(input)))
    }

    /// A reader of the decompressed bytes of `input`, at most `limit` of them.
    ///
    /// # Errors
    /// The errors of reading.
    pub(crate) fn reader<'a>(self, input: impl Read + 'a, limit: u64) -> io::Result<Box<dyn Read + 'a>> {
        let (input, kind): (Box<dyn Read>, _) = match self {
            Self::None => return Ok(Box::new(input)),
            Self::Gzip => (Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, input))), "gzip"),
            Self::Zstd => (Box::new(Frames::new(input)?), "zstd"),
        };
        Ok(Box::new(Bounded { input, kind, limit, left: limit }))
    }
}

/// Compressed bytes read at a time.
const BUFFER: usize = 64 * 1024;

/// Fails after more than `limit` decompressed bytes, which protects from decompression bombs.
struct Bounded<R> {
    input: R,
    kind: &'static str,
    limit: u64,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer).map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::UnexpectedEof => "is cut off".to_owned(),
                _ => format!("is broken: {error}"),
            };
            io::Error::new(error.kind(), format!("its {} compression {what}", self.kind))
        })?;
        let too_much = || io::Error::other(format!("it decompresses to more than {} MiB", self.limit >> 20));
        self.left = self.left.checked_sub(read as u64).ok_or_else(too_much)?;
        Ok(read)
    }
}

/// Decodes zstd's frames one after the other and checks each against its checksum.
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
        // ruzstd limits the memory that a frame may ask for to 100 MiB, except in the first frame it sees. So the first
        // frame is an empty one of ours.
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

/// The input's own error if that is the cause, so that a truncated file is distinguished from a corrupt one.
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

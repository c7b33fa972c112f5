//! Where the bytes of a state come from: a file or a pipe, compressed or not, told by its first bytes and never by its name.

use std::fs::File;
use std::io::{Cursor, Read, Seek as _, SeekFrom};
use std::path::Path;

use fault::{Fault, Result};
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::json::is_closed;
use crate::outputs::{Document, document};
use crate::state::{Extent, SIZE_LIMIT, Secrets};

/// The most bytes that a compressed state may unpack to.
const UNPACKED_LIMIT: u64 = 1 << 30;

/// How much of a file's end is looked at when the rest was not read.
const TAIL: u64 = 64 * 1024;

/// Reads the outputs from a file.
///
/// # Errors
/// [`fault::Kind::Usage`] for what cannot be read in full or is no such document.
pub fn file(path: &Path, secrets: Secrets) -> Result<Document> {
    let source = path.display().to_string();
    let about = |cause: String| Fault::usage(format!("cannot read {source}")).cause(cause);
    let mut file = File::open(path).map_err(|error| about(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| about(error.to_string()))?;
    if metadata.is_dir() {
        return Err(about("it is a directory".to_owned()).help("name a state file"));
    }
    if metadata.len() > SIZE_LIMIT {
        return Err(about(format!("it is larger than {} MiB", SIZE_LIMIT >> 20)));
    }
    let (document, packing) = stream(&mut file, &source, secrets)?;
    if packing == Packing::None && matches!(document, Document::Outputs(_, Extent::Part)) && metadata.len() > TAIL {
        let mut tail = Vec::new();
        let read = file.seek(SeekFrom::End(-TAIL.cast_signed())).and_then(|_| file.take(TAIL).read_to_end(&mut tail));
        read.map_err(|error| about(error.to_string()))?;
        if !is_closed(&tail) {
            return Err(about("it is cut off: its end does not close what its beginning opens".to_owned())
                .help("fetch the state again, or restore it from a backup"));
        }
    }
    Ok(document)
}

/// How the bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// zstd, RFC 8878.
    Zstd,
}

/// Reads the outputs from a stream that `source` names in errors.
///
/// # Errors
/// As [`document`].
pub fn stream(input: impl Read, source: &str, secrets: Secrets) -> Result<(Document, Packing)> {
    stream_within(UNPACKED_LIMIT, input, source, secrets)
}

fn stream_within(limit: u64, mut input: impl Read, source: &str, secrets: Secrets) -> Result<(Document, Packing)> {
    let (magic, packing) =
        sniff(&mut input).map_err(|error| Fault::usage(format!("cannot read {source}")).cause(error.to_string()))?;
    let input = Cursor::new(magic).chain(input);
    let document = match packing {
        Packing::None => document(input, source, secrets),
        Packing::Gzip => document(Bounded { input: MultiGzDecoder::new(input), limit, left: limit }, source, secrets),
        Packing::Zstd => {
            let input = StreamingDecoder::new(input)
                .map_err(|error| Fault::usage(format!("cannot read {source}")).cause(error.to_string()))?;
            document(Bounded { input, limit, left: limit }, source, secrets)
        }
    };
    document.map(|document| (document, packing))
}

fn sniff(input: &mut impl Read) -> std::io::Result<(Vec<u8>, Packing)> {
    let mut magic = Vec::new();
    input.take(4).read_to_end(&mut magic)?;
    let packing = match magic.as_slice() {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
        _ => Packing::None,
    };
    Ok((magic, packing))
}

/// Fails once more than `limit` bytes came out: what unpacks without end is no state.
struct Bounded<R> {
    input: R,
    limit: u64,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        let too_much = || std::io::Error::other(format!("it unpacks to more than {} MiB", self.limit >> 20));
        self.left = self.left.checked_sub(read as u64).ok_or_else(too_much)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{Secrets, stream_within};

    #[test]
    fn what_unpacks_without_end_is_refused() {
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        bomb.write_all(br#"{"version":3,"checkpoint":{"stack":"s","x":""#).unwrap();
        bomb.write_all(&vec![b'a'; 2 << 20]).unwrap();
        let fault = stream_within(1 << 20, bomb.finish().unwrap().as_slice(), "it", Secrets::Closed).unwrap_err();
        assert_eq!(fault.causes, ["it unpacks to more than 1 MiB"]);
    }

    #[test]
    fn a_packed_state_that_is_cut_off_is_refused() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(br#"{"version":4,"serial":1,"outputs":{},"resources":[]}"#).unwrap();
        let packed = packed.finish().unwrap();
        let cut = &packed[..packed.len() - 12];
        assert!(stream_within(1 << 20, cut, "it", Secrets::Closed).is_err());
    }
}

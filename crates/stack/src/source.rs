//! Where the bytes of a state come from, and how much of them is read.
//!
//! The outputs stand near the front, so reading stops soon after them wherever that gives nothing away: of a file the end is looked
//! at, which tells one that was cut off; of an answer over the network the rest is not fetched, since services keep whole objects. A
//! pipe is read and checked to its end: who writes into it may break off, and would be killed by a reader that leaves. So is what is
//! packed, wherever it comes from, as its checksum stands there.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::Path;

use api::{Answer, Incoming};
use fault::{Fault, Result};

use crate::json::{Broken, is_closed};
use crate::outputs::{Document, document};
use crate::packing::Packing;
use crate::state::{Extent, Rest, SIZE_LIMIT, Secrets};

/// The most bytes that a packed state may unpack to.
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
    if !metadata.is_file() {
        return stream(file, &source, secrets);
    }
    if metadata.len() > SIZE_LIMIT {
        return Err(about(format!("it is larger than {} MiB", SIZE_LIMIT >> 20)));
    }
    let (document, extent) = unpacked(&mut file, &source, secrets, Rest::Left, UNPACKED_LIMIT)?;
    if let (Extent::Part(open), true) = (extent, metadata.len() > TAIL) {
        let mut tail = Vec::new();
        let read = file.seek(SeekFrom::End(-TAIL.cast_signed())).and_then(|_| file.take(TAIL).read_to_end(&mut tail));
        read.map_err(|error| about(error.to_string()))?;
        if !is_closed(&tail, open) {
            return Err(Fault::from(Broken::Open).context(format!("cannot read {source}")));
        }
    }
    Ok(document)
}

/// Reads the outputs from a stream that `source` names in errors, all of which is read.
///
/// # Errors
/// As [`file()`].
pub fn stream(input: impl Read, source: &str, secrets: Secrets) -> Result<Document> {
    unpacked(input, source, secrets, Rest::Read, UNPACKED_LIMIT).map(|(document, _)| document)
}

/// Reads the outputs from an answer as it arrives; `None` for an empty one.
///
/// # Errors
/// As [`file()`]; [`fault::Kind::Temporary`] when the answer breaks off.
pub async fn answer(answer: Answer, source: &str, secrets: Secrets) -> Result<Option<Document>> {
    if answer.status() == 204 {
        return Ok(None);
    }
    let owned = source.to_owned();
    let read = move |mut body: Incoming| {
        let mut first = [0];
        match body.read(&mut first) {
            Ok(0) => Ok(None),
            Ok(_) => {
                let read = unpacked(first.chain(body), &owned, secrets, Rest::Left, UNPACKED_LIMIT);
                read.map(|(document, _)| Some(document))
            }
            // The answer tells what happened to it.
            Err(error) => Err(Fault::temporary(error.to_string())),
        }
    };
    let failed = format!("cannot read {source}");
    answer.read(read).await.map_err(|error| Fault::from(error).context(failed))?
}

fn unpacked(input: impl Read, source: &str, secrets: Secrets, rest: Rest, limit: u64) -> Result<(Document, Extent)> {
    let about = |error: std::io::Error| Fault::usage(format!("cannot read {source}")).cause(error.to_string());
    let (packing, input) = Packing::of(input).map_err(about)?;
    let rest = if packing == Packing::None { rest } else { Rest::Read };
    document(packing.unpacked(input, limit).map_err(about)?, source, secrets, rest)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{Rest, Secrets, unpacked};

    #[test]
    fn what_unpacks_without_end_is_refused() {
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        bomb.write_all(br#"{"version":3,"checkpoint":{"stack":"s","x":""#).unwrap();
        bomb.write_all(&vec![b'a'; 2 << 20]).unwrap();
        let bomb = bomb.finish().unwrap();
        let fault = unpacked(bomb.as_slice(), "it", Secrets::Closed, Rest::Left, 1 << 20).unwrap_err();
        assert_eq!(fault.causes, ["it unpacks to more than 1 MiB"]);
    }
}

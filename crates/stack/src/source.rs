//! The sources of a state's bytes, and how much of them is read.
//!
//! The outputs are near the front, so reading stops soon after them if nothing is lost by that:
//! - A file: its last bytes are checked, which detects a truncated copy.
//! - A network response: the rest is not fetched, since services store whole objects.
//! - A pipe is read to its end. The writer may fail half-way, and would get SIGPIPE from a reader that leaves early.
//! - Compressed input is read to its end wherever it comes from, because only the trailing checksum detects corruption.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::Path;

use api::{Answer, Incoming};
use fault::{Fault, Result};

use crate::compression::Compression;
use crate::document::{StackDocument, document};
use crate::encoding::{self, Beginning};
use crate::fields::Decryption;
use crate::json::{Broken, is_closed};
use crate::state::{Extent, Rest, SIZE_LIMIT};

/// The most bytes that a compressed state may decompress to.
const DECOMPRESSED_LIMIT: u64 = 1 << 30;

/// How many bytes of a file's end are checked if the rest was not read.
const TAIL: u64 = 64 * 1024;

/// Reads the outputs from a file.
///
/// # Errors
/// [`fault::Kind::Usage`] if it cannot be read in full or is not such a document.
pub fn file(path: &Path, decryption: Decryption) -> Result<StackDocument> {
    let source = path.display().to_string();
    let about = |cause: String| Fault::usage(format!("cannot read {source}")).cause(cause);
    let mut file = File::open(path).map_err(|error| about(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| about(error.to_string()))?;
    if metadata.is_dir() {
        return Err(about("it is a directory".to_owned()).help("name a state file"));
    }
    if !metadata.is_file() {
        return stream(file, &source, decryption);
    }
    if metadata.len() > SIZE_LIMIT {
        return Err(about(format!("it is larger than {} MiB", SIZE_LIMIT >> 20)));
    }
    let (document, extent) = decompressed(&mut file, &source, decryption, Rest::Left, DECOMPRESSED_LIMIT)?;
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

/// Reads the outputs from a stream, to its end. Errors name it by `source`.
///
/// # Errors
/// As [`file()`].
pub fn stream(input: impl Read, source: &str, decryption: Decryption) -> Result<StackDocument> {
    decompressed(input, source, decryption, Rest::Read, DECOMPRESSED_LIMIT).map(|(document, _)| document)
}

/// Reads the outputs from a response as it arrives; `None` for an empty one.
///
/// # Errors
/// As [`file()`]; [`fault::Kind::Temporary`] if the response is cut off.
pub async fn answer(answer: Answer, source: &str, decryption: Decryption) -> Result<Option<StackDocument>> {
    if answer.status() == 204 {
        return Ok(None);
    }
    let owned = source.to_owned();
    let read = move |mut body: Incoming| {
        let mut first = [0];
        match body.read(&mut first) {
            Ok(0) => Ok(None),
            Ok(_) => {
                let read = decompressed(first.chain(body), &owned, decryption, Rest::Left, DECOMPRESSED_LIMIT);
                read.map(|(document, _)| Some(document))
            }
            // The response's own error describes what went wrong.
            Err(error) => Err(Fault::temporary(error.to_string())),
        }
    };
    let failed = format!("cannot read {source}");
    answer.read(read).await.map_err(|error| Fault::from(error).context(failed))?
}

fn decompressed(
    input: impl Read,
    source: &str,
    decryption: Decryption,
    rest: Rest,
    limit: u64,
) -> Result<(StackDocument, Extent)> {
    let about = |error: std::io::Error| Fault::usage(format!("cannot read {source}")).cause(error.to_string());
    let (compression, input) = Compression::detect(input).map_err(about)?;
    let (beginning, text) = encoding::utf8(compression.reader(input, limit).map_err(about)?).map_err(about)?;
    if beginning == Beginning::Wrapper {
        return Err(encoding::wrapper().context(format!("cannot read {source}")));
    }
    if let Beginning::Foreign(name) = beginning {
        return Err(Fault::usage(format!("cannot read {source}")).cause(format!("it is not JSON but {name}")));
    }
    let rest = if compression == Compression::None && beginning == Beginning::Utf8 { rest } else { Rest::Read };
    document(text, source, decryption, rest)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{Decryption, Rest, decompressed};

    #[test]
    fn a_decompression_bomb_is_refused() {
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        bomb.write_all(br#"{"version":3,"checkpoint":{"stack":"s","x":""#).unwrap();
        bomb.write_all(&vec![b'a'; 2 << 20]).unwrap();
        let bomb = bomb.finish().unwrap();
        let fault = decompressed(bomb.as_slice(), "it", Decryption::NotNeeded, Rest::Left, 1 << 20).unwrap_err();
        assert_eq!(fault.causes, ["it decompresses to more than 1 MiB"]);
    }
}

//! Reads the inputs: named files, or standard input where none is named.

use std::io::Read;
use std::path::{Path, PathBuf};

use fault::{Fault, Result};

/// The longest report that is read; a longer one is a mistake, or has no end.
const LIMIT: u64 = 256 << 20;

/// One input's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// As the user named it.
    pub(crate) name: String,
    /// Decoded; what is not UTF-8 became U+FFFD.
    pub(crate) text: String,
}

/// Reads them all.
///
/// # Errors
/// [`fault::Kind::Usage`]: no input at all, or one that cannot be read.
pub(crate) fn gather(paths: &[PathBuf], stdin_is_terminal: bool) -> Result<Vec<Input>> {
    if paths.is_empty() && stdin_is_terminal {
        return Err(Fault::usage("no report given")
            .help("name a file, or pipe a report in: `dagger call pre-deploy --json-output | preflight-report`"));
    }
    if paths.is_empty() {
        return Ok(vec![from_stdin()?]);
    }
    paths.iter().map(|path| if path == Path::new("-") { from_stdin() } else { from_file(path) }).collect()
}

fn from_stdin() -> Result<Input> {
    let name = "standard input".to_owned();
    let text = decode(&bounded(std::io::stdin().lock(), &name)?);
    Ok(Input { name, text })
}

fn from_file(path: &Path) -> Result<Input> {
    let name = format!("`{}`", path.display());
    let file = std::fs::File::open(path)
        .map_err(|error| Fault::usage(format!("cannot read {name}")).cause(error.to_string()))?;
    let text = decode(&bounded(file, &name)?);
    Ok(Input { name, text })
}

/// All of a report, up to [`LIMIT`].
fn bounded(reader: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.take(LIMIT + 1).read_to_end(&mut bytes);
    let size = read.map_err(|error| Fault::usage(format!("cannot read {name}")).cause(error.to_string()))?;
    if size as u64 > LIMIT {
        return Err(Fault::usage(format!("{name} is longer than {} MiB", LIMIT >> 20)));
    }
    Ok(bytes)
}

/// UTF-8, or UTF-16 where a byte order mark says so: Windows PowerShell's `>` writes that.
fn decode(bytes: &[u8]) -> String {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn a_byte_order_mark_decides_the_encoding_and_is_no_text() {
        assert_eq!(decode(b"\xef\xbb\xbf{}"), "{}");
        assert_eq!(decode(b"\xff\xfe{\0}\0"), "{}");
        assert_eq!(decode(b"\xfe\xff\0{\0}"), "{}");
        assert_eq!(decode(b"a\xff"), "a\u{fffd}");
    }
}

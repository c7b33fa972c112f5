//! The key of an asset: what `wrangler pages deploy` computes, or the site would answer 500 on every path.
//!
//! `hex(BLAKE3(base64(content) ‖ extension))[..32]`, the extension without its dot, case kept, that of the name on disk (workers-sdk,
//! `deploy-helpers/src/deploy/helpers/hash.ts`). Content and extension alone decide: equal files of two sites have one key.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use base64_simd::STANDARD;
use fault::Fault;
use serde::{Serialize, Serializer};

use crate::base64_stream::{PIECE, encode};

/// The key of an asset, 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetHash([u8; 16]);

impl AssetHash {
    /// The key of `content`, for a file whose name has this [`extension`].
    #[must_use]
    pub fn of(content: &[u8], extension: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        for piece in content.chunks(PIECE) {
            hasher.update(STANDARD.encode_to_string(piece).as_bytes());
        }
        Self::end(&mut hasher, extension)
    }

    /// The key of the `size` bytes that `content` holds.
    ///
    /// # Errors
    /// `content` cannot be read, or ends before.
    pub(crate) fn read(content: impl Read, size: u64, extension: &str) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        encode(content, size, &mut Vec::new(), |text| {
            hasher.update(text);
            text.clear();
            Ok(())
        })?;
        Ok(Self::end(&mut hasher, extension))
    }

    fn end(hasher: &mut blake3::Hasher, extension: &str) -> Self {
        hasher.update(extension.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(key)
    }

    /// Its digits. A site of 20,000 files writes them a hundred thousand times, which the formatter is slow at.
    fn digits(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 32];
        for (two, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            two[0] = DIGITS[usize::from(byte >> 4)];
            two[1] = DIGITS[usize::from(byte & 15)];
        }
        digits
    }
}

/// The part of a file's name after its last dot: empty for `LICENSE`, `.htaccess` and `x.`; Node's `path.extname` without the dot.
#[must_use]
pub fn extension(name: &str) -> &str {
    Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

impl fmt::Display for AssetHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl Serialize for AssetHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl fmt::Debug for AssetHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for AssetHash {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let wrong = || Fault::temporary("a hash is not 32 hexadecimal digits");
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u128::from_str_radix(text, 16).map(|key| Self(key.to_be_bytes())).map_err(|_overflow| wrong())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::{AssetHash, PIECE, extension};

    fn hash(content: &[u8], name: &str) -> String {
        AssetHash::of(content, extension(name)).to_string()
    }

    #[test]
    fn the_keys_are_wranglers() {
        assert_eq!(hash(b"foobar", "a.png"), "2082190357cfd3617ccfe04f340c6247");
        assert_eq!(hash(b"foobar", "a.txt"), "1a98fb08af91aca4a7df1764a2c4ddb0");
        assert_eq!(hash(b"This is a readme", "README.md"), "13a03eaf24ae98378acd36ea00f77f2f");
        assert_eq!(hash(b"", "LICENSE"), "af1349b9f5f9a1a6a0404dea36dcc949");
        assert_eq!(hash(b"", "empty.txt"), "f9bc91770fa5e997cbd47fba833629fc");
        assert_eq!(hash(b"hi\n", "index.html"), "2de2d7c4f699c05945c1f7897816dc30");
        let every_byte: Vec<u8> = (0..=255).collect();
        assert_eq!(hash(&every_byte, "A.PNG"), "63a4d6a55886373ed32df9a16faa42e8");
    }

    #[test]
    fn the_extension_is_nodes() {
        let cases = [
            ("LICENSE", ""),
            (".htaccess", ""),
            (".html", ""),
            ("x.", ""),
            ("..foo", "foo"),
            (".a.b", "b"),
            ("x.tar.gz", "gz"),
            ("A.PNG", "PNG"),
        ];
        for (name, expected) in cases {
            assert_eq!(extension(name), expected, "{name}");
        }
    }

    #[test]
    fn a_key_survives_its_text() {
        let key = AssetHash::of(b"x", "txt");
        assert_eq!(key.to_string().parse::<AssetHash>().unwrap(), key);
        assert!("+0000000000000000000000000000000".parse::<AssetHash>().is_err());
    }

    proptest! {
        #[test]
        fn pieces_hash_like_the_whole(length in (PIECE - 4)..(2 * PIECE + 4), seed in any::<u32>()) {
            let content: Vec<u8> = (0u32..).take(length).map(|at| (at ^ seed).wrapping_mul(0x9e37_79b9).to_le_bytes()[3]).collect();
            // Another encoder than the one in use.
            let text = STANDARD.encode(&content) + "bin";
            let whole = &blake3::hash(text.as_bytes()).to_hex()[..32];
            prop_assert_eq!(hash(&content, "a.bin"), whole);
            prop_assert_eq!(AssetHash::read(content.as_slice(), length as u64, "bin").unwrap().to_string(), whole);
            prop_assert!(AssetHash::read(content.as_slice(), length as u64 + 1, "bin").is_err());
        }
    }
}

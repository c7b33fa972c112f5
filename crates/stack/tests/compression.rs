//! Compressed states, whole and broken. Their outputs come first, so a reader that stops early would print them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test, as its functions do")]

use std::io::Write as _;

use fault::{Kind, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use stack::{Decryption, Outputs, StackDocument, source};

/// A state of some 500 KB, its outputs first.
fn state() -> Vec<u8> {
    let mut text = br#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"l","outputs":{"ip":{"value":"203.0.113.7","type":"string"}},"resources":["#.to_vec();
    for number in 0..5_000_u32 {
        let comma = if number == 0 { "" } else { "," };
        let noise = number.wrapping_mul(2_654_435_761);
        write!(text, r#"{comma}{{"type":"x","name":"n{number}","instances":[{{"id":"{noise:08x}{:08x}"}}]}}"#, !noise)
            .unwrap();
    }
    text.extend_from_slice(br#"],"check_results":null}"#);
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(bytes).unwrap();
    compressed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn read(bytes: &[u8]) -> Result<Outputs> {
    match source::stream(bytes, "it", Decryption::NotNeeded)? {
        StackDocument::Outputs(outputs) => Ok(outputs),
        StackDocument::Encrypted(_) => panic!("not encrypted"),
    }
}

/// Checks that `bytes` are refused with `cause`, from a pipe and from a file.
#[track_caller]
fn refused(bytes: &[u8], cause: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    for fault in [read(bytes).unwrap_err(), source::file(file.path(), Decryption::NotNeeded).unwrap_err()] {
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.causes[0].contains(cause), "{fault:?}");
    }
}

/// `bytes` with one bit flipped in the byte `at`.
fn flipped(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

#[test]
fn a_compressed_state_is_read() {
    let state = state();
    let (head, tail) = state.split_at(state.len() / 2);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    for compressed in
        [gzip(&state), [gzip(head), gzip(tail)].concat(), zstd(&state), [zstd(head), skippable, zstd(tail)].concat()]
    {
        assert_eq!(read(&compressed).unwrap().named.len(), 1);
    }
}

#[test]
fn a_truncated_state_is_refused_although_its_outputs_came_first() {
    let state = state();
    refused(&state[..state.len() - 1], "it is cut off");
    refused(&state[..state.len() / 2], "it is cut off");
    refused(&gzip(&state[..state.len() / 2]), "it is cut off");
    refused(&zstd(&state[..state.len() / 2]), "it is cut off");
}

#[test]
fn truncated_compression_is_refused_wherever_it_ends() {
    for (compressed, cause) in
        [(gzip(&state()), "its gzip compression is cut off"), (zstd(&state()), "its zstd compression is cut off")]
    {
        for length in [compressed.len() - 1, compressed.len() - 4, compressed.len() / 2] {
            refused(&compressed[..length], cause);
        }
    }
}

#[test]
fn a_flipped_bit_in_compressed_bytes_is_refused() {
    let (gzipped, zipped) = (gzip(&state()), zstd(&state()));
    let (gzip_end, zstd_end) = (gzipped.len(), zipped.len());
    // The checksums are at the end; the length follows gzip's.
    refused(&flipped(gzipped, gzip_end - 7), "its gzip compression is broken");
    refused(&flipped(zipped, zstd_end - 2), "its zstd compression is broken: its checksum does not match");
}

#[test]
fn bytes_after_the_compressed_state_are_refused() {
    for compressed in [gzip(&state()), zstd(&state())] {
        refused(&[compressed, b"garbage".to_vec()].concat(), "compression is");
    }
}

#[test]
fn a_second_document_inside_the_compression_is_refused() {
    let two = [state(), b"x".to_vec()].concat();
    refused(&gzip(&two), "the end of the document was expected");
}

#[test]
fn a_zstd_window_of_a_tebibyte_is_refused() {
    // A frame header that asks for 1 TiB of memory, and a block that repeats one byte.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 30 << 3, 0x02, 0xff, 0x0f, b' '];
    refused(&frame, "its zstd compression is broken");
}

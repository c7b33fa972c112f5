//! Packed states, whole and broken: their outputs come first, so that an early stop would print them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test, as its functions do")]

use std::io::Write as _;

use fault::{Kind, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use stack::{Document, Outputs, Secrets, source};

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
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn read(bytes: &[u8]) -> Result<Outputs> {
    match source::stream(bytes, "it", Secrets::Closed)? {
        Document::Outputs(outputs) => Ok(outputs),
        Document::Encrypted(_) => panic!("not encrypted"),
    }
}

/// Stops the test unless `bytes` are refused with `cause`, from a pipe and from a file.
#[track_caller]
fn refused(bytes: &[u8], cause: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    for fault in [read(bytes).unwrap_err(), source::file(file.path(), Secrets::Closed).unwrap_err()] {
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.causes[0].contains(cause), "{fault:?}");
    }
}

/// `bytes` with one bit at `at` the other way round.
fn flipped(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

#[test]
fn a_packed_state_is_read_whatever_packed_it() {
    let state = state();
    let (head, tail) = state.split_at(state.len() / 2);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    for packed in
        [gzip(&state), [gzip(head), gzip(tail)].concat(), zstd(&state), [zstd(head), skippable, zstd(tail)].concat()]
    {
        assert_eq!(read(&packed).unwrap().named.len(), 1);
    }
}

#[test]
fn a_state_that_is_cut_off_is_refused_though_its_outputs_came_first() {
    let state = state();
    refused(&state[..state.len() - 1], "it is cut off");
    refused(&state[..state.len() / 2], "it is cut off");
    refused(&gzip(&state[..state.len() / 2]), "it is cut off");
    refused(&zstd(&state[..state.len() / 2]), "it is cut off");
}

#[test]
fn packing_that_is_cut_off_is_refused_wherever_it_is() {
    for (packed, cause) in
        [(gzip(&state()), "its gzip packing is cut off"), (zstd(&state()), "its zstd packing is cut off")]
    {
        for length in [packed.len() - 1, packed.len() - 4, packed.len() / 2] {
            refused(&packed[..length], cause);
        }
    }
}

#[test]
fn packing_that_was_altered_is_refused() {
    let (gzipped, zipped) = (gzip(&state()), zstd(&state()));
    let (gzip_end, zstd_end) = (gzipped.len(), zipped.len());
    // The checksums stand at the end; gzip's is followed by the length.
    refused(&flipped(gzipped, gzip_end - 7), "its gzip packing is broken");
    refused(&flipped(zipped, zstd_end - 2), "its zstd packing is broken: its checksum does not match");
}

#[test]
fn what_follows_the_packing_is_refused() {
    for packed in [gzip(&state()), zstd(&state())] {
        refused(&[packed, b"garbage".to_vec()].concat(), "packing is");
    }
}

#[test]
fn a_second_document_inside_the_packing_is_refused() {
    let two = [state(), b"x".to_vec()].concat();
    refused(&gzip(&two), "the end of the document was expected");
}

#[test]
fn a_window_that_no_machine_should_be_asked_for_is_refused() {
    // A frame header that asks for 1 TiB of memory, and a block that repeats one byte.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 30 << 3, 0x02, 0xff, 0x0f, b' '];
    refused(&frame, "its zstd packing is broken");
}

//! Feeds bytes to one reader of `formats`, as `cargo fuzz run NAME` does: `cargo +nightly fuzz run junit -- -max_total_time=60`.
//!
//! Seeds are the samples of the crate: `cargo +nightly fuzz run tap ../crates/formats/tests/samples`.

use formats::{EvidenceOnly, FORMATS, Item, Json, Prose, Sniff, Tally, read};

/// Gives the bytes to the reader of this format, past the test that recognises it.
///
/// # Panics
/// There is no such format.
pub fn reader(name: &str, data: &[u8]) {
    let format = FORMATS.iter().find(|format| format.name == name).expect("a row of the table");
    if let Sniff::Xml(roots) = format.sniff {
        let text = [b"<", roots[0].as_bytes(), b">", data].concat();
        let _ = read(&mut text.as_slice(), Prose::Noise, &mut EvidenceOnly);
        return;
    }
    let text = String::from_utf8_lossy(data);
    let (mut reader, mut tally) = ((format.open)(), Tally::new(format.name, format.nature));
    for line in text.split('\n') {
        let fed = if matches!(format.sniff, Sniff::Lines(_)) {
            reader.feed(Item::Line(line), &mut tally)
        } else {
            let json = Json::new(line);
            if json.check().is_err() {
                continue;
            }
            reader.feed(Item::Json(&json), &mut tally)
        };
        if fed.is_err() {
            break;
        }
    }
    let _ = reader.end(&mut tally);
    let _ = tally.finish();
}

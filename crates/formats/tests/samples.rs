//! Every row of the table of formats has a sample that its reader takes.

use std::fs;
use std::path::Path;

use formats::{EvidenceOnly, FORMATS, Prose, read};

#[test]
fn every_format_has_a_sample_that_is_recognised_and_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for format in FORMATS {
        let own = files.iter().filter(|file| file.file_stem().unwrap() == format.name);
        let mut found = 0;
        for file in own {
            found += 1;
            let reading = read(&mut fs::File::open(file).unwrap(), Prose::Noise, &mut EvidenceOnly).unwrap();
            let formats: Vec<_> = reading.documents.iter().map(|document| document.format).collect();
            assert_eq!(formats, [format.name], "{}", file.display());
            let document = reading.documents.into_iter().next().unwrap();
            assert_eq!(document.unreadable, None, "{}", file.display());
            assert!(!document.tally.is_empty(), "{}", file.display());
        }
        assert_eq!(found, 1, "{} has no sample", format.name);
    }
}

#[test]
fn a_sample_that_is_cut_off_anywhere_ends_in_a_reading() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read(entry.unwrap().path()).unwrap();
        for end in 0..text.len() {
            read(&mut &text[..end], Prose::Read, &mut EvidenceOnly).unwrap();
        }
    }
}

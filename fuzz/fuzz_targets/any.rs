#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = formats::read(&mut &*data, formats::Prose::Read, &mut formats::EvidenceOnly);
});

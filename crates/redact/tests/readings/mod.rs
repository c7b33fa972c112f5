//! What a text may mean to someone who decodes it, without the crate's own code.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Everything that `text` may mean, line by line: itself, unescaped, and decoded from base64 and from numbers at any offset.
pub(crate) fn readings(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![text.to_vec()];
    for line in text.split(|&byte| byte == b'\n') {
        all.push(unescaped(line, b'%', 0));
        let mut level = line.to_vec();
        for _ in 0..4 {
            level = unescaped(&level, b'\\', 1);
            all.push(level.clone());
        }
        for base in [8, 10] {
            all.extend(numbers(line, base));
        }
        let markup = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&")];
        let line_text = String::from_utf8_lossy(line).into_owned();
        all.push(markup.iter().fold(line_text, |text, (from, to)| text.replace(from, to)).into_bytes());
        let runs =
            line.split(|byte| !byte.is_ascii_alphanumeric() && !b"+/-_".contains(byte)).filter(|run| run.len() >= 8);
        for run in runs {
            for decoded in (0..4).map(|offset| unbase64(&run[offset..])) {
                all.push(decoded.iter().copied().filter(|&byte| byte != 0).collect());
                let inner = decoded.split(|byte| !byte.is_ascii_alphanumeric() && !b"+/".contains(byte));
                all.extend(
                    inner.filter(|run| run.len() >= 8).flat_map(|run| (0..4).map(|offset| unbase64(&run[offset..]))),
                );
                all.push(decoded);
            }
        }
        let text = ["0x", "\\x", ", ", "\\u"]
            .iter()
            .fold(String::from_utf8_lossy(line).into_owned(), |text, sign| text.replace(sign, ""));
        let digits: Vec<u8> = text.bytes().filter(|byte| !b" :'{}".contains(byte)).collect();
        for run in digits.split(|byte| !byte.is_ascii_hexdigit()) {
            all.extend((0..2.min(run.len())).map(|offset| unhex(&run[offset..])));
        }
    }
    all
}

/// The bytes that the numbers of a line stand for; a number over 255 ends a list.
fn numbers(line: &[u8], base: u32) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(line);
    let number = |token: &str| u8::from_str_radix(token, base).ok().filter(|_| !token.starts_with('+'));
    let tokens = text.split(|character: char| !character.is_ascii_hexdigit()).filter(|token| !token.is_empty());
    let numbers: Vec<Option<u8>> = tokens.map(number).collect();
    numbers.split(Option::is_none).map(|list| list.iter().copied().flatten().collect()).collect()
}

fn unescaped(line: &[u8], escape: u8, skipped: usize) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < line.len() {
        let width = if escape == b'%' { 2 } else { 4 };
        let is_hex = line[at] == escape && (escape == b'%' || line.get(at + 1) == Some(&b'u'));
        let digits = line.get(at + 1 + skipped..at + 1 + skipped + width).filter(|_| is_hex);
        let code = digits.and_then(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if let Some(code) = code {
            match (escape, char::from_u32(code)) {
                (b'\\', Some(character)) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                _ => out.push(u8::try_from(code & 0xff).unwrap()),
            }
            at += 1 + skipped + width;
        } else {
            at += usize::from(line[at] == escape && escape == b'\\' && at + 1 < line.len());
            out.push(line[at]);
            at += 1;
        }
    }
    out
}

fn unbase64(run: &[u8]) -> Vec<u8> {
    let standard: Vec<u8> = run
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let usable = if standard.len() % 4 == 1 { standard.len() - 1 } else { standard.len() };
    engine.decode(&standard[..usable]).unwrap_or_default()
}

fn unhex(run: &[u8]) -> Vec<u8> {
    run.chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

//! Text that is written as numbers: hexadecimal dumps, arrays of bytes, octal and percent escapes.
//!
//! Programs write bytes as numbers in dozens of ways: `68 75`, `6875 6e74`, `68:75`, `0x68, 0x75`, `\x68`, `%68`, `\u0068`,
//! `['0x68', '0x75']`, `\u{68}`, `U+0068`, `[104,117]`, `[104 117]`, `&#104;`, `\150\165`. They differ only in what is between the
//! numbers. So runs of digits and such separators are decoded, whatever the separators are, and the secrets are looked for in the bytes.
//!
//! The meaning of a decoded piece depends on nothing before its first digit, since the redactor forgets what it has shown.

use std::ops::Range;

/// Bytes of this value are skipped: UTF-16 has one between two letters, and secrets have none.
const FILLER: u8 = 0;

/// Longer text between two numbers separates two lists: `, 0x` and `;&#x` are four characters.
const SEPARATOR: usize = 4;

/// Eight numbers take this many characters or more: eight decimal digits with a separator between them.
const SHORTEST: usize = 15;

/// Text is looked at in blocks of eight. Every region of fifteen characters contains a whole block.
const BLOCK: usize = 8;

/// The weight of a digit; separators weigh 0x10, everything else 0.
const DIGIT: u8 = 0x11;

/// The weight of each byte. `-` and `.` are no separators: dates and versions in most lines would halve the speed.
const WEIGHTS: [u8; 256] = {
    let mut weights = [0; 256];
    let (digits, separators) = (b"0123456789abcdefABCDEF", b" ,:;\\%&#xuU+|'\"{}");
    let mut at = 0;
    while at < digits.len() {
        weights[digits[at] as usize] = DIGIT;
        at += 1;
    }
    at = 0;
    while at < separators.len() {
        weights[separators[at] as usize] = 0x10;
        at += 1;
    }
    weights
};

/// A block of eight digits and separators, with two digits or more.
const BLOCK_OF_NUMBERS: u8 = 0x82;

fn is_in_region(byte: u8) -> bool {
    WEIGHTS[usize::from(byte)] != 0
}

/// The bytes that a list of numbers encodes, and the place of each number in the text.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) bytes: Vec<u8>,
    places: Vec<(usize, usize)>,
    /// Whether more text could make the list longer.
    pub(crate) is_open: bool,
}

impl Decoded {
    /// The place in the text of the bytes `from` to `to`, of which there must be one or more.
    pub(crate) fn span(&self, from: usize, to: usize) -> Range<usize> {
        self.places[from].0..self.places[to - 1].1
    }

    /// The place in the text at which the last `count` bytes begin.
    pub(crate) fn last(&self, count: usize) -> Option<usize> {
        self.places.get(self.places.len().saturating_sub(count)).map(|place| place.0)
    }

    fn push(&mut self, byte: u8, start: usize, end: usize) {
        if byte != FILLER {
            self.bytes.push(byte);
            self.places.push((start, end));
        }
    }
}

/// Passes the lists of numbers in `text` to `found`, each in every reading. With `is_whole`, `text` has ended.
pub(crate) fn lists(text: &[u8], is_whole: bool, mut found: impl FnMut(&Decoded)) {
    let (mut tokens, mut decoded) = (Vec::new(), Decoded::default());
    for region in regions(text) {
        let is_open = region.end == text.len() && !is_whole;
        tokens.clear();
        tokens.extend(digits(text, region.clone()));
        let Some(last) = tokens.last() else { continue };
        let is_growing = is_open && last.end == text.len();
        let is_open = is_open && region.end - last.end <= SEPARATOR;
        read(text, &tokens, is_open, hexadecimal, &mut decoded, &mut found);
        for token in tokens.iter().filter(|token| token.len() > 2 * BLOCK) {
            // The list may begin at any digit of a long run of them.
            let shifted = token.start + 1..token.end;
            read(
                text,
                std::slice::from_ref(&shifted),
                is_open && token.end == text.len(),
                hexadecimal,
                &mut decoded,
                &mut found,
            );
        }
        // The last number may go on: `11` may be the beginning of `117`.
        let complete = &tokens[..tokens.len() - usize::from(is_growing)];
        let is_open = if is_growing { last.len() < 4 } else { is_open };
        read(text, complete, is_open, decimal, &mut decoded, &mut found);
        read(text, complete, is_open, octal, &mut decoded, &mut found);
    }
}

/// The start of an unfinished number at the end of `text`, of at most three digits.
pub(crate) fn unfinished(text: &[u8]) -> Option<usize> {
    let count = text.iter().rev().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
    (1..4).contains(&count).then(|| text.len() - count)
}

/// The runs of digits and separators in `text` that are long enough; the one at its end may be shorter.
fn regions(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    let start_of_last = text.len() - text.iter().rev().take_while(|&&byte| is_in_region(byte)).take(BLOCK * 2).count();
    std::iter::from_fn(move || {
        while from < text.len() {
            let blocks = text[from..].chunks_exact(BLOCK);
            let weight = |block: &[u8]| block.iter().fold(0, |sum, &byte| sum + WEIGHTS[usize::from(byte)]);
            let hit = blocks.into_iter().position(|block| weight(block) >= BLOCK_OF_NUMBERS);
            let block = hit.map_or(start_of_last.max(from), |number| from + number * BLOCK);
            if block >= text.len() {
                break;
            }
            let before = text[from..block].iter().rev().take_while(|&&byte| is_in_region(byte)).count();
            let after = text[block..].iter().take_while(|&&byte| is_in_region(byte)).count();
            let region = block - before..block + after;
            from = region.end.max(block + 1);
            if region.len() >= SHORTEST || (region.end == text.len() && !region.is_empty()) {
                return Some(region);
            }
        }
        from = text.len();
        None
    })
}

/// The runs of digits in `region`.
fn digits(text: &[u8], region: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = region.start;
    let is_digit = |byte: &u8| WEIGHTS[usize::from(*byte)] == DIGIT;
    std::iter::from_fn(move || {
        let rest = text.get(at..region.end)?;
        let start = at + rest.iter().position(is_digit)?;
        at = text[start..region.end].iter().position(|byte| !is_digit(byte)).map_or(region.end, |count| start + count);
        Some(start..at)
    })
}

/// Reads each run of digits by `number`, which returns whether it is one; another one ends the list.
fn read(
    text: &[u8],
    tokens: &[Range<usize>],
    is_open: bool,
    number: impl Fn(&[u8], Range<usize>, &mut Decoded) -> bool,
    decoded: &mut Decoded,
    found: &mut impl FnMut(&Decoded),
) {
    decoded.is_open = false;
    let mut end = None;
    for token in tokens {
        let is_near = end.is_none_or(|end| token.start - end <= SEPARATOR);
        end = Some(token.end);
        if !is_near {
            pass(decoded, found);
        }
        if !number(text, token.clone(), decoded) {
            pass(decoded, found);
        }
    }
    decoded.is_open = is_open;
    pass(decoded, found);
}

fn pass(decoded: &mut Decoded, found: &mut impl FnMut(&Decoded)) {
    if decoded.bytes.len() >= BLOCK || (decoded.is_open && !decoded.bytes.is_empty()) {
        found(decoded);
    }
    decoded.bytes.clear();
    decoded.places.clear();
}

/// Pairs of hexadecimal digits; a single digit (`0` in `0x68`) is none.
fn hexadecimal(text: &[u8], token: Range<usize>, decoded: &mut Decoded) -> bool {
    let digits = &text[token.clone()];
    // A percent sign that is encoded itself: `%2568`.
    let is_twice = digits.len() == 4 && digits.starts_with(b"25") && text[..token.start].ends_with(b"%");
    for (pair, start) in digits.chunks_exact(2).zip((token.start..).step_by(2)).skip(usize::from(is_twice)) {
        decoded.push(value(pair[0]) << 4 | value(pair[1]), start, start + 2);
    }
    true
}

/// A number from 0 to 255.
fn decimal(text: &[u8], token: Range<usize>, decoded: &mut Decoded) -> bool {
    token.len() <= 3 && number(text, token, 10, decoded)
}

/// Three octal digits.
fn octal(text: &[u8], token: Range<usize>, decoded: &mut Decoded) -> bool {
    token.len() == 3 && number(text, token, 8, decoded)
}

fn number(text: &[u8], token: Range<usize>, base: u8, decoded: &mut Decoded) -> bool {
    let digits = &text[token.clone()];
    let sum = digits.iter().fold(0, |sum: u16, &digit| sum * u16::from(base) + u16::from(value(digit)));
    match u8::try_from(sum) {
        Ok(byte) if digits.iter().all(|&digit| value(digit) < base) => {
            decoded.push(byte, token.start, token.end);
            true
        }
        _ => false,
    }
}

/// The value of a hexadecimal digit.
fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        // Upper and lower case differ in a bit above the lowest four.
        _ => (digit & 15) + 9,
    }
}

#[cfg(test)]
mod tests {
    use super::lists;

    fn readings(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        lists(text.as_bytes(), true, |decoded| all.push(String::from_utf8_lossy(&decoded.bytes).into_owned()));
        all
    }

    #[test]
    fn numbers_are_read_whatever_is_between_them() {
        for text in [
            "68756e746572322d",
            "x 6875 6e74 6572 322d y",
            "68:75:6e:74:65:72:32:2d",
            "0x68, 0x75, 0x6e, 0x74, 0x65, 0x72, 0x32, 0x2d",
            r"\x68\x75\x6e\x74\x65\x72\x32\x2d",
            "%68%75%6E%74%65%72%32%2d",
            "%2568%2575%256E%2574%2565%2572%2532%252d",
            r"\u0068\u0075\u006e\u0074\u0065\u0072\u0032\u002d",
            "&#x68;&#x75;&#x6e;&#x74;&#x65;&#x72;&#x32;&#x2d;",
            "68|75|6E|74|65|72|32|2D",
            "['0x68', '0x75', '0x6e', '0x74', '0x65', '0x72', '0x32', '0x2d']",
            "[\"68\", \"75\", \"6e\", \"74\", \"65\", \"72\", \"32\", \"2d\"]",
            r"\u{68}\u{75}\u{6e}\u{74}\u{65}\u{72}\u{32}\u{2d}",
            "U+0068 U+0075 U+006E U+0074 U+0065 U+0072 U+0032 U+002D",
            "68007500 6e007400 65007200 32002d00",
            "[104,117,110,116,101,114,50,45]",
            "[104 117 110 116 101 114 50 45]",
            "&#104;&#117;&#110;&#116;&#101;&#114;&#50;&#45;",
            r"\150\165\156\164\145\162\062\055",
            "0000000 150 165 156 164 145 162 062 055",
        ] {
            assert!(readings(text).iter().any(|reading| reading.ends_with("hunter2-")), "{text}: {:?}", readings(text));
        }
    }

    #[test]
    fn times_and_words_are_not_lists() {
        for text in
            ["2026-11-21T05:12:33.1234Z", "took 11.3 seconds on port 8081", "                      ", "added facade"]
        {
            assert_eq!(readings(text), Vec::<String>::new(), "{text}");
        }
    }
}

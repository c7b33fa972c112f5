//! Finds runs of many forms in text at the speed of reading it.
//!
//! Every position's eight bytes (a *gram*) are looked up in a bitmap; the few that may be a form's are compared in full. Of a form
//! that counts from `least` bytes on, every `least - 7`th gram is known, so that each run that counts contains a known one (of base64, which
//! comes in groups of four, every fourth). A run of
//! nothing but usual text does not count. Forms of four to seven bytes have a bitmap of their own, of four.

use std::collections::HashMap;

use crate::common;
use crate::encoding::{Code, Form};

/// A gram's length, and that of short forms.
const LONG: usize = 8;
const SHORT: usize = 4;

/// More places than this, of one gram in one form, are a repetition: one of them finds the run.
const REPETITIONS: usize = 4;

/// Text between `start` and `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// What is secret, in no order, overlapping.
    pub(crate) secret: Vec<Span>,
    /// From here on, more text could make a run count, or longer.
    pub(crate) open: Option<usize>,
}

/// A form. Of hexadecimal digits the bytes are kept that they stand for, half as many.
#[derive(Debug)]
struct Pattern {
    bytes: Box<[u8]>,
    digits: Option<&'static [u8; 16]>,
    least: usize,
    /// How far the known grams are apart.
    stride: usize,
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// The forms, indexed.
#[derive(Debug)]
pub(crate) struct Engine {
    patterns: Vec<Pattern>,
    long: Grams,
    short: Grams,
    reach: usize,
}

impl Engine {
    pub(crate) fn new(forms: impl Iterator<Item = Form>) -> Self {
        let patterns: Vec<Pattern> = forms.filter(|form| form.bytes.len() >= SHORT).map(Pattern::of).collect();
        let (mut long, mut short) = (Vec::new(), Vec::new());
        for (number, pattern) in (0..).zip(&patterns) {
            let (places, size) = if pattern.least >= LONG { (&mut long, LONG) } else { (&mut short, SHORT) };
            pattern.index(number, size, places);
        }
        // A run may begin almost a stride before a gram that is known, and almost all of that may be still to come.
        let reach =
            patterns.iter().filter(|pattern| pattern.is_in_pieces()).map(|pattern| pattern.stride + LONG - 2).max();
        let (long, short) = (Grams::new(long, LONG, &patterns), Grams::new(short, SHORT, &patterns));
        Self { long, short, reach: reach.unwrap_or(0).max(LONG - 1), patterns }
    }

    /// So many bytes at the end of a text may begin a run that no gram shows yet.
    pub(crate) fn reach(&self) -> usize {
        if self.patterns.is_empty() { 0 } else { self.reach }
    }

    /// How many forms are looked for.
    pub(crate) fn len(&self) -> usize {
        self.patterns.len()
    }

    pub(crate) fn scan(&self, text: &[u8]) -> Scan {
        let mut scan = Scan::default();
        if !self.long.is_empty() {
            for (at, gram) in text.windows(LONG).enumerate() {
                let gram = gram.first_chunk().map_or(0, |bytes: &[u8; LONG]| u64::from_le_bytes(*bytes));
                if self.long.may_hold(gram) {
                    self.compare(&self.long, gram, LONG, text, at, &mut scan);
                }
            }
        }
        if !self.short.is_empty() {
            for (at, gram) in text.windows(SHORT).enumerate() {
                let gram = gram.first_chunk().map_or(0, |bytes: &[u8; SHORT]| u64::from(u32::from_le_bytes(*bytes)));
                if self.short.may_hold(gram) {
                    self.compare(&self.short, gram, SHORT, text, at, &mut scan);
                }
            }
        }
        scan
    }

    /// Whether the last four bytes of `tail` could be a component of a run: only then is it held back for long.
    pub(crate) fn may_begin_in(&self, tail: &[u8]) -> bool {
        let Some(last) = tail.last_chunk::<SHORT>() else { return false };
        self.patterns.iter().any(|pattern| {
            if pattern.is_in_pieces() {
                (0..=pattern.len() - SHORT).any(|offset| (0..SHORT).all(|at| pattern.at(offset + at) == last[at]))
            } else {
                (SHORT..pattern.len()).any(|length| {
                    tail.len() >= length && (0..length).all(|at| pattern.at(at) == tail[tail.len() - length + at])
                })
            }
        })
    }

    #[inline(never)]
    fn compare(&self, grams: &Grams, gram: u64, size: usize, text: &[u8], at: usize, scan: &mut Scan) {
        for place in grams.places(gram) {
            let (pattern, offset) = (&self.patterns[place.number as usize], place.offset as usize);
            if pattern.gram(offset, size) != gram {
                continue;
            }
            let back = text[..at].iter().rev().zip((0..offset).rev());
            let start = at - back.take_while(|(byte, place)| **byte == pattern.at(*place)).count();
            let ahead = text[at + size..].iter().zip(offset + size..pattern.len());
            let end = at + size + ahead.take_while(|(byte, place)| **byte == pattern.at(*place)).count();
            let from = offset - (at - start);
            let to = from + (end - start);
            if end - start >= pattern.least && pattern.is_telling(from, to) {
                scan.secret.push(Span { start, end });
            }
            if end == text.len() && to < pattern.len() {
                scan.open = Some(scan.open.map_or(start, |open| open.min(start)));
            }
        }
    }
}

impl Pattern {
    fn of(form: Form) -> Self {
        let stride = form.stride(if form.least >= LONG { LONG } else { SHORT });
        let Form { bytes, least, code } = form;
        let digits = (code == Code::Hex).then(|| if bytes.iter().any(u8::is_ascii_uppercase) { UPPER } else { LOWER });
        let value = |digit: &u8| char::from(*digit).to_digit(16).map_or(0, |value| value.to_le_bytes()[0]);
        let bytes: Vec<u8> = match digits {
            Some(_) => bytes.chunks_exact(2).map(|pair| value(&pair[0]) << 4 | value(&pair[1])).collect(),
            None => bytes,
        };
        // Its own capacity may be half as much again, and there may be thousands.
        Self { bytes: bytes.into_boxed_slice(), digits, least, stride }
    }

    fn len(&self) -> usize {
        if self.digits.is_some() { self.bytes.len() * 2 } else { self.bytes.len() }
    }

    /// The byte at `place` of the form.
    fn at(&self, place: usize) -> u8 {
        let Some(digits) = self.digits else { return self.bytes[place] };
        let byte = usize::from(self.bytes[place / 2]);
        digits[if place.is_multiple_of(2) { byte >> 4 } else { byte & 15 }]
    }

    /// The `size` bytes at `offset`, as a number.
    fn gram(&self, offset: usize, size: usize) -> u64 {
        // What almost all are; sorting a hundred thousand places asks for millions.
        if let (LONG, None, Some(bytes)) = (size, self.digits, self.bytes.get(offset..).and_then(<[u8]>::first_chunk)) {
            return u64::from_le_bytes(*bytes);
        }
        (offset..offset + size).rev().fold(0, |gram, place| gram << 8 | u64::from(self.at(place)))
    }

    fn is_in_pieces(&self) -> bool {
        self.least < self.len()
    }

    /// The whole always is_telling; a piece if it holds a gram that is not usual.
    fn is_telling(&self, from: usize, to: usize) -> bool {
        let is_usual = |start| common::is_usual(&std::array::from_fn::<u8, LONG, _>(|at| self.at(start + at)));
        let last = to.checked_sub(LONG);
        to - from == self.len() || last.is_some_and(|last| (from..=last).any(|start| !is_usual(start)))
    }

    fn index(&self, number: u32, size: usize, places: &mut Vec<Place>) {
        let mut seen: HashMap<u64, usize> = HashMap::new();
        for offset in (0..=self.len() - size).step_by(self.stride) {
            let times = seen.entry(self.gram(offset, size)).or_default();
            *times += 1;
            if let (..=REPETITIONS, Ok(offset)) = (*times, u32::try_from(offset)) {
                places.push(Place { number, offset });
            }
        }
    }
}

/// Where a gram stands: in which form, and how far in.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: u32,
    offset: u32,
}

/// The known grams: a bitmap that says no quickly, and where each stands, in buckets by the same hash.
#[derive(Debug)]
struct Grams {
    bits: Vec<u64>,
    shift: u32,
    buckets: Vec<u32>,
    bucket_shift: u32,
    places: Vec<Place>,
}

impl Grams {
    fn new(mut places: Vec<Place>, size: usize, patterns: &[Pattern]) -> Self {
        let spread_at = |place: &Place| spread(patterns[place.number as usize].gram(place.offset as usize, size));
        places.shrink_to_fit();
        // 32 bits a gram: one position in 32 is looked up for nothing.
        let width = (places.len() * 32).next_power_of_two().clamp(1 << 12, 1 << 24);
        let mut bits = vec![0_u64; width / 64];
        let shift = 64 - width.ilog2();
        let count = places.len().next_power_of_two().max(2);
        let bucket_shift = 64 - count.ilog2();
        let mut buckets = vec![0; count + 1];
        places.sort_unstable_by_key(spread_at);
        for place in &places {
            let hash = spread_at(place);
            bits[index(hash >> shift) / 64] |= 1 << ((hash >> shift) % 64);
            buckets[index(hash >> bucket_shift) + 1] += 1;
        }
        for at in 1..buckets.len() {
            buckets[at] += buckets[at - 1];
        }
        Self { bits, shift, buckets, bucket_shift, places }
    }

    fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    #[inline]
    fn may_hold(&self, gram: u64) -> bool {
        let bit = spread(gram) >> self.shift;
        let word = self.bits.get(index(bit / 64)).copied().unwrap_or_default();
        word >> (bit % 64) & 1 != 0
    }

    /// The places of `gram`, and of others that share its bucket.
    fn places(&self, gram: u64) -> impl Iterator<Item = &Place> {
        let bucket = index(spread(gram) >> self.bucket_shift);
        let (start, end) = (self.buckets[bucket] as usize, self.buckets[bucket + 1] as usize);
        self.places[start..end].iter()
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// Fibonacci hashing: the upper bits depend on every byte.
#[inline]
fn spread(gram: u64) -> u64 {
    gram.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

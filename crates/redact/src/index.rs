//! Finds runs of many patterns in text at the speed of reading it.
//!
//! The hash of each *gram* (a few bytes) of a pattern is known. Of the text, every second gram is looked up in a bitmap; the few
//! that may be a pattern's are compared in full. A run of a pattern that is long enough to count contains two neighbouring grams
//! that are known, so that one of them is at an even place of the text.

use crate::common;
use crate::encoding::Code;

/// A long gram has seven bytes: two neighbours have eight, the shortest run that counts.
const LONG: usize = 7;
const SHORT: usize = 4;

/// The shortest run of a long pattern.
pub(crate) const LONG_RUN: usize = LONG + 1;

/// A gram that a pattern repeats more often is known only this often: one of them finds the run. Without this limit, every ruler
/// in a log would be compared with every place of a secret that is a long ruler.
const REPETITIONS: u8 = 4;

/// A form to look for. Its bytes are computed from the arena by `code`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    pub(crate) code: Code,
    /// The place of its text in the arena.
    pub(crate) start: u32,
    pub(crate) size: u32,
    /// How many of its bytes in a row are hidden.
    pub(crate) least: u32,
    /// The number of its first gram.
    first: u32,
}

impl Pattern {
    pub(crate) fn new(code: Code, start: usize, size: usize, least: usize) -> Self {
        let [start, size, least] = [start, size, least].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        Self { code, start, size, least, first: 0 }
    }

    pub(crate) fn text<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        arena.get(start..start + self.size as usize).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.code.len(self.size as usize)
    }

    pub(crate) fn least(&self) -> usize {
        self.least as usize
    }

    /// Whether pieces of it are hidden too.
    pub(crate) fn is_in_pieces(&self) -> bool {
        self.least() < self.len()
    }

    /// How far apart the pairs of known grams are: each run of `least` bytes contains a pair.
    ///
    /// Lines of base64 end after a whole group of four characters, and so do their runs: a run of eight begins at a multiple of four.
    fn stride(&self) -> usize {
        let is_short = self.least() < LONG_RUN;
        match self.code {
            _ if is_short || !self.is_in_pieces() => self.len(),
            Code::Plain => self.least() - LONG,
            _ => 4.max(self.least() - LONG),
        }
    }
}

/// A run of a pattern in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether it is to be hidden: long enough, and not just usual text.
    pub(crate) counts: bool,
    /// Whether the pattern goes on after it.
    pub(crate) goes_on: bool,
}

/// Patterns, and where their grams are in them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    patterns: Vec<Pattern>,
    size: usize,
    step: usize,
    factor: u64,
    /// A Bloom filter of 64-bit words, with two bits of one word for each gram: a lookup reads it once.
    filter: Vec<u64>,
    /// The start of each bucket of `places`.
    buckets: Vec<u32>,
    /// The numbers of the grams, in buckets by their hash.
    places: Vec<u32>,
    /// The lower bits of each place's hash: most places of a bucket are another gram's, and finding a place's pattern is slow.
    tags: Vec<u8>,
    reach: usize,
    plain_reach: usize,
}

impl Index {
    /// Indexes patterns of which runs of eight bytes or more are looked for.
    pub(crate) fn long(patterns: Vec<Pattern>, arena: &[u8]) -> Self {
        Self::new(patterns, arena, LONG)
    }

    /// Indexes patterns of four to seven bytes.
    pub(crate) fn short(patterns: Vec<Pattern>, arena: &[u8]) -> Self {
        Self::new(patterns, arena, SHORT)
    }

    fn new(mut patterns: Vec<Pattern>, arena: &[u8], size: usize) -> Self {
        // A pattern of just one gram has no second one at an even place.
        let step = if patterns.iter().any(|pattern| pattern.len() <= size) { 1 } else { 2 };
        let mut grams = Vec::new();
        let mut form = String::new();
        let mut next = 0;
        patterns.retain_mut(|pattern| {
            pattern.code.render(pattern.text(arena), &mut form);
            let bytes = if pattern.code == Code::Plain { pattern.text(arena) } else { form.as_bytes() };
            if pattern.code.is_url_safe() && !bytes.iter().any(|byte| b"-_".contains(byte)) {
                return false;
            }
            pattern.first = next;
            next += add_grams(&mut grams, bytes, pattern, size);
            true
        });
        patterns.shrink_to_fit();
        let mut index = Self { patterns, size, step, factor: factor(size), ..Self::default() };
        index.reach = index.reach_of(|_| true);
        index.plain_reach = index.reach_of(|code| code == Code::Plain);
        index.fill(&grams);
        index
    }

    /// Builds the bitmap and the buckets.
    fn fill(&mut self, grams: &[Gram]) {
        if grams.is_empty() {
            return;
        }
        // 32 to 64 bits a gram: of 256 lookups of unknown grams, one or less finds both bits set by chance.
        self.filter = vec![0; (grams.len() / 2).next_power_of_two().clamp(1 << 6, 1 << 18)];
        self.buckets = vec![0; (grams.len() / 2).next_power_of_two().max(2) + 1];
        for gram in grams {
            let word = slot(gram.hash, self.filter.len());
            self.filter[word] |= mask(gram.hash);
            let bucket = slot(gram.hash, self.buckets.len() - 1);
            self.buckets[bucket + 1] += 1;
        }
        for at in 1..self.buckets.len() {
            self.buckets[at] += self.buckets[at - 1];
        }
        // Counting sort: sorting by comparison would take most of the time of building.
        let mut next = self.buckets.clone();
        (self.places, self.tags) = (vec![0; grams.len()], vec![0; grams.len()]);
        for gram in grams {
            let place = &mut next[slot(gram.hash, self.buckets.len() - 1)];
            self.places[*place as usize] = gram.number;
            self.tags[*place as usize] = tag(gram.hash);
            *place += 1;
        }
    }

    pub(crate) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// This many bytes at the end of a text may begin a run that no known gram shows yet.
    pub(crate) fn reach(&self) -> usize {
        self.reach
    }

    /// The same, for texts as they are.
    pub(crate) fn plain_reach(&self) -> usize {
        self.plain_reach
    }

    fn reach_of(&self, wanted: impl Fn(Code) -> bool) -> usize {
        // A run may begin almost a stride before a known pair, of which all but a byte is still to come.
        let reach = |pattern: &Pattern| if pattern.is_in_pieces() { pattern.stride() + LONG - 1 } else { LONG };
        self.patterns.iter().filter(|pattern| wanted(pattern.code)).map(reach).max().unwrap_or(0)
    }

    /// Passes every run in `text` to `found`, in no order, some more than once.
    pub(crate) fn scan(&self, arena: &[u8], text: &[u8], mut found: impl FnMut(Run)) {
        if self.patterns.is_empty() || text.len() < self.size {
            return;
        }
        let mut last = Last::default();
        let mut at = 0;
        for window in text.windows(8).step_by(self.step) {
            let gram = window.first_chunk().map_or(0, |bytes: &[u8; 8]| u64::from_le_bytes(*bytes));
            let hash = hash(gram, self.factor);
            if self.may_hold(hash) {
                self.compare(hash, arena, text, at, &mut last, &mut found);
            }
            at += self.step;
        }
        // The last places, from which fewer than eight bytes are left to load at once.
        for at in text.len().saturating_sub(7)..=text.len() - self.size {
            let hash = hash(gram(&text[at..at + self.size]), self.factor);
            if self.may_hold(hash) {
                self.compare(hash, arena, text, at, &mut last, &mut found);
            }
        }
    }

    #[inline]
    fn may_hold(&self, hash: u32) -> bool {
        let word = self.filter.get(slot(hash, self.filter.len())).copied().unwrap_or_default();
        let mask = mask(hash);
        word & mask == mask
    }

    #[inline(never)]
    fn compare(&self, hash: u32, arena: &[u8], text: &[u8], at: usize, last: &mut Last, found: &mut impl FnMut(Run)) {
        if last.hides(at, self.reach) {
            return;
        }
        let bucket = slot(hash, self.buckets.len() - 1);
        let places = self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize;
        for (&number, _) in
            self.places[places.clone()].iter().zip(&self.tags[places]).filter(|(_, known)| **known == tag(hash))
        {
            let which = match self.patterns.get(last.pattern + 1) {
                Some(next) if (self.patterns[last.pattern].first..next.first).contains(&number) => last.pattern,
                _ => self.patterns.partition_point(|pattern| pattern.first <= number) - 1,
            };
            let pattern = &self.patterns[which];
            let offset = pattern.offset(number - pattern.first);
            if last.covers(which, at, offset) {
                continue;
            }
            let source = pattern.text(arena);
            let run = match pattern.code {
                // Most runs are of texts as they are, whose bytes need not be computed.
                Code::Plain => self.run(text, at, offset, source.len(), |place| source[place]),
                code => self.run(text, at, offset, pattern.len(), |place| code.byte(source, place)),
            };
            let Some((start, end)) = run else { continue };
            last.pattern = which;
            last.end = end;
            last.start_of_pattern = at.wrapping_sub(offset);
            let first = offset - (at - start);
            let next = first + (end - start);
            let counts = end - start >= pattern.least() && is_telling(pattern, source, first, next);
            if counts {
                last.hide(start, end);
            }
            found(Run { start, end, counts, goes_on: next < pattern.len() });
        }
    }

    /// The run of a pattern, given by its length and its bytes, around its gram at `offset`, if that is what the text has at `at`.
    fn run(
        &self,
        text: &[u8],
        at: usize,
        offset: usize,
        len: usize,
        byte: impl Fn(usize) -> u8,
    ) -> Option<(usize, usize)> {
        let is_equal = |&(place, known): &(usize, &u8)| byte(place) == *known;
        let after = at + self.size;
        if !(offset..).zip(&text[at..after]).all(|pair| is_equal(&pair)) {
            return None;
        }
        let back = (0..offset).rev().zip(text[..at].iter().rev()).take_while(is_equal).count();
        let ahead = (offset + self.size..len).zip(&text[after..]).take_while(is_equal).count();
        Some((at - back, after + ahead))
    }
}

/// What was compared last. Without it, each known gram of a long secret would find and compare the whole of it again.
#[derive(Default)]
struct Last {
    pattern: usize,
    end: usize,
    start_of_pattern: usize,
    /// The last text that is hidden by runs which overlap.
    hidden: (usize, usize),
}

impl Last {
    /// Whether this is the same run again.
    fn covers(&self, pattern: usize, at: usize, offset: usize) -> bool {
        at < self.end && pattern == self.pattern && at.wrapping_sub(offset) == self.start_of_pattern
    }

    /// Whether a gram at `at` is so far inside hidden text that a run which leaves it has another known gram nearer to its edge.
    fn hides(&self, at: usize, reach: usize) -> bool {
        self.hidden.0 + reach < at && at + reach < self.hidden.1
    }

    fn hide(&mut self, start: usize, end: usize) {
        let (from, to) = self.hidden;
        self.hidden = if start <= to && end >= from { (from.min(start), to.max(end)) } else { (start, end) };
    }
}

impl Pattern {
    /// The place in this pattern of its known gram `number`.
    fn offset(&self, number: u32) -> usize {
        let (number, stride) = (number as usize, self.stride());
        if stride == 1 { number } else { number / 2 * stride + number % 2 }
    }
}

/// A piece is hidden if it holds anything but usual text; the whole always is.
fn is_telling(pattern: &Pattern, source: &[u8], from: usize, to: usize) -> bool {
    if to - from == pattern.len() {
        return true;
    }
    let piece: Vec<u8> = (from..to).map(|place| pattern.code.byte(source, place)).collect();
    piece.windows(LONG_RUN).any(|window| !common::is_usual(window))
}

/// A known gram.
struct Gram {
    hash: u32,
    number: u32,
}

/// Adds the grams of a pattern; returns how many there are, with those that are left out as repetitions.
fn add_grams(grams: &mut Vec<Gram>, bytes: &[u8], pattern: &Pattern, size: usize) -> u32 {
    let factor = factor(size);
    // A pattern's last grams by a piece of their hash, and how often they were met.
    let mut met = [(0_u32, 0_u8); 64];
    let mut number = 0;
    loop {
        let offset = pattern.offset(number);
        let Some(window) = bytes.get(offset..offset + size) else {
            // The second gram of a pair may be beyond the end, and the first one of the next pair then is too.
            return pattern.first.saturating_add(number) - pattern.first;
        };
        let hash = hash(gram(window), factor);
        let slot = &mut met[(hash & 63) as usize];
        *slot = if slot.0 == hash { (hash, slot.1.saturating_add(1)) } else { (hash, 1) };
        if slot.1 <= REPETITIONS {
            grams.push(Gram { hash, number: pattern.first + number });
        }
        number += 1;
    }
}

fn gram(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |gram, &byte| gram << 8 | u64::from(byte))
}

/// The factor for grams of `size` bytes: shifted, so that the bytes after the gram do not change the product.
fn factor(size: usize) -> u64 {
    0x9E37_79B9_7F4A_7C15 << (64 - 8 * size)
}

/// Fibonacci hashing: the upper bits of the product depend on every byte of the gram.
#[inline]
fn hash(gram: u64, factor: u64) -> u32 {
    u32::try_from(gram.wrapping_mul(factor) >> 32).unwrap_or_default()
}

/// Which of `count` slots a hash belongs to, by its upper bits.
#[inline]
fn slot(hash: u32, count: usize) -> usize {
    ((u64::from(hash) * count as u64) >> 32) as usize
}

fn tag(hash: u32) -> u8 {
    hash.to_le_bytes()[0]
}

/// The two bits of a gram in its word, by the lower bits of its hash. From a table: shifting by a variable count is slow.
#[inline]
fn mask(hash: u32) -> u64 {
    MASKS[usize::from(tag(hash))]
}

const MASKS: [u64; 256] = {
    let mut masks = [0; 256];
    let mut at = 0;
    while at < 256 {
        // Two different bits, at one of four distances.
        masks[at] = (1_u64 << (at % 64)) | (1_u64 << ((at + 1 + at / 64 * 7) % 64));
        at += 1;
    }
    masks
};

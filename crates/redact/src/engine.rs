//! Finds every form of some components in a text.

use crate::component::Component;
use crate::encoding::{Code, Form, Granularity, forms};
use crate::index::{Index, LONG_RUN, Pattern, Run};
use crate::numbers;

/// Forms of fewer bytes are looked for one by one: there is next to nothing of them.
const SHORT: usize = 4;

/// So many bytes of secrets are matched finely.
const FINE: usize = 32 * 1024;

/// Text between `start` and `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// What is secret; in no order, overlapping.
    pub(crate) secret: Vec<Span>,
    /// From here on, more text could begin a run, make one count, or make it longer.
    pub(crate) open: Option<usize>,
    /// The same, for lists of numbers that show no more than a beginning.
    pub(crate) open_numbers: Option<usize>,
}

/// The forms of the components, indexed.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    /// The texts that the patterns are made of, one after the other.
    arena: Vec<u8>,
    long: Index,
    short: Index,
    /// Components of which only the whole is hidden: written as numbers, they are wrapped, and a run must do.
    numbers: Index,
    /// Forms of one to three bytes.
    tiny: Vec<Vec<u8>>,
}

impl Engine {
    pub(crate) fn new(components: &[Component]) -> Self {
        let size: usize = components.iter().map(|component| component.text.len()).sum();
        let granularity = if size > FINE { Granularity::Coarse } else { Granularity::Fine };
        let mut engine = Self::default();
        let (mut long, mut short, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for component in components {
            let start = engine.arena.len();
            engine.arena.extend_from_slice(component.text.as_bytes());
            for form in forms(component, granularity) {
                let (start, size) = engine.place(&form, start, component);
                let pattern = Pattern::new(form.code, start, size, form.least);
                match pattern.len() {
                    0 => {}
                    1..SHORT => engine.tiny.push(pattern.text(&engine.arena).to_vec()),
                    SHORT..LONG_RUN => short.push(pattern),
                    _ => long.push(pattern),
                }
                if form.least_as_numbers < form.least {
                    numbers.push(Pattern::new(Code::Plain, start, size, form.least_as_numbers));
                }
            }
        }
        engine.arena.shrink_to_fit();
        engine.long = Index::long(long, &engine.arena);
        engine.short = Index::short(short, &engine.arena);
        engine.numbers = Index::long(numbers, &engine.arena);
        engine
    }

    /// The place of the form's text in the arena.
    fn place(&mut self, form: &Form, start: usize, component: &Component) -> (usize, usize) {
        let Some(text) = &form.text else { return (start, component.text.len()) };
        // Several forms in a row are made of the same text.
        if !self.arena.ends_with(text) {
            self.arena.extend_from_slice(text);
        }
        (self.arena.len() - text.len(), text.len())
    }

    fn indexes(&self) -> [&Index; 3] {
        [&self.long, &self.short, &self.numbers]
    }

    /// This many bytes at the end of a text may begin a run that no gram shows yet.
    pub(crate) fn reach(&self) -> usize {
        let tiny = self.tiny.iter().map(Vec::len).max().map_or(0, |longest| longest - 1);
        self.indexes().map(Index::reach).into_iter().fold(tiny, usize::max)
    }

    /// The same, for texts as they are; see [`Engine::may_begin_in`].
    pub(crate) fn plain_reach(&self) -> usize {
        self.long.plain_reach().max(self.short.plain_reach())
    }

    /// How many forms are looked for.
    pub(crate) fn len(&self) -> usize {
        self.long.patterns().len() + self.short.patterns().len() + self.tiny.len()
    }

    /// Looks for the forms in `text`, which has ended if it `is_whole`.
    pub(crate) fn scan(&self, text: &[u8], is_whole: bool) -> Scan {
        let mut scan = Scan::default();
        if self.len() == 0 {
            return scan;
        }
        let mut found = |run: Run| {
            if run.counts {
                scan.secret.push(Span { start: run.start, end: run.end });
            }
            if run.end == text.len() && run.goes_on {
                open(&mut scan.open, run.start);
            }
        };
        self.long.scan(&self.arena, text, &mut found);
        self.short.scan(&self.arena, text, &mut found);
        for tiny in &self.tiny {
            let hits = text.windows(tiny.len()).enumerate().filter(|(_, window)| window == tiny);
            scan.secret.extend(hits.map(|(start, _)| Span { start, end: start + tiny.len() }));
        }
        if !self.long.patterns().is_empty() {
            self.scan_numbers(text, is_whole, &mut scan);
        }
        scan
    }

    fn scan_numbers(&self, text: &[u8], is_whole: bool, scan: &mut Scan) {
        let reach = self.long.reach().max(self.numbers.reach()) + 1;
        numbers::lists(text, is_whole, |list| {
            let mut found = |run: Run| {
                let place = list.span(run.start, run.end);
                if list.is_open && run.end == list.bytes.len() && run.goes_on {
                    open(&mut scan.open, place.start);
                }
                if run.counts {
                    scan.secret.push(Span { start: place.start, end: place.end });
                }
            };
            self.long.scan(&self.arena, &list.bytes, &mut found);
            self.numbers.scan(&self.arena, &list.bytes, &mut found);
            if let (true, Some(start)) = (list.is_open, list.last(reach)) {
                open(&mut scan.open_numbers, start);
                if self.may_begin_in(&list.bytes) {
                    open(&mut scan.open, start);
                }
            }
        });
        if let (false, Some(start)) = (is_whole, numbers::unfinished(text)) {
            open(&mut scan.open_numbers, start);
        }
    }

    /// Whether the end of `text` (four bytes or more) could be a part of a run: only then is it held back for long.
    ///
    /// Only texts as they are count. Seven characters of base64 give five bytes away at most, and so does a list of numbers.
    pub(crate) fn may_begin_in(&self, text: &[u8]) -> bool {
        let Some(last) = text.last_chunk::<SHORT>() else { return false };
        let patterns = self.indexes().into_iter().flat_map(Index::patterns);
        patterns.filter(|pattern| pattern.code == Code::Plain).any(|pattern| {
            let form = pattern.text(&self.arena);
            if pattern.is_in_pieces() {
                form.windows(SHORT).any(|window| window == last)
            } else {
                (SHORT..form.len().min(LONG_RUN)).any(|length| text.ends_with(&form[..length]))
            }
        })
    }
}

fn open(known: &mut Option<usize>, start: usize) {
    *known = Some(known.map_or(start, |known| known.min(start)));
}

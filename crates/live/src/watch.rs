//! The one loop: looks, adds up, pauses, until every item is decided. It owns time, and nothing else does.

use std::pin::Pin;
use std::time::{Duration, Instant};

use crate::judge::{Tally, Verdict, Want};
use crate::look::{End, Look, Patience};

/// The longest that one look may take: a service that accepts and is silent must not use up the deadline.
const LONGEST_LOOK: Duration = Duration::from_mins(1);
/// How many changes are kept from the beginning of a wait, and in all.
const FIRST_CHANGES: usize = 20;
const CHANGES: usize = 60;

/// A look under way, one result per item.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Vec<Look>> + 'a>>;

/// Something that can be looked at: one item, or several that are read together.
pub trait Target {
    /// The items, in the order of the looks.
    fn names(&self) -> Vec<String>;

    /// Looks at all items once.
    fn look(&mut self) -> Looking<'_>;

    /// The shortest pause between two looks, for a service that counts requests.
    fn least_pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// Sees what happens while it happens.
pub trait Observer {
    /// An item was looked at.
    fn looked(&self, item: &str, look: &Look, tally: &Tally);
    /// An item is decided.
    fn ended(&self, item: &Item);
}

/// Looks in a row that found the same.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The first of them.
    pub look: Look,
    /// When the last of them was made.
    pub until: Duration,
    /// How many there were.
    pub count: u32,
}

/// One item and what is known of it.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// All looks, added up.
    pub tally: Tally,
    /// The looks, those that found the same together; of very many only the first and the last.
    pub looks: Vec<Noted>,
    /// How the wait for it ended; `None` while it goes on.
    pub over: Option<Over>,
}

/// How the wait for an item ended.
#[derive(Clone, Debug)]
pub struct Over {
    /// How.
    pub end: End,
    /// A stable word for programs.
    pub code: &'static str,
    /// Why: foreign text.
    pub why: String,
    /// When.
    pub at: Duration,
}

impl Item {
    fn new(name: String) -> Self {
        Self { name, tally: Tally::default(), looks: Vec::new(), over: None }
    }

    fn note(&mut self, look: &Look) {
        self.tally.add(look);
        match self.looks.last_mut() {
            Some(last) if last.look.state == look.state && last.look.what == look.what => {
                last.until = look.at;
                last.count = last.count.saturating_add(1);
            }
            _ => self.looks.push(Noted { look: look.clone(), until: look.at, count: 1 }),
        }
        if self.looks.len() > CHANGES {
            self.looks.remove(FIRST_CHANGES);
        }
    }

    fn decide(&mut self, want: &Want, now: Duration) {
        if let Verdict::Over { end, code, why } = self.tally.verdict(want, now) {
            self.over = Some(Over { end, code, why, at: now });
        }
    }
}

/// A wait for one target.
pub struct Watch {
    target: Box<dyn Target>,
    want: Want,
    items: Vec<Item>,
}

impl Watch {
    /// A wait that has not begun; `names` are what the target's items are called in reports.
    #[must_use]
    pub fn new(target: Box<dyn Target>, want: Want, names: Vec<String>) -> Self {
        let items = names.into_iter().map(Item::new).collect();
        Self { target, want, items }
    }

    /// The items and what is known of them.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// What is asked of the looks.
    #[must_use]
    pub fn want(&self) -> &Want {
        &self.want
    }

    /// Looks until every item is decided. May be dropped at any time; what is known by then is in [`Self::items`].
    pub async fn run(&mut self, begun: Instant, observer: &dyn Observer) {
        loop {
            let took = self.round(begun, observer).await;
            let now = begun.elapsed();
            let Some(pause) = self.open().map(|item| item.tally.pause(&self.want)).min() else { return };
            // The last look is made as late as it can still be answered.
            let reserve = (took * 2).clamp(Duration::from_millis(200), Duration::from_secs(5));
            let last = self.want.deadline.saturating_sub(reserve);
            if now >= last {
                let (want, at) = (self.want, self.want.deadline.max(now));
                self.each_open(observer, |item| item.decide(&want, at));
                return;
            }
            tokio::time::sleep(pause.max(self.target.least_pause()).min(last.saturating_sub(now))).await;
        }
    }

    /// One look at every item; how long it took.
    async fn round(&mut self, begun: Instant, observer: &dyn Observer) -> Duration {
        let started = begun.elapsed();
        let limit = self.want.deadline.saturating_sub(started).min(LONGEST_LOOK);
        let looks = tokio::time::timeout(limit, self.target.look()).await;
        let looks = looks.unwrap_or_else(|_elapsed| {
            let text = format!("no answer within {} s", limit.as_secs().max(1));
            vec![Look::unreachable(Patience::Deadline, "no_answer", text); self.items.len()]
        });
        let now = begun.elapsed();
        let want = self.want;
        let mut looks = looks.into_iter();
        for item in &mut self.items {
            let Some(look) = looks.next() else { break };
            if item.over.is_some() {
                continue;
            }
            let look = Look { at: now, ..look };
            item.note(&look);
            item.decide(&want, now);
            observer.looked(&item.name, &look, &item.tally);
            if item.over.is_some() {
                observer.ended(item);
            }
        }
        now.saturating_sub(started)
    }

    fn open(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.over.is_none())
    }

    fn each_open(&mut self, observer: &dyn Observer, act: impl Fn(&mut Item)) {
        for item in self.items.iter_mut().filter(|item| item.over.is_none()) {
            act(item);
            if item.over.is_some() {
                observer.ended(item);
            }
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Watch").field("want", &self.want).field("items", &self.items).finish_non_exhaustive()
    }
}

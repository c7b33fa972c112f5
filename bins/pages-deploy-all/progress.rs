//! What people see while it goes on: a bar a site on a terminal, a line an event elsewhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use cli::Console;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use runner::foreign;

/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(120);

/// Tells of sites while they are under way.
pub(crate) enum Progress<'a> {
    Lines(&'a Console),
    Bars { all: MultiProgress, sites: RefCell<HashMap<String, ProgressBar>> },
}

impl<'a> Progress<'a> {
    /// Bars where a person watches and nothing else reads stderr.
    pub(crate) fn new(console: &'a Console) -> Self {
        if console.stderr_is_terminal() && !console.context().in_actions {
            Self::Bars { all: MultiProgress::new(), sites: RefCell::default() }
        } else {
            Self::Lines(console)
        }
    }

    /// A site begins.
    pub(crate) fn begin(&self, site: &str) {
        let Self::Bars { all, sites } = self else { return };
        let bar = all.add(ProgressBar::new_spinner());
        // A template that cannot be read would be ours, and the default one shows the same.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(site.to_owned());
        bar.enable_steady_tick(TICK);
        sites.borrow_mut().insert(site.to_owned(), bar);
    }

    /// An event of a site.
    pub(crate) fn say(&self, site: &str, text: &str) {
        match self {
            Self::Lines(console) => console.status(&format!("{site}: {text}")),
            Self::Bars { .. } => self.show(site, text),
        }
    }

    /// How far a site has come: for bars only, it would be too many lines.
    pub(crate) fn show(&self, site: &str, text: &str) {
        if let Self::Bars { sites, .. } = self
            && let Some(bar) = sites.borrow().get(site)
        {
            bar.set_message(foreign::line("", text.as_bytes()));
        }
    }

    /// Writes something else between the bars.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match self {
            Self::Lines(_) => write(),
            Self::Bars { all, .. } => all.suspend(write),
        }
    }

    /// Takes the bars away: the result follows.
    pub(crate) fn end(&self) {
        if let Self::Bars { all, sites } = self {
            sites.borrow().values().for_each(ProgressBar::finish_and_clear);
            // A terminal that is gone needs no clearing.
            let _ = all.clear();
        }
    }
}

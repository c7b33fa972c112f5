//! What people see while a run goes on: a bar per item on a terminal, a line per event elsewhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use cli::Console;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use runner::foreign;

/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(120);

/// Shows items while they are under way.
#[derive(Debug)]
pub struct Progress<'a>(View<'a>);

#[derive(Debug)]
enum View<'a> {
    Lines(&'a Console),
    Bars { all: MultiProgress, items: RefCell<HashMap<String, ProgressBar>> },
}

impl<'a> Progress<'a> {
    /// Bars if stderr is a terminal outside Actions, else lines.
    #[must_use]
    pub fn new(console: &'a Console) -> Self {
        if console.stderr_is_terminal() && !console.context().in_actions {
            Self(View::Bars { all: MultiProgress::new(), items: RefCell::default() })
        } else {
            Self(View::Lines(console))
        }
    }

    /// Adds the bar of an item that begins.
    pub fn begin(&self, item: &str) {
        let View::Bars { all, items } = &self.0 else { return };
        let bar = all.add(ProgressBar::new_spinner());
        // If the template were wrong, the default one would show the same.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(item.to_owned());
        bar.enable_steady_tick(TICK);
        items.borrow_mut().insert(item.to_owned(), bar);
    }

    /// Adds the bar of an item that begins, with the time since.
    pub fn begin_timed(&self, item: &str) {
        self.begin(item);
        if let View::Bars { items, .. } = &self.0
            && let Some(bar) = items.borrow().get(item)
            && let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg}")
        {
            bar.set_style(style);
        }
    }

    /// Removes the bar of an item that has ended.
    pub fn remove(&self, item: &str) {
        if let View::Bars { items, .. } = &self.0
            && let Some(bar) = items.borrow_mut().remove(item)
        {
            bar.finish_and_clear();
        }
    }

    /// Whether items have bars rather than lines.
    #[must_use]
    pub fn has_bars(&self) -> bool {
        matches!(self.0, View::Bars { .. })
    }

    /// Reports an event of an item: as a line, or on its bar.
    pub fn event(&self, item: &str, text: &str) {
        match &self.0 {
            View::Lines(console) => console.status(&format!("{item}: {text}")),
            View::Bars { .. } => self.show(item, text),
        }
    }

    /// Shows how far an item has come, on its bar only: there would be too many lines.
    pub fn show(&self, item: &str, text: &str) {
        if let View::Bars { items, .. } = &self.0
            && let Some(bar) = items.borrow().get(item)
        {
            bar.set_message(foreign::line("", text.as_bytes()));
        }
    }

    /// Hides the bars while `write` writes something else to the terminal.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            View::Lines(_) => write(),
            View::Bars { all, .. } => all.suspend(write),
        }
    }

    /// Removes the bars: the result follows.
    pub fn end(&self) {
        if let View::Bars { all, items } = &self.0 {
            items.borrow().values().for_each(ProgressBar::finish_and_clear);
            // A terminal that is gone needs no clearing.
            let _ = all.clear();
        }
    }
}

//! What a person sees on a terminal while it goes on, and what is left of that when it is over. `terminal.py` plays the terminal.

use emulators::Cloudflare;
use serde_json::{Value, json};

use super::{step, with_sites};
use crate::support::{Step, Watched};

/// Runs `pages-deploy-all` with `arguments`, words of a shell, as [`play`] does.
fn watch(cloudflare: &Cloudflare, script: &str, columns: u16, steps: &Value, arguments: &str) -> Option<Watched> {
    play(cloudflare, script, columns, steps, &format!("exec pages-deploy-all {arguments}"))
}

/// Runs the shell's `command` on a terminal of [`ROWS`] rows and `columns`; `shop` is built by `script`.
fn play(cloudflare: &Cloudflare, script: &str, columns: u16, steps: &Value, command: &str) -> Option<Watched> {
    let with = |step: Step| with_sites(step, cloudflare).file("sites/shop/package.json", script);
    Step::watch(with, (ROWS, usize::from(columns)), steps, command)
}

/// The terminal's height.
const ROWS: usize = 30;

/// What a bar begins with: a pattern of Braille dots.
const SPINNER: std::ops::RangeInclusive<char> = '\u{2800}'..='\u{28ff}';

/// A terminal's screen, as far as a program like ours uses it (ECMA-48). Anything else it is sent stops the test.
struct Screen {
    lines: Vec<String>,
    row: usize,
    column: usize,
    columns: usize,
    /// Lines that were longer than the screen is wide. One bar may fill its line so that the next begins by itself.
    wrapped: usize,
}

impl Screen {
    fn after(text: &str, columns: usize) -> Self {
        let mut screen = Self { lines: vec![String::new()], row: 0, column: 0, columns, wrapped: 0 };
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            rest = &rest[character.len_utf8()..];
            match character {
                '\r' => screen.column = 0,
                '\n' => screen.down(),
                '\u{1b}' => {
                    let end = rest[1..].find(|letter: char| letter.is_ascii_alphabetic()).unwrap() + 1;
                    screen.obey(&rest[1..end], &rest[end..=end]);
                    rest = &rest[end + 1..];
                }
                _ => screen.put(character),
            }
        }
        screen
    }

    fn down(&mut self) {
        self.row += 1;
        while self.lines.len() <= self.row {
            self.lines.push(String::new());
        }
    }

    fn obey(&mut self, number: &str, command: &str) {
        match (number, command) {
            ("2", "K") => self.lines[self.row].clear(),
            ("", "K") => self.lines[self.row] = self.lines[self.row].chars().take(self.column).collect(),
            // What has scrolled away is out of reach.
            (rows, "A") => {
                let top = self.lines.len().saturating_sub(ROWS);
                self.row = self.row.saturating_sub(rows.parse().unwrap_or(1)).max(top);
            }
            (rows, "B") => (0..rows.parse().unwrap_or(1)).for_each(|_| self.down()),
            // Colours.
            (_, "m") => {}
            other => panic!("the terminal was sent {other:?}"),
        }
    }

    fn put(&mut self, character: char) {
        if self.column == self.columns {
            self.wrapped += usize::from(!SPINNER.contains(&character));
            self.column = 0;
            self.down();
        }
        let line = &mut self.lines[self.row];
        let mut all: Vec<char> = line.chars().collect();
        all.resize(all.len().max(self.column + 1), ' ');
        all[self.column] = character;
        *line = all.into_iter().collect();
        self.column += 1;
    }

    /// The lines that hold something.
    fn shown(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.trim_end()).filter(|line| !line.is_empty()).collect()
    }
}

/// Long enough for the bars to move.
const SLOW: &str = r#"{"scripts": {"build": "sleep 1; mkdir -p dist; echo x > dist/index.html"}}"#;
const ENDLESS: &str = r#"{"scripts": {"build": "sleep 300"}}"#;

#[test]
fn a_terminal_has_a_bar_for_each_site_and_only_the_result_in_the_end() {
    let cloudflare = Cloudflare::start();
    let Some(seen) = watch(&cloudflare, SLOW, 200, &json!([]), "sites") else { return };
    assert_eq!((seen.code, seen.restored), (0, true), "{}", seen.raw);
    for bar in [" docs ", " shop building", "1 file, 1 new (2 B)"] {
        assert!(seen.raw.contains(bar), "{bar} in {:?}", seen.raw);
    }
    let screen = Screen::after(&seen.raw, 200);
    let shown = screen.shown();
    assert_eq!(shown.len(), 2, "{shown:#?}");
    assert!(
        shown[0].starts_with("passed     docs  production  http://")
            && shown[1].starts_with("passed     shop  production  http://"),
        "{shown:#?}"
    );
}

#[test]
fn bars_are_no_wider_than_the_terminal_and_leave_nothing_behind() {
    let cloudflare = Cloudflare::start();
    let Some(seen) = watch(&cloudflare, SLOW, 24, &json!([]), "sites >result") else { return };
    assert_eq!(seen.code, 0, "{}", seen.raw);
    assert!(seen.raw.contains("docs") && seen.raw.contains("shop building"), "{:?}", seen.raw);
    let screen = Screen::after(&seen.raw, 24);
    assert_eq!((screen.wrapped, screen.shown()), (0, Vec::new()), "{:?}", seen.raw);
    // A name alone that has no room.
    let Some(seen) = watch(&cloudflare, SLOW, 5, &json!([]), "sites >result") else { return };
    assert_eq!(Screen::after(&seen.raw, 5).shown(), Vec::<&str>::new(), "{:?}", seen.raw);
}

#[test]
fn more_sites_than_the_terminal_has_rows_leave_nothing_behind() {
    let cloudflare = Cloudflare::start();
    let many = "for n in $(seq 40); do mkdir -p sites/s$n/dist; echo $n > sites/s$n/dist/index.html; done; \
                exec pages-deploy-all sites --create >result";
    let Some(seen) = play(&cloudflare, SLOW, 60, &json!([]), many) else { return };
    assert_eq!(seen.code, 0, "{}", seen.raw);
    assert_eq!(Screen::after(&seen.raw, 60).shown(), Vec::<&str>::new(), "{:?}", seen.raw);
}

#[test]
fn an_interrupted_run_leaves_the_terminal_as_it_was() {
    let cloudflare = Cloudflare::start();
    let steps = json!([["shop building", {"type": "\u{3}"}]]);
    let Some(seen) = watch(&cloudflare, ENDLESS, 120, &steps, "sites") else { return };
    assert_eq!((seen.code, seen.restored), (130, true), "{}", seen.raw);
    let count = |sequence: &str| seen.raw.matches(sequence).count();
    assert_eq!(count("\u{1b}[?25l"), count("\u{1b}[?25h"), "a hidden cursor");
    let screen = Screen::after(&seen.raw.replace("^C", ""), 120);
    let shown = screen.shown();
    assert_eq!(shown.len(), 2, "{:?}", seen.raw);
    assert_eq!(shown[0], "cancelled  docs  not deployed: the run was interrupted");
    // The key may have come before the build's first process, or after it.
    assert!(shown[1].starts_with("cancelled  shop  not deployed: the run was interrupted"), "{:?}", seen.raw);
}

#[test]
fn a_pipe_gets_lines_and_no_bars() {
    let cloudflare = Cloudflare::start();
    let seen = step(&cloudflare).plain().env("TERM", "xterm-256color").run().exits(0);
    assert!(!seen.stderr.contains(['\u{1b}', '\r']) && !seen.stdout.contains('\u{1b}'), "{:?}", seen.stderr);
    assert!(seen.stderr.contains("docs: 1 file, 1 new (13 B)\n"), "{}", seen.stderr);
    assert!(seen.stderr.contains("shop: live at http://"), "{}", seen.stderr);
}

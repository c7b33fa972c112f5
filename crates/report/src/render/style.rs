//! Which characters and colours the text may use.

use runner::Environment;

use crate::{Status, Verdict};

/// The characters that the reader's screen can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// ✓ ✗ ═ →
    Unicode,
    /// ok FAIL = ->
    Ascii,
}

/// Whether the text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// SGR sequences around symbols and the verdict.
    On,
    /// None.
    Off,
}

/// What the text is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// A person's terminal.
    Terminal,
    /// A pipe, a file, a workflow's log.
    Other,
}

/// How the text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Its characters.
    pub charset: Charset,
    /// Its colours.
    pub colour: Colour,
}

impl Style {
    /// No colour, all characters.
    pub const PLAIN: Self = Self { charset: Charset::Unicode, colour: Colour::Off };

    /// The style that the environment asks for: `LC_ALL`, `LC_CTYPE`, `LANG` (the first that is set; none at all means UTF-8),
    /// `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR=0`, `TERM=dumb`.
    #[must_use]
    pub fn of(environment: &Environment, screen: Screen) -> Self {
        let dumb = screen == Screen::Terminal && environment.get("TERM") == Some("dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| environment.get(name));
        let utf8 = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let forced = environment.get("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let wanted = screen == Screen::Terminal && !dumb && environment.get("CLICOLOR") != Some("0");
        let coloured = environment.get("NO_COLOR").is_none() && (forced || wanted);
        Self {
            charset: if utf8 && !dumb { Charset::Unicode } else { Charset::Ascii },
            colour: if coloured { Colour::On } else { Colour::Off },
        }
    }

    /// The mark of a status.
    pub(crate) fn symbol(self, status: Status) -> &'static str {
        let (unicode, ascii) = match status {
            Status::Passed => ("✓", "ok"),
            Status::Failed => ("✗", "FAIL"),
            Status::Skipped => ("○", "skip"),
            Status::Cancelled => ("⊘", "stop"),
            Status::Missing => ("?", "????"),
        };
        self.choose(unicode, ascii)
    }

    pub(crate) fn widest_symbol(self) -> usize {
        self.choose("✓", "FAIL").chars().count()
    }

    pub(crate) fn arrow(self) -> &'static str {
        self.choose("→", "->")
    }

    pub(crate) fn rule(self) -> String {
        self.choose("═", "=").repeat(62)
    }

    fn choose(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.charset {
            Charset::Unicode => unicode,
            Charset::Ascii => ascii,
        }
    }

    /// Foreign text in this charset.
    pub(crate) fn fit(self, text: &str) -> String {
        match self.charset {
            Charset::Unicode => text.to_owned(),
            Charset::Ascii => {
                text.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect()
            }
        }
    }

    pub(crate) fn of_status(self, status: Status, text: &str) -> String {
        self.paint(
            match status {
                Status::Passed => "32",
                Status::Failed => "31",
                Status::Skipped => "2",
                Status::Cancelled | Status::Missing => "33",
            },
            text,
        )
    }

    pub(crate) fn of_verdict(self, verdict: Verdict, text: &str) -> String {
        self.paint(
            match verdict {
                Verdict::Passed => "1;32",
                Verdict::Failed => "1;31",
                Verdict::Incomplete => "1;33",
            },
            text,
        )
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self.colour {
            Colour::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Colour::Off => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use runner::Environment;

    use super::{Charset, Colour, Screen, Style};

    fn style<const N: usize>(screen: Screen, variables: [(&str, &str); N]) -> (Charset, Colour) {
        let style = Style::of(&Environment::from(variables), screen);
        (style.charset, style.colour)
    }

    #[test]
    fn a_locale_that_is_not_utf8_gets_ascii_and_none_at_all_does_not() {
        assert_eq!(style(Screen::Other, [("LC_ALL", "C")]).0, Charset::Ascii);
        assert_eq!(style(Screen::Other, [("LANG", "de_DE.ISO-8859-1")]).0, Charset::Ascii);
        assert_eq!(style(Screen::Other, [("LANG", "C.UTF-8")]).0, Charset::Unicode);
        assert_eq!(
            style(Screen::Other, [("LC_ALL", ""), ("LC_CTYPE", "en_US.utf8"), ("LANG", "C")]).0,
            Charset::Unicode
        );
        assert_eq!(style(Screen::Other, []).0, Charset::Unicode);
    }

    #[test]
    fn colour_is_for_terminals_unless_forced_and_never_against_no_color() {
        assert_eq!(style(Screen::Terminal, []).1, Colour::On);
        assert_eq!(style(Screen::Other, []).1, Colour::Off);
        assert_eq!(style(Screen::Other, [("CLICOLOR_FORCE", "1")]).1, Colour::On);
        assert_eq!(style(Screen::Other, [("CLICOLOR_FORCE", "0")]).1, Colour::Off);
        assert_eq!(style(Screen::Terminal, [("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]).1, Colour::Off);
        assert_eq!(style(Screen::Terminal, [("TERM", "dumb")]), (Charset::Ascii, Colour::Off));
    }
}

//! The signal of `--watch-signal`.

use std::fmt;

/// A signal that programs use to reload, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WatchSignal(&'static str);

const NAMES: [&str; 7] = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH"];

impl WatchSignal {
    /// Reads `HUP`, `SIGHUP` or `hup`. For clap's `value_parser`.
    ///
    /// # Errors
    /// Any other signal.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let known = NAMES.into_iter().find(|known| *known == name).filter(|_| cfg!(unix));
        known.map(Self).ok_or_else(|| format!("not a signal for this: give one of {}", NAMES.join(", ")))
    }

    /// Its number on this system.
    #[cfg(unix)]
    pub(crate) fn number(self) -> rustix::process::Signal {
        use rustix::process::Signal;
        match self.0 {
            "INT" => Signal::INT,
            "QUIT" => Signal::QUIT,
            "TERM" => Signal::TERM,
            "USR1" => Signal::USR1,
            "USR2" => Signal::USR2,
            "WINCH" => Signal::WINCH,
            _ => Signal::HUP,
        }
    }
}

impl fmt::Display for WatchSignal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SIG{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::WatchSignal;

    #[test]
    fn a_signal_is_named_with_or_without_its_prefix() {
        for text in ["HUP", "SIGHUP", "hup"] {
            assert_eq!(WatchSignal::parse(text).unwrap().to_string(), "SIGHUP");
        }
        for text in ["KILL", "9", ""] {
            assert!(WatchSignal::parse(text).is_err());
        }
    }
}

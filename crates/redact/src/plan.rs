//! What is hidden, and what is spared because hiding it would ruin a log without protecting anything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Redactor;

/// Why a value is not hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Under four characters: it would hide parts of other words.
    Short,
    /// `true`, `production`, `localhost`: a word that logs are full of.
    Common,
}

/// A secret that is not hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spared {
    /// The secret's name.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// The secrets, and every form in which they may appear.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    forms: Vec<String>,
    spared: Vec<Spared>,
}

impl Plan {
    /// A plan that hides nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hides the secret `name`, whose value is `value`.
    pub fn add(&mut self, name: &str, value: &str) {
        if value.trim().len() < 4 {
            self.spared.push(Spared { name: name.to_owned(), reason: Reason::Short });
            return;
        }
        for line in value.lines().map(str::trim).filter(|line| line.len() >= 4) {
            self.forms.push(line.to_owned());
            self.forms.push(STANDARD.encode(line));
        }
        self.forms.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        self.forms.dedup();
    }

    /// The secrets that are not hidden, and why.
    #[must_use]
    pub fn spared(&self) -> &[Spared] {
        &self.spared
    }

    /// The values to tell the runner to mask, each a single line.
    #[must_use]
    pub fn masks(&self) -> Vec<String> {
        self.forms.clone()
    }

    /// A filter for a stream of bytes.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.forms.clone())
    }
}

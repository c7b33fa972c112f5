//! A secret and who may see it, independent of where it is stored: in Doppler, in a dotenv file, in an encrypted copy.
//!
//! Values are [`SecretString`], so `Debug` never shows one.

use secrecy::SecretString;

/// A named secret.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its name in the store it comes from.
    pub name: String,
    /// Its value; `None` if the store does not give it to us.
    pub value: Option<SecretString>,
    /// Who may see the value.
    pub visibility: Visibility,
}

impl Secret {
    /// A secret with a known value that must be hidden everywhere.
    #[must_use]
    pub fn masked(name: impl Into<String>, value: impl Into<SecretString>) -> Self {
        Self { name: name.into(), value: Some(value.into()), visibility: Visibility::Masked }
    }
}

/// Who may see a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// A secret. The default: if the store has no other information, a value is a secret.
    #[default]
    Masked,
    /// Not a secret, for example a region or a flag.
    Unmasked,
    /// A secret that the store gives to machines only: a personal token gets no value.
    Restricted,
}

impl Visibility {
    /// Its name in listings: `masked`, `unmasked` or `restricted`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Unmasked => "unmasked",
            Self::Restricted => "restricted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_does_not_show_the_value() {
        let shown = format!("{:?}", Secret::masked("API_KEY", "hunter2"));
        assert!(shown.contains("API_KEY") && !shown.contains("hunter2"), "{shown}");
    }
}

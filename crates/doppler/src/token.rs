//! The token that signs requests, and what it reveals about itself.

use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};

/// A token and where it came from, which errors name. Its prefix (`dp.st.` and so on) is its kind.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub value: SecretString,
    /// Where it came from: `DOPPLER_TOKEN`, a file, a command-line option.
    pub origin: String,
}

impl Token {
    /// A token and where it came from.
    #[must_use]
    pub fn new(value: SecretString, origin: impl Into<String>) -> Self {
        Self { value, origin: origin.into() }
    }

    /// Whether this kind of token needs a project and a config: all but service tokens (`dp.st.`), which know theirs.
    #[must_use]
    pub fn needs_config(&self) -> bool {
        let text = self.value.expose_secret();
        ["dp.sa.", "dp.said.", "dp.pt.", "dp.ct."].iter().any(|prefix| text.starts_with(prefix))
    }

    /// The config a service token names in itself (`dp.st.<config>.`): a hint for errors, not a proof.
    #[must_use]
    pub(crate) fn config_hint(&self) -> Option<&str> {
        let rest = self.value.expose_secret().strip_prefix("dp.st.")?;
        rest.split_once('.').map(|(config, _)| config).filter(|config| {
            (2..=60).contains(&config.len())
                && config
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
        })
    }

    /// Checks that a header can carry the token; one that it cannot is never sent.
    pub(crate) fn check(&self) -> Result<()> {
        let sound = self.value.expose_secret().bytes().all(|byte| byte.is_ascii_graphic());
        if sound && !self.value.expose_secret().is_empty() {
            return Ok(());
        }
        Err(Fault::permission(format!(
            "the token from {} is malformed: it is empty, or holds blanks or other characters that no token has",
            self.origin
        ))
        .help(format!("set {} to the token alone, without quotes, blanks or a line end", self.origin)))
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    fn token(text: &str) -> Token {
        Token::new(text.into(), "DOPPLER_TOKEN")
    }

    #[test]
    fn a_service_token_may_name_its_config() {
        assert_eq!(token("dp.st.dev.abc").config_hint(), Some("dev"));
        assert_eq!(token("dp.st.abc").config_hint(), None);
        assert_eq!(token("dp.sa.abc").config_hint(), None);
    }

    #[test]
    fn only_service_tokens_need_no_config() {
        assert!(!token("dp.st.dev.abc").needs_config());
        assert!(token("dp.said.abc").needs_config());
    }

    #[test]
    fn a_token_with_a_line_end_is_refused_before_it_is_sent() {
        let fault = token("dp.st.abc\n").check().unwrap_err();
        assert_eq!(fault.kind, fault::Kind::Permission);
        assert!(!format!("{fault:?}").contains("abc"));
    }
}

//! Which project, config and token, and who said so: option, variable, what `doppler setup` stored, the repository's `doppler.yaml`.

use std::fmt::Write as _;

use api::Base;
use doppler::{Place, Token};
use fault::{Fault, Result};
use runner::Environment;
use secrecy::SecretString;

use crate::args::Source;
use crate::local::Local;

/// A setting and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said<T> {
    /// What.
    pub(crate) value: T,
    /// By whom: `--project`, `DOPPLER_PROJECT`, a file.
    pub(crate) by: String,
}

/// How to sign in.
#[derive(Clone, Debug)]
pub(crate) enum Login {
    /// With a token of the user's.
    Token(Token),
    /// With the job's OIDC token, as this identity.
    Identity(Said<String>),
    /// Not at all: nothing was given.
    Nothing,
}

/// Everything that decides which secrets are read.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) login: Login,
    pub(crate) host: Said<Base>,
    pub(crate) project: Option<Said<String>>,
    pub(crate) configs: Vec<Said<String>>,
}

/// The settings; `token` is what --token-file holds.
pub(crate) fn resolve(
    source: &Source,
    token: Option<String>,
    environment: &Environment,
    local: &Local,
) -> Result<Settings> {
    let variable =
        |name: &str| environment.get(name).map(|value| Said { value: value.to_owned(), by: name.to_owned() });
    let option = |value: &Option<String>, by: &str| {
        let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty());
        value.map(|value| Said { value: value.to_owned(), by: by.to_owned() })
    };
    let login = match (token, option(&source.identity, "--identity")) {
        (Some(token), _) => Login::Token(Token::new(token.trim().into(), "--token-file")),
        (None, Some(identity)) => Login::Identity(identity),
        (None, None) => match (variable("DOPPLER_TOKEN"), variable("DOPPLER_IDENTITY_ID"), &local.token) {
            (Some(token), ..) => Login::Token(Token::new(token.value.into(), token.by)),
            (None, Some(identity), _) => Login::Identity(identity),
            (None, None, Some(token)) => Login::Token(stored(token)?),
            (None, None, None) => Login::Nothing,
        },
    };
    // A service token knows its config: what the repository says of the developers' must not send it elsewhere.
    let knows_place = matches!(&login, Login::Token(token) if !token.needs_place());
    let repository = |said: &Option<Said<String>>| said.clone().filter(|_| !knows_place);
    let project = option(&source.project, "--project")
        .or_else(|| variable("DOPPLER_PROJECT"))
        .or_else(|| local.project.clone())
        .or_else(|| repository(&local.repository_project));
    let mut configs: Vec<_> =
        source.config.iter().filter_map(|config| option(&Some(config.clone()), "--config")).collect();
    if configs.is_empty() {
        let config = variable("DOPPLER_CONFIG")
            .or_else(|| local.config.clone())
            .or_else(|| repository(&local.repository_config));
        configs.extend(config);
    }
    let host = variable("DOPPLER_API_HOST").or_else(|| local.host.clone());
    let host = host.unwrap_or_else(|| Said { value: doppler::API_HOST.to_owned(), by: "default".to_owned() });
    let base = host.value.parse().map_err(|fault: Fault| fault.context(format!("{} cannot be used", host.by)))?;
    Ok(Settings { login, host: Said { value: base, by: host.by }, project, configs })
}

/// The token `doppler login` stored, unless it is only a reference into the system's keyring.
fn stored(token: &Said<SecretString>) -> Result<Token> {
    use secrecy::ExposeSecret as _;
    // Exposed to see what it is: `secret-<uuid>` is no token but the name of one.
    if token.value.expose_secret().starts_with("secret-") {
        return Err(Fault::permission(format!("the Doppler token of {} is in the system's keyring", token.by))
            .help("set DOPPLER_TOKEN=\"$(doppler configure get token --plain)\""));
    }
    Ok(Token::new(token.value.clone(), token.by.clone()))
}

impl Settings {
    /// The configs to read, in order; one that says nothing where nothing is said.
    pub(crate) fn places(&self) -> Vec<Place> {
        let project = self.project.as_ref().map(|said| said.value.clone());
        let place = |config: Option<String>| Place { project: project.clone(), config };
        if self.configs.is_empty() {
            return vec![place(None)];
        }
        self.configs.iter().map(|config| place(Some(config.value.clone()))).collect()
    }

    /// What --explain prints: never the token.
    pub(crate) fn explain(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, value: &str, by: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{what:8} {value}  ({by})");
        };
        match &self.login {
            Login::Token(token) => line("token", kind(token), &token.origin),
            Login::Identity(identity) => line("identity", &identity.value, &identity.by),
            Login::Nothing => {
                line("token", "none", "no --token-file, DOPPLER_TOKEN, DOPPLER_IDENTITY_ID or `doppler login`");
            }
        }
        match &self.project {
            Some(project) => line("project", &project.value, &project.by),
            None => line("project", "the token's own", "nothing says another"),
        }
        for config in &self.configs {
            line("config", &config.value, &config.by);
        }
        if self.configs.is_empty() {
            line("config", "the token's own", "nothing says another");
        }
        line("host", &self.host.value.to_string(), &self.host.by);
        text
    }
}

fn kind(token: &Token) -> &'static str {
    use secrecy::ExposeSecret as _;
    // Exposed to read its public prefix.
    let text = token.value.expose_secret();
    let kinds = [
        ("dp.st.", "a service token"),
        ("dp.sa.", "a service account token"),
        ("dp.said.", "a service account identity token"),
        ("dp.pt.", "a personal token"),
        ("dp.ct.", "a CLI token"),
        ("dp.scim.", "a SCIM token, which sees no secrets"),
        ("dp.audit.", "an audit token, which sees no secrets"),
    ];
    kinds.iter().find(|(prefix, _)| text.starts_with(prefix)).map_or("of no kind that Doppler has", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use runner::Environment;

    use super::{Login, Said, resolve};
    use crate::args::Source;
    use crate::local::Local;

    fn said(value: &str, by: &str) -> Said<String> {
        Said { value: value.to_owned(), by: by.to_owned() }
    }

    fn local() -> Local {
        Local {
            project: Some(said("stored", "file")),
            repository_project: Some(said("repository", "doppler.yaml")),
            repository_config: Some(said("dev", "doppler.yaml")),
            ..Local::default()
        }
    }

    #[test]
    fn options_beat_variables_beat_the_stored_setup_beat_the_repository() {
        let source = Source { config: vec!["prd".to_owned()], ..Source::default() };
        let environment = Environment::from([("DOPPLER_TOKEN", "dp.pt.x"), ("DOPPLER_CONFIG", "stg")]);
        let settings = resolve(&source, None, &environment, &local()).unwrap();
        assert_eq!(settings.project, Some(said("stored", "file")));
        assert_eq!(settings.configs, [said("prd", "--config")]);
        let settings = resolve(&Source::default(), None, &environment, &local()).unwrap();
        assert_eq!(settings.configs, [said("stg", "DOPPLER_CONFIG")]);
        let settings =
            resolve(&Source::default(), None, &Environment::from([("DOPPLER_TOKEN", "dp.pt.x")]), &local()).unwrap();
        assert_eq!(settings.configs, [said("dev", "doppler.yaml")]);
    }

    #[test]
    fn a_service_token_is_not_sent_where_the_repository_points() {
        let settings =
            resolve(&Source::default(), None, &Environment::from([("DOPPLER_TOKEN", "dp.st.x")]), &local()).unwrap();
        assert!(settings.configs.is_empty());
    }

    #[test]
    fn a_token_beats_an_identity_unless_the_identity_is_an_option() {
        let environment = Environment::from([("DOPPLER_TOKEN", "dp.st.x"), ("DOPPLER_IDENTITY_ID", "id")]);
        let login = |source: &Source| resolve(source, None, &environment, &Local::default()).unwrap().login;
        assert!(matches!(login(&Source::default()), Login::Token(_)));
        let source = Source { identity: Some("id".to_owned()), ..Source::default() };
        assert!(matches!(login(&source), Login::Identity(_)));
    }

    #[test]
    fn a_reference_into_the_keyring_is_told_with_what_to_do() {
        let token = Some(Said { value: "secret-1b9d6bcd".into(), by: "~/.doppler/.doppler.yaml".to_owned() });
        let fault = resolve(&Source::default(), None, &Environment::default(), &Local { token, ..Local::default() })
            .unwrap_err();
        assert!(fault.help.unwrap().contains("doppler configure get token --plain"));
    }

    #[test]
    fn an_explanation_shows_no_token() {
        let environment = Environment::from([("DOPPLER_TOKEN", "dp.st.dev.hunter2SECRET")]);
        let text = resolve(&Source::default(), None, &environment, &local()).unwrap().explain();
        assert!(text.contains("a service token  (DOPPLER_TOKEN)") && !text.contains("hunter2"), "{text}");
    }
}

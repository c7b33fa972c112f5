//! Decides on project, config and token, in this order: option, variable, what `doppler setup` stored, the repository's `doppler.yaml`.

use std::fmt::Write as _;

use api::Base;
use doppler::{ConfigRef, Token};
use fault::{Fault, Result};
use runner::Environment;
use secrecy::SecretString;

use crate::args::Source;
use crate::local::{Local, Setting};

/// How to sign in.
#[derive(Clone, Debug)]
pub(crate) enum Login {
    /// With a token.
    Token(Token),
    /// With the job's OIDC token, as this identity.
    Identity(Setting<String>),
    /// Neither a token nor an identity was given.
    Nothing,
}

/// Everything that decides which secrets are read.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) login: Login,
    pub(crate) host: Setting<Base>,
    pub(crate) project: Option<Setting<String>>,
    pub(crate) configs: Vec<Setting<String>>,
}

/// Resolves the settings; `token` is the content of --token-file.
pub(crate) fn resolve(
    source: &Source,
    token: Option<String>,
    environment: &Environment,
    local: &Local,
) -> Result<Settings> {
    let variable =
        |name: &str| environment.get(name).map(|value| Setting { value: value.to_owned(), source: name.to_owned() });
    let option = |value: &Option<String>, source: &str| {
        let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty());
        value.map(|value| Setting { value: value.to_owned(), source: source.to_owned() })
    };
    let login = match (token, option(&source.identity, "--identity")) {
        (Some(token), _) => Login::Token(Token::new(token.trim().into(), "--token-file")),
        (None, Some(identity)) => Login::Identity(identity),
        (None, None) => match (variable("DOPPLER_TOKEN"), variable("DOPPLER_IDENTITY_ID"), &local.token) {
            (Some(token), ..) => Login::Token(Token::new(token.value.into(), token.source)),
            (None, Some(identity), _) => Login::Identity(identity),
            (None, None, Some(token)) => Login::Token(stored(token)?),
            (None, None, None) => Login::Nothing,
        },
    };
    // A service token is bound to one config, so ignore the project and config from `doppler.yaml`.
    let is_bound = matches!(&login, Login::Token(token) if !token.needs_config());
    let repository = |setting: &Option<Setting<String>>| setting.clone().filter(|_| !is_bound);
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
    let host = host.unwrap_or_else(|| Setting { value: doppler::API_HOST.to_owned(), source: "default".to_owned() });
    let base = host.value.parse().map_err(|fault: Fault| fault.context(format!("{} cannot be used", host.source)))?;
    Ok(Settings { login, host: Setting { value: base, source: host.source }, project, configs })
}

/// Returns the token that `doppler login` stored, or an error if the file only refers to the system keyring.
fn stored(token: &Setting<SecretString>) -> Result<Token> {
    use secrecy::ExposeSecret as _;
    // Exposed to recognise `secret-<uuid>`, which is not a token but the name of one in the keyring.
    if token.value.expose_secret().starts_with("secret-") {
        return Err(Fault::permission(format!(
            "the Doppler token of {} is stored in the system keyring",
            token.source
        ))
        .help("set DOPPLER_TOKEN=\"$(doppler configure get token --plain)\""));
    }
    Ok(Token::new(token.value.clone(), token.source.clone()))
}

impl Settings {
    /// The configs to read, in order; a single empty one if none was given (the token's own config). `PROJECT/CONFIG` names both.
    pub(crate) fn configs(&self) -> Vec<ConfigRef> {
        let project = self.project.as_ref().map(|setting| setting.value.clone());
        let config = |text: &str| match text.split_once('/') {
            Some((project, config)) => ConfigRef { project: Some(project.to_owned()), config: Some(config.to_owned()) },
            None => ConfigRef { project: project.clone(), config: Some(text.to_owned()) },
        };
        if self.configs.is_empty() {
            return vec![ConfigRef { project, config: None }];
        }
        self.configs.iter().map(|setting| config(&setting.value)).collect()
    }

    /// Returns the text of --explain, which never contains the token.
    pub(crate) fn explain(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, value: &str, source: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{what:8} {value}  ({source})");
        };
        match &self.login {
            Login::Token(token) => line("token", kind(token), &token.origin),
            Login::Identity(identity) => line("identity", &identity.value, &identity.source),
            Login::Nothing => {
                line("token", "none", "no --token-file, DOPPLER_TOKEN, DOPPLER_IDENTITY_ID or `doppler login`");
            }
        }
        match &self.project {
            Some(project) => line("project", &project.value, &project.source),
            None => line("project", "the token's own", "default"),
        }
        for config in &self.configs {
            line("config", &config.value, &config.source);
        }
        if self.configs.is_empty() {
            line("config", "the token's own", "default");
        }
        line("host", &self.host.value.to_string(), &self.host.source);
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
        ("dp.setting.", "a service account identity token"),
        ("dp.pt.", "a personal token"),
        ("dp.ct.", "a CLI token"),
        ("dp.scim.", "a SCIM token, which sees no secrets"),
        ("dp.audit.", "an audit token, which sees no secrets"),
    ];
    kinds
        .iter()
        .find(|(prefix, _)| text.starts_with(prefix))
        .map_or("not a kind of token that Doppler issues", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use runner::Environment;

    use super::{Login, resolve};
    use crate::args::Source;
    use crate::local::{Local, Setting};

    fn setting(value: &str, source: &str) -> Setting<String> {
        Setting { value: value.to_owned(), source: source.to_owned() }
    }

    /// The options of a command line that gives none.
    fn unset() -> Source {
        crate::args::Args::parse_from(["secrets-env"]).source
    }

    fn local() -> Local {
        Local {
            project: Some(setting("stored", "file")),
            repository_project: Some(setting("repository", "doppler.yaml")),
            repository_config: Some(setting("dev", "doppler.yaml")),
            ..Local::default()
        }
    }

    #[test]
    fn options_beat_variables_beat_the_stored_setup_beat_the_repository() {
        let source = Source { config: vec!["prd".to_owned()], ..unset() };
        let environment = Environment::from([("DOPPLER_TOKEN", "dp.pt.x"), ("DOPPLER_CONFIG", "stg")]);
        let settings = resolve(&source, None, &environment, &local()).unwrap();
        assert_eq!(settings.project, Some(setting("stored", "file")));
        assert_eq!(settings.configs, [setting("prd", "--config")]);
        let settings = resolve(&unset(), None, &environment, &local()).unwrap();
        assert_eq!(settings.configs, [setting("stg", "DOPPLER_CONFIG")]);
        let settings = resolve(&unset(), None, &Environment::from([("DOPPLER_TOKEN", "dp.pt.x")]), &local()).unwrap();
        assert_eq!(settings.configs, [setting("dev", "doppler.yaml")]);
    }

    #[test]
    fn a_service_token_is_not_sent_where_the_repository_points() {
        let settings = resolve(&unset(), None, &Environment::from([("DOPPLER_TOKEN", "dp.st.x")]), &local()).unwrap();
        assert!(settings.configs.is_empty());
    }

    #[test]
    fn a_token_beats_an_identity_unless_the_identity_is_an_option() {
        let environment = Environment::from([("DOPPLER_TOKEN", "dp.st.x"), ("DOPPLER_IDENTITY_ID", "id")]);
        let login = |source: &Source| resolve(source, None, &environment, &Local::default()).unwrap().login;
        assert!(matches!(login(&unset()), Login::Token(_)));
        let source = Source { identity: Some("id".to_owned()), ..unset() };
        assert!(matches!(login(&source), Login::Identity(_)));
    }

    #[test]
    fn a_token_in_the_keyring_is_an_error_that_names_the_command_to_run() {
        let token = Some(Setting { value: "secret-1b9d6bcd".into(), source: "~/.doppler/.doppler.yaml".to_owned() });
        let fault = resolve(&unset(), None, &Environment::default(), &Local { token, ..Local::default() }).unwrap_err();
        assert!(fault.help.unwrap().contains("doppler configure get token --plain"));
    }

    #[test]
    fn an_explanation_shows_no_token() {
        let environment = Environment::from([("DOPPLER_TOKEN", "dp.st.dev.hunter2SECRET")]);
        let text = resolve(&unset(), None, &environment, &local()).unwrap().explain();
        assert!(text.contains("a service token  (DOPPLER_TOKEN)") && !text.contains("hunter2"), "{text}");
    }
}

//! What the workplace holds: projects, configs, secrets, tokens, identities, the limiter.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Who may see a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Hidden in the dashboard until asked for. The default.
    Masked,
    /// Not a secret at all.
    Unmasked,
    /// Never shown to people: withheld (null) from personal tokens.
    Restricted,
}

impl Visibility {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Unmasked => "unmasked",
            Self::Restricted => "restricted",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub(super) raw: String,
    pub(super) visibility: Visibility,
}

pub(super) type Config = BTreeMap<String, Secret>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Service,
    ServiceAccount,
    ServiceAccountIdentity,
    Personal,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Service => "service_token",
            Self::ServiceAccount => "service_account",
            Self::ServiceAccountIdentity => "service_account_identity",
            Self::Personal => "personal",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The only project and config it sees; `None` for all.
    pub(super) scope: Option<(String, String)>,
}

/// A fixed window that counts secret reads.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) count: u64,
    pub(super) window: Duration,
    pub(super) used: u64,
    pub(super) since: Instant,
    /// Of each window so far that saw a read: how many were let through, and how many were refused.
    pub(super) windows: Vec<(u64, u64)>,
}

impl Limit {
    /// Whether one more read is allowed; counts it.
    pub(super) fn admit(&mut self) -> bool {
        self.roll();
        self.used += 1;
        if self.used == 1 {
            self.windows.push((0, 0));
        }
        let admitted = self.used <= self.count;
        if let Some((let_through, refused)) = self.windows.last_mut() {
            *(if admitted { let_through } else { refused }) += 1;
        }
        admitted
    }

    fn roll(&mut self) {
        if self.since.elapsed() >= self.window {
            (self.used, self.since) = (0, Instant::now());
        }
    }

    /// Whole seconds until the window ends, at least one.
    pub(super) fn reset_seconds(&self) -> u64 {
        self.window
            .saturating_sub(self.since.elapsed())
            .as_millis()
            .div_ceil(1000)
            .max(1)
            .try_into()
            .unwrap_or(u64::MAX)
    }

    pub(super) fn headers(&mut self) -> [(String, String); 3] {
        self.roll();
        // The first whole second that is no part of the window any more.
        let left = self.window.saturating_sub(self.since.elapsed()).as_millis();
        let reset = (u128::from(jiff::Timestamp::now().as_millisecond().unsigned_abs()) + left).div_ceil(1000);
        [
            ("x-ratelimit-limit".to_owned(), self.count.to_string()),
            ("x-ratelimit-remaining".to_owned(), self.count.saturating_sub(self.used).to_string()),
            ("x-ratelimit-reset".to_owned(), reset.to_string()),
        ]
    }
}

#[derive(Debug)]
pub(super) struct State {
    projects: BTreeMap<String, BTreeMap<String, Config>>,
    pub(super) tokens: Vec<Token>,
    /// Identity → the audience its JWTs must have, if it minds.
    pub(super) identities: BTreeMap<String, Option<String>>,
    pub(super) limit: Option<Limit>,
    /// Whether lists of secrets carry an `ETag`, as downloads do.
    pub(super) tags_lists: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            projects: BTreeMap::new(),
            tokens: Vec::new(),
            identities: BTreeMap::new(),
            limit: None,
            tags_lists: true,
        }
    }
}

/// The names that Doppler adds to every config.
pub(super) const MANAGED: [&str; 3] = ["DOPPLER_CONFIG", "DOPPLER_ENVIRONMENT", "DOPPLER_PROJECT"];

impl State {
    /// The config, made when it does not exist.
    pub(super) fn config(&mut self, project: &str, config: &str) -> &mut Config {
        self.projects.entry(project.to_owned()).or_default().entry(config.to_owned()).or_default()
    }

    pub(super) fn set(&mut self, (project, config): (&str, &str), name: &str, value: &str, visibility: Visibility) {
        let secret = Secret { raw: value.to_owned(), visibility };
        self.config(project, config).insert(name.to_owned(), secret);
    }

    pub(super) fn project(&self, project: &str) -> Option<&BTreeMap<String, Config>> {
        self.projects.get(project)
    }

    pub(super) fn revoke(&mut self, token: &str) -> bool {
        let before = self.tokens.len();
        self.tokens.retain(|other| other.text != token);
        self.tokens.len() < before
    }

    /// The config's secrets with the managed ones, values as stored.
    pub(super) fn with_managed(&self, project: &str, config: &str) -> Config {
        let mut secrets = self.projects[project][config].clone();
        let environment = config.split('_').next().unwrap_or(config);
        for (name, value) in MANAGED.iter().zip([config, environment, project]) {
            secrets.insert((*name).to_owned(), Secret { raw: value.to_owned(), visibility: Visibility::Unmasked });
        }
        secrets
    }

    /// A value with its references (`${NAME}`, `${config.NAME}`, `${project.config.NAME}`) replaced; unknown ones stay.
    pub(super) fn computed(&self, project: &str, config: &str, raw: &str) -> String {
        self.resolve(project, config, raw, 8)
    }

    fn resolve(&self, project: &str, config: &str, raw: &str, depth: usize) -> String {
        let mut text = String::new();
        let mut rest = raw;
        while let Some((before, after)) = rest.split_once("${") {
            text.push_str(before);
            let Some((reference, tail)) = after.split_once('}') else {
                text.push_str("${");
                rest = after;
                continue;
            };
            let path = reference.split('.').collect::<Vec<_>>();
            let (in_project, in_config, name) = match path[..] {
                [name] => (project, config, name),
                [config, name] => (project, config, name),
                [project, config, name] => (project, config, name),
                _ => (project, config, ""),
            };
            let found = self.projects.get(in_project).and_then(|configs| configs.get(in_config)?.get(name));
            match found {
                Some(secret) if depth > 0 => {
                    text.push_str(&self.resolve(in_project, in_config, &secret.raw, depth - 1));
                }
                _ => text.extend(["${", reference, "}"]),
            }
            rest = tail;
        }
        text + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_across_configs_and_unknown_ones_stay() {
        let mut state = State::default();
        state.set(("app", "dev"), "HOST", "db", Visibility::Masked);
        state.set(("app", "prd"), "PASSWORD", "p-${HOST}", Visibility::Masked);
        state.set(("app", "prd"), "HOST", "prd-db", Visibility::Masked);
        assert_eq!(state.computed("app", "dev", "${HOST}:${prd.PASSWORD}/${X}$"), "db:p-prd-db/${X}$");
        assert_eq!(state.computed("app", "dev", "${open"), "${open");
    }
}

//! Which config to read, as requests and errors name it.

/// A config of a project. With a service token both may be left out: the token is for one config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigRef {
    /// The project's slug.
    pub project: Option<String>,
    /// The config's slug.
    pub config: Option<String>,
}

impl std::fmt::Display for ConfigRef {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.project, &self.config) {
            (Some(project), Some(config)) => write!(out, "project `{project}`, config `{config}`"),
            (Some(project), None) => write!(out, "project `{project}`"),
            (None, Some(config)) => write!(out, "config `{config}`"),
            (None, None) => out.write_str("the token's own config"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ConfigRef;

    #[test]
    fn a_config_is_named_by_what_was_given() {
        assert_eq!(ConfigRef::default().to_string(), "the token's own config");
    }
}

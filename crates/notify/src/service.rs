//! The services.

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A Discord webhook.
    Discord,
    /// A Slack incoming webhook.
    Slack,
    /// A topic of ntfy.
    Ntfy,
    /// Any endpoint that takes a JSON document.
    Json,
}

impl Service {
    /// The service of a plan's key.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        Some(match key {
            "discord" => Self::Discord,
            "slack" => Self::Slack,
            "ntfy" => Self::Ntfy,
            "json" => Self::Json,
            _ => return None,
        })
    }

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Discord => "Discord",
            Self::Slack => "Slack",
            Self::Ntfy => "ntfy",
            Self::Json => "the JSON endpoint",
        }
    }
}

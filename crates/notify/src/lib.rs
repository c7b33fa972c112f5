//! One message to Discord, Slack, ntfy or a JSON endpoint.

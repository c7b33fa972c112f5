//! Sends one message to several services. What fails is returned, since it never fails a run.

use std::collections::BTreeMap;

use fault::{Fault, Result};
use secrecy::SecretString;

use crate::{Message, Service, send};

/// Where a message goes: a service, and the name of the variable or secret that holds its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The service.
    pub service: Service,
    /// The variable's name.
    pub variable: String,
}

impl std::str::FromStr for Receiver {
    type Err = String;

    /// Reads `SERVICE=VARIABLE`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (service, variable) = text.split_once('=').ok_or("write it as SERVICE=VARIABLE")?;
        let service = Service::of(service.trim())
            .ok_or_else(|| format!("unknown service `{service}`: discord, slack, ntfy and json are known"))?;
        let variable = variable.trim();
        let is_name = !variable.starts_with(|first: char| first.is_ascii_digit())
            && variable.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        // An address on a command line is readable for every process, and in the log.
        if variable.is_empty() || !is_name {
            return Err("give the NAME of the variable that holds the address, never the address".to_owned());
        }
        Ok(Self { service, variable: variable.to_owned() })
    }
}

/// Sends a message to every receiver whose address was found. Returns how each ended.
pub async fn deliver(
    receivers: &[Receiver],
    found: &Result<BTreeMap<String, SecretString>>,
    message: &Message,
    deadline: api::Deadline,
) -> Vec<(Service, Result<()>)> {
    let address = |receiver: &Receiver| -> Result<SecretString> {
        let (name, kind) = (&receiver.variable, receiver.service.name());
        match found {
            Ok(found) => found.get(name).cloned().ok_or_else(|| {
                Fault::failed(format!("no message is sent to {kind}: `{name}` is set neither here nor in Doppler"))
            }),
            Err(fault) => Err(fault.clone().context(format!("no message is sent to {kind}"))),
        }
    };
    let mut ends = Vec::new();
    for receiver in receivers {
        let sent = match address(receiver) {
            Ok(address) => send(receiver.service, &address, message, deadline).await,
            Err(fault) => Err(fault),
        };
        ends.push((receiver.service, sent));
    }
    ends
}

/// A failure in one sentence, for a warning.
#[must_use]
pub fn sentence(fault: &Fault) -> String {
    let parts = std::iter::once(fault.message.as_str()).chain(fault.causes.iter().map(String::as_str));
    parts.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::{Receiver, Service};

    #[test]
    fn a_receiver_names_a_variable_and_never_an_address() {
        let found: Receiver = "discord=DISCORD_WEBHOOK".parse().unwrap();
        assert_eq!(found, Receiver { service: Service::Discord, variable: "DISCORD_WEBHOOK".to_owned() });
        for wrong in ["discord", "discord=", "teams=HOOK", "slack=https://hooks.slack.com/services/T/B/x", "json=1X"] {
            assert!(wrong.parse::<Receiver>().is_err(), "{wrong}");
        }
    }
}

//! Sending, and errors without the address.

use api::{Client, Deadline};
use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::{Message, Service, body};

/// Sends one message. A 429 is waited for within the deadline; any other failure is final: a message must not arrive twice.
///
/// # Errors
/// The address is none, or the service does not take the message. The address is in no part of the error.
pub async fn send(service: Service, address: &SecretString, message: &Message, deadline: Deadline) -> Result<()> {
    let cannot = || Fault::failed(format!("cannot send a message to {}", service.name()));
    let url = Url::parse(address.expose_secret().trim())
        .map_err(|_not_shown| cannot().cause("its address is no URL").help("give the whole address, https://…"))?;
    let (path, topic) = parts(service, &url);
    let base = url[..url::Position::BeforePath]
        .parse()
        .map_err(|_not_shown: Fault| cannot().cause("its address is neither https nor http to this machine"))?;
    let client = Client::new(service.name(), base, deadline)?;
    let sent = client.post(&path).json(&body(service, message, &topic).json).send().await;
    sent.map(drop).map_err(|error| {
        // The path is the secret; what the service answers may quote it.
        let fault: Fault = error.into();
        let hide = |text: &String| {
            [path.as_str(), topic.as_str(), address.expose_secret()]
                .iter()
                .filter(|secret| secret.len() > 1)
                .fold(text.clone(), |text, secret| text.replace(secret, "/***"))
        };
        let hidden = std::iter::once(&fault.message).chain(&fault.causes).map(hide);
        hidden.fold(Fault::new(fault.kind, cannot().message), Fault::cause)
    })
}

/// The path to send to, and ntfy's topic, which goes into the document.
fn parts(service: Service, url: &Url) -> (String, String) {
    let whole = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
    if service != Service::Ntfy {
        return (whole, String::new());
    }
    let (root, topic) = url.path().trim_end_matches('/').rsplit_once('/').unwrap_or(("", ""));
    (format!("{root}/"), topic.to_owned())
}

//! The token that Google hands to what runs inside its cloud: the metadata server.

use std::time::Duration;

use api::{Base, Client, Deadline};
use secrecy::SecretString;
use serde::Deserialize;

/// The metadata server, unless `GCE_METADATA_HOST` names another.
pub const SERVER: &str = "169.254.169.254";

/// The service is one network hop away: if it does not answer at once, it does not exist.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Issued {
    access_token: SecretString,
}

/// Fetches a token of the machine's account; `None` if there is no metadata server, or it is another cloud's.
pub async fn token(base: Base, scope: &str, deadline: Deadline) -> Option<SecretString> {
    let client = Client::new("Google's metadata server", base, deadline).ok()?;
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    let request = client.get(path).query("scopes", scope).header("metadata-flavor", "Google");
    let response = request.once().timeout(PATIENCE).send().await.ok()?;
    if response.header("metadata-flavor") != Some("Google") {
        return None;
    }
    let issued: Issued = serde_json::from_slice(&response.body).ok()?;
    Some(issued.access_token)
}

//! The token that Google hands to what runs inside its cloud: the metadata server.

use std::time::Duration;

use api::{Base, Client, Deadline};
use secrecy::SecretString;
use serde::Deserialize;

/// The metadata server, unless `GCE_METADATA_HOST` says otherwise.
pub const SERVER: &str = "169.254.169.254";

/// It is one hop away; where it does not answer at once it is not there.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Issued {
    access_token: SecretString,
}

/// A token of the machine's own account; `None` where there is no metadata server, or one of another cloud.
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

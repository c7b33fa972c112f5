//! Terraform's `http` backend, which GitLab-managed state uses too: one GET.
//!
//! Source: `internal/backend/remote-state/http/client.go`: 200 returns the state; 204 and 404 mean that there is none.

use api::{Base, Client, Deadline, Error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Kind, Result};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::{Decryption, StackDocument, source};

/// A user's name and password.
pub type BasicAuth = (String, SecretString);

/// Reads the document at `address`, as it arrives; `None` if there is none. Errors name it by `name`.
///
/// # Errors
/// [`Kind::Usage`] if the address is malformed; [`Kind::Permission`], [`Kind::Temporary`].
pub async fn document(
    address: &str,
    login: Option<&BasicAuth>,
    name: &str,
    decryption: Decryption,
    deadline: Deadline,
) -> Result<Option<StackDocument>> {
    let about = |cause: &str| Fault::usage("cannot read the http backend's address").cause(cause);
    let url = Url::parse(address).map_err(|error| about(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(about("it contains a user name").help("use TF_HTTP_USERNAME and TF_HTTP_PASSWORD"));
    }
    let failed = |fault: Fault| fault.context(format!("cannot read {name}"));
    let base: Base = url.origin().ascii_serialization().parse().map_err(failed)?;
    let mut request = Client::new("the http backend", base, deadline)?.get(url.path());
    for (name, value) in url.query_pairs() {
        request = request.query(&name, &value);
    }
    if let Some((user, password)) = login {
        // Exposed to sign in.
        let pair = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        request = request.header("authorization", &format!("Basic {pair}"));
    }
    match request.open().await {
        Ok(answer) => source::answer(answer, name, decryption).await,
        Err(Error::Refused(refusal)) if refusal.status == 404 => Ok(None),
        Err(error) => {
            let fault = failed(error.into());
            Err(if fault.kind == Kind::Permission {
                fault.help("set TF_HTTP_USERNAME and TF_HTTP_PASSWORD to a login that may read the state")
            } else {
                fault
            })
        }
    }
}

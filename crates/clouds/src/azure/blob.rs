//! Blobs in a container of a storage account.

use api::{Base, Client, Deadline, Error, Request};
use fault::{Fault, Kind, Result};
use jiff::Timestamp;
use secrecy::SecretString;

use super::shared_key;
use crate::object::{Object, no_container};
use crate::text::{encoded, exposed, xml_error};

/// The version of the service's protocol.
const VERSION: &str = "2021-08-06";

/// How a container is read.
#[derive(Clone, Debug)]
pub enum Access {
    /// With the account's key.
    Key {
        /// The account whose requests are signed.
        account: String,
        /// Base64.
        key: SecretString,
        /// Where it was found, for messages.
        origin: String,
    },
    /// With a shared access signature.
    Signature {
        /// The parameters of a query, encoded.
        text: SecretString,
        /// Where it was found, for messages.
        origin: String,
    },
    /// As an identity of Entra ID.
    Token {
        /// The token.
        token: SecretString,
        /// The identity, or where the token came from.
        who: String,
    },
}

/// One container.
#[derive(Clone, Debug)]
pub struct Container {
    client: Client,
    /// The path before the container: empty, or `/account` at an emulator.
    root: String,
    account: String,
    name: String,
    access: Access,
}

impl Container {
    /// The container of that name of `account`, whose blobs are at `base` (`https://<account>.blob.core.windows.net`).
    ///
    /// # Errors
    /// [`Kind::Usage`] if the address or the name is malformed.
    pub fn new(base: &str, account: &str, name: &str, access: Access, deadline: Deadline) -> Result<Self> {
        let is_name = (3..=63).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-$".contains(&byte));
        if !is_name {
            return Err(Fault::usage(format!("`{}` is not the name of a container", name.escape_debug())));
        }
        let base: Base = base.parse()?;
        let text = base.to_string();
        let (origin, root) = crate::text::split(&text);
        let client = Client::new("Blob Storage", origin.parse()?, deadline)?.errors(xml_error);
        let (root, account) = (root.trim_end_matches('/').to_owned(), account.to_owned());
        Ok(Self { client, root, account, name: name.to_owned(), access })
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Object>> {
        let path = format!("{}/{}/{}", self.root, self.name, encoded(key));
        match self.signed(&path)?.open().await {
            Ok(answer) => Ok(Some(Object::of(answer))),
            Err(Error::Refused(refusal)) if refusal.status == 404 => match refusal.code.as_deref() {
                Some("BlobNotFound") => Ok(None),
                _ => Err(no_container(
                    &format!("container `{}` in the storage account `{}`", self.name, self.account),
                    Error::Refused(refusal),
                )),
            },
            Err(error) => Err(self.advised(error)),
        }
    }

    fn signed(&self, path: &str) -> Result<Request> {
        let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let headers = [("x-ms-date", date.as_str()), ("x-ms-version", VERSION)];
        let request = self.client.get(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        Ok(match &self.access {
            Access::Key { account, key, .. } => {
                request.header("authorization", &shared_key::authorization(account, key, path, &headers)?)
            }
            Access::Token { token, .. } => request.bearer(token),
            Access::Signature { text, .. } => {
                // Exposed to be sent in the query, which no error shows.
                let pairs = url::form_urlencoded::parse(exposed(text).trim_start_matches('?').as_bytes());
                pairs.fold(request, |request, (name, value)| request.query(&name, &value))
            }
        })
    }

    fn advised(&self, error: Error) -> Fault {
        let fault = Fault::from(error);
        if fault.kind != Kind::Permission {
            return fault;
        }
        let place = format!("cannot read the container `{}` of the storage account `{}`", self.name, self.account);
        match &self.access {
            Access::Key { origin, .. } => {
                fault.context(format!("{place} with its key of {origin}")).help("give the account's present key")
            }
            Access::Signature { origin, .. } => fault
                .context(format!("{place} with the shared access signature of {origin}"))
                .help("give a signature that is not over and allows to read (sp=r) the container's blobs"),
            Access::Token { who, .. } => fault
                .context(format!("{place} as {who}"))
                .help("give it the role \"Storage Blob Data Reader\" on the container"),
        }
    }
}

//! Objects in Google Cloud Storage, read through its XML API, as Google's own client for Go does.

use api::{Base, Client, Deadline, Error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Kind, Result};
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret as _, SecretString};

use crate::object::{Object, no_container};
use crate::text::{encoded, xml_error};

/// Where Cloud Storage is, in Google's own universe.
pub const SERVICE: &str = "https://storage.googleapis.com";

/// One bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
    /// Who reads, for messages.
    reader: String,
    encryption: Vec<(&'static str, SecretString)>,
}

/// Who reads a bucket.
#[derive(Clone, Debug)]
pub enum Access {
    /// Without credentials.
    Anonymous,
    /// The account of a token.
    Token {
        /// The token.
        token: SecretString,
        /// The account, or where the token came from.
        who: String,
    },
}

impl Bucket {
    /// The bucket of that name at `base` ([`SERVICE`]).
    ///
    /// # Errors
    /// [`Kind::Usage`] if the name is malformed, [`Kind::Permission`] if the encryption key is.
    pub fn new(
        base: Base,
        name: &str,
        reader: Access,
        customer_key: Option<&SecretString>,
        deadline: Deadline,
    ) -> Result<Self> {
        let is_name = (3..=222).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_name {
            return Err(Fault::usage(format!("`{}` is not the name of a bucket", name.escape_debug())));
        }
        let client = Client::new("Cloud Storage", base, deadline)?.errors(xml_error);
        let (client, reader) = match reader {
            Access::Anonymous => (client, "an anonymous user".to_owned()),
            Access::Token { token, who } => (client.bearer(token), who),
        };
        let encryption = customer_key.map(encryption).transpose()?.unwrap_or_default();
        Ok(Self { client, name: name.to_owned(), reader, encryption })
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Object>> {
        let request = self.client.get(&format!("/{}/{}", self.name, encoded(key)));
        // Exposed to be sent: the service decrypts with it and forgets it.
        let headers = self.encryption.iter().map(|(name, value)| (*name, value.expose_secret()));
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        match request.open().await {
            Ok(answer) => Ok(Some(Object::of(answer))),
            Err(Error::Refused(refusal)) if refusal.status == 404 => match refusal.code.as_deref() {
                Some("NoSuchBucket") => Err(no_container(&format!("bucket `{}`", self.name), Error::Refused(refusal))),
                _ => Ok(None),
            },
            Err(error) => Err(self.advised(error)),
        }
    }

    fn advised(&self, error: Error) -> Fault {
        let code = match &error {
            Error::Refused(refusal) => refusal.code.clone().unwrap_or_default(),
            Error::Fault(_) => String::new(),
        };
        let fault = Fault::from(error);
        let about = |fault: Fault| fault.context(format!("cannot read the bucket `{}` as {}", self.name, self.reader));
        match (code.as_str(), fault.kind) {
            (code, Kind::Failed) if code.contains("Encrypt") => about(Fault { kind: Kind::Permission, ..fault })
                .help("set GOOGLE_ENCRYPTION_KEY to the key that the state was written with"),
            (_, Kind::Permission) => about(fault).help("give it the role roles/storage.objectViewer on the bucket"),
            _ => fault,
        }
    }
}

/// The headers of a key that the customer supplies.
fn encryption(key: &SecretString) -> Result<Vec<(&'static str, SecretString)>> {
    // Exposed to be sent.
    let text = key.expose_secret().trim();
    let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 32).ok_or_else(|| {
        Fault::permission("the customer's encryption key of the bucket is malformed")
            .help("set GOOGLE_ENCRYPTION_KEY, or encryption_key, to the base64 of its 32 bytes")
    })?;
    let hash = STANDARD.encode(digest(&SHA256, &bytes).as_ref());
    Ok(vec![
        ("x-goog-encryption-algorithm", "AES256".into()),
        ("x-goog-encryption-key", text.into()),
        ("x-goog-encryption-key-sha256", hash.into()),
    ])
}

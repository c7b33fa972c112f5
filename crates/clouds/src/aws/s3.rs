//! Objects in S3 and in services that speak its protocol: signed reads only.

use api::{Base, Client, Deadline, Error, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault::{Fault, Kind, Result};
use secrecy::{ExposeSecret as _, SecretString};

use super::AccessKey;
pub use super::endpoint::BucketAddress;
use super::endpoint::{self, Style};
use super::sign::{Signable, signed};
use crate::object::{Object, no_container};
use crate::text::{elements, encoded, xml_error};

/// The most bytes of a list of keys that are read.
const LIST_LIMIT: u64 = 4 << 20;

/// One bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    host: String,
    name: String,
    /// The path before a key: empty, or `/bucket`.
    root: String,
    region: String,
    key: Option<AccessKey>,
    /// Headers that open an object which the customer's own key encrypts.
    encryption: Vec<(&'static str, SecretString)>,
}

impl Bucket {
    /// Opens the bucket at `address`; without a key, requests are anonymous.
    ///
    /// # Errors
    /// [`Kind::Usage`] if the address or the encryption key is malformed.
    pub fn new(address: &BucketAddress, key: Option<AccessKey>, deadline: Deadline) -> Result<Self> {
        let is_name = (3..=63).contains(&address.bucket.len())
            && address.bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_name {
            return Err(Fault::usage(format!("`{}` is not the name of a bucket", address.bucket.escape_debug())));
        }
        let (endpoint, style) = match &address.endpoint {
            Some(endpoint) if endpoint.contains("://") => (endpoint.clone(), Style::Path),
            Some(host) => (format!("https://{host}"), Style::Path),
            None => endpoint::host(address).map(|(host, style)| (format!("https://{host}"), style))?,
        };
        let root = if style == Style::Path { format!("/{}", address.bucket) } else { String::new() };
        let base: Base = endpoint.parse()?;
        let text = base.to_string();
        let authority = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
        let (host, path) = authority.split_once('/').unwrap_or((authority, ""));
        let root = if path.is_empty() { root } else { format!("/{path}{root}") };
        let origin: Base = text.strip_suffix(&format!("/{path}")).unwrap_or(&text).parse()?;
        let client = Client::new("S3", origin, deadline)?.errors(xml_error);
        let encryption = address.customer_key.as_ref().map(encryption).transpose()?.unwrap_or_default();
        let (host, name, region) = (host.to_owned(), address.bucket.clone(), address.region.clone());
        Ok(Self { client, host, name, root, region, key, encryption })
    }

    fn request(&self, path: &str, query: &str, headers: &[(&str, &str)]) -> Request {
        let request =
            if query.is_empty() { self.client.get(path) } else { self.client.get(&format!("{path}?{query}")) };
        let Some(key) = &self.key else {
            return headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        };
        let (host, region) = (self.host.as_str(), self.region.as_str());
        signed(request, &Signable { method: "GET", host, path, query, headers, body: b"", region, service: "s3" }, key)
    }

    /// The keys that begin with `prefix`, at most a thousand. None of them if the identity may not list.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let prefix = encoded(prefix).replace('/', "%2F");
        let root = if self.root.is_empty() { "/" } else { &self.root };
        let answer = self.request(root, &format!("list-type=2&max-keys=1000&prefix={prefix}"), &[]).open().await;
        let Ok(answer) = answer else { return Vec::new() };
        let text = Object::of(answer).bytes(LIST_LIMIT).await.unwrap_or_default();
        elements(&String::from_utf8_lossy(&text), "Key")
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Object>> {
        let path = format!("{}/{}", self.root, encoded(key.trim_start_matches('/')));
        // Exposed to be sent: S3 decrypts with it and forgets it.
        let headers: Vec<_> = self.encryption.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
        match self.request(&path, "", &headers).open().await {
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
        match (code.as_str(), fault.kind) {
            ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) => {
                Fault { kind: Kind::Usage, ..fault }.help("set AWS_REGION, or the backend's region, to the bucket's")
            }
            ("ExpiredToken" | "InvalidToken", _) => {
                Fault { kind: Kind::Permission, ..fault }.help("renew the temporary AWS credentials")
            }
            ("InvalidRequest" | "InvalidArgument", Kind::Failed) => Fault { kind: Kind::Permission, ..fault }
                .help("if the object is encrypted with a key of your own, set AWS_SSE_CUSTOMER_KEY to it"),
            (_, Kind::Permission) => {
                let place = format!("cannot read the bucket `{}`", self.name);
                match &self.key {
                    Some(key) => fault
                        .context(format!("{place} with the access key {} of {}", key.id, key.origin))
                        .help("let it read the object and list the bucket, or set AWS_ACCESS_KEY_ID to another"),
                    None => fault
                        .context(format!("{place} without an access key"))
                        .help("leave out `anonymous`, or let everybody read the bucket"),
                }
            }
            _ => fault,
        }
    }
}

/// The three headers of SSE-C. MD5 is what S3 asks for to notice a mangled key.
fn encryption(key: &SecretString) -> Result<Vec<(&'static str, SecretString)>> {
    // Exposed to be sent.
    let text = key.expose_secret().trim();
    let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 32).ok_or_else(|| {
        Fault::permission("the customer's encryption key of the bucket is malformed")
            .help("set AWS_SSE_CUSTOMER_KEY, or sse_customer_key, to the base64 of its 32 bytes")
    })?;
    Ok(vec![
        ("x-amz-server-side-encryption-customer-algorithm", "AES256".into()),
        ("x-amz-server-side-encryption-customer-key", text.into()),
        ("x-amz-server-side-encryption-customer-key-md5", STANDARD.encode(md5::compute(bytes).0).into()),
    ])
}

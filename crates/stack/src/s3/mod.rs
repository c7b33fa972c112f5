//! Objects in S3 and what speaks its protocol: signed reads, nothing else.

pub mod profile;
pub(crate) mod sign;

use api::{Base, Client, Deadline, Error, ServiceError};
use fault::{Fault, Kind, Result};
use jiff::Timestamp;
pub use sign::AccessKey;
use sign::Signable;

/// Where a bucket is and how it is spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The bucket.
    pub bucket: String,
    /// AWS's region.
    pub region: String,
    /// Another service than AWS, whose buckets are the first part of the path.
    pub endpoint: Option<String>,
}

/// One bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    host: String,
    /// What stands before a key in a path: empty, or `/bucket`.
    root: String,
    region: String,
    key: AccessKey,
}

/// An object that was read.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its bytes.
    pub body: Vec<u8>,
    /// When it was written; the epoch when the service does not say.
    pub modified: Timestamp,
}

impl Bucket {
    /// The bucket at `address`, read with `key`.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an address that is none.
    pub fn new(address: &Address, key: AccessKey, deadline: Deadline) -> Result<Self> {
        let is_name = (3..=63).contains(&address.bucket.len())
            && address.bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_name {
            return Err(Fault::usage(format!("`{}` is not the name of a bucket", address.bucket.escape_debug())));
        }
        let root = format!("/{}", address.bucket);
        let (endpoint, root) = match &address.endpoint {
            Some(endpoint) if endpoint.contains("://") => (endpoint.clone(), root),
            Some(host) => (format!("https://{host}"), root),
            // A dot in the name is no part of the certificate's.
            None if address.bucket.contains('.') => (format!("https://s3.{}.amazonaws.com", address.region), root),
            None => (format!("https://{}.s3.{}.amazonaws.com", address.bucket, address.region), String::new()),
        };
        let base: Base = endpoint.parse()?;
        let text = base.to_string();
        let authority = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
        let (host, path) = authority.split_once('/').unwrap_or((authority, ""));
        let root = if path.is_empty() { root } else { format!("/{path}{root}") };
        let origin: Base = text.strip_suffix(&format!("/{path}")).unwrap_or(&text).parse()?;
        let client = Client::new("S3", origin, deadline)?.errors(decode);
        Ok(Self { client, host: host.to_owned(), root, region: address.region.clone(), key })
    }

    /// The object at `key`; `None` when there is none.
    ///
    /// # Errors
    /// [`Kind::Permission`], also for a missing object where the access key may not list the bucket; [`Kind::Temporary`].
    pub async fn get(&self, key: &str) -> Result<Option<Object>> {
        if key.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(Fault::usage(format!("`{}` cannot be an object's key", key.escape_debug())));
        }
        let path = format!("{}/{}", self.root, sign::encoded(key.trim_start_matches('/')));
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let signable = Signable {
            method: "GET",
            host: &self.host,
            path: &path,
            headers: &[],
            body: b"",
            region: &self.region,
            service: "s3",
            time: &time,
        };
        let mut request = self.client.get(&path);
        for (name, value) in sign::headers(&signable, &self.key) {
            request = request.header(&name, &value);
        }
        match request.send().await {
            Ok(response) => {
                let modified = response
                    .header("last-modified")
                    .and_then(|date| jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp()));
                Ok(Some(Object { modified: modified.unwrap_or(Timestamp::UNIX_EPOCH), body: response.body }))
            }
            Err(Error::Refused(refusal))
                if refusal.status == 404 && refusal.code.as_deref() != Some("NoSuchBucket") =>
            {
                Ok(None)
            }
            Err(error) => Err(advised(error)),
        }
    }
}

fn advised(error: Error) -> Fault {
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
        (_, Kind::Permission) => {
            fault.help("give AWS_ACCESS_KEY_ID a key that may read the object and list the bucket")
        }
        _ => fault,
    }
}

/// `<Error><Code>…</Code><Message>…</Message>`.
fn decode(body: &[u8]) -> Option<ServiceError> {
    let text = String::from_utf8_lossy(body);
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    Some(ServiceError { code: Some(element("Code")?), message: element("Message").unwrap_or_default() })
}

//! A storage account's connection string: `DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net`.

use fault::{Fault, Result};

use super::blob::Access;
use crate::text::exposed;

/// A parsed connection string.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The address of the account's blobs: `https://<account>.blob.<suffix>`, or a custom endpoint.
    pub base: String,
    /// How they are read.
    pub access: Access,
}

impl Connection {
    /// Reads a connection string.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] for one that is incomplete, without quoting it.
    pub fn read(text: &str) -> Result<Self> {
        let part = |wanted: &str| {
            let pairs = text.split(';').filter_map(|part| part.trim().split_once('='));
            pairs.into_iter().find(|(name, value)| name.eq_ignore_ascii_case(wanted) && !value.is_empty())
        };
        let part = |wanted: &str| part(wanted).map(|(_, value)| value.to_owned());
        let missing = |what: &str| {
            Fault::permission(format!("the storage account's connection string has no {what}"))
                .help("copy the whole connection string from the account's access keys")
        };
        let origin = || "the connection string".to_owned();
        let account = part("AccountName");
        let base = match (part("BlobEndpoint"), &account) {
            (Some(endpoint), _) => endpoint.trim_end_matches('/').to_owned(),
            (None, Some(account)) => {
                let protocol = part("DefaultEndpointsProtocol").unwrap_or_else(|| "https".to_owned());
                let suffix = part("EndpointSuffix").unwrap_or_else(|| "core.windows.net".to_owned());
                format!("{protocol}://{account}.blob.{suffix}")
            }
            (None, None) => return Err(missing("AccountName")),
        };
        let access = match (account, part("AccountKey"), part("SharedAccessSignature")) {
            (Some(account), Some(key), _) => Access::Key { account, key: key.into(), origin: origin() },
            (_, None, Some(signature)) => Access::Signature { text: signature.into(), origin: origin() },
            (None, Some(_), _) => return Err(missing("AccountName")),
            (_, None, None) => return Err(missing("AccountKey or SharedAccessSignature")),
        };
        Ok(Self { base, access })
    }

    /// The part that must be masked.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        match &self.access {
            Access::Key { key, .. } => Some(exposed(key)),
            Access::Signature { text, .. } => Some(exposed(text)),
            Access::Token { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Connection};

    #[test]
    fn a_connection_string_names_the_account_and_its_key() {
        let text = "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=aGVs==;EndpointSuffix=core.windows.net";
        let connection = Connection::read(text).unwrap();
        assert_eq!(connection.base, "https://acme.blob.core.windows.net");
        assert!(matches!(connection.access, Access::Key { account, .. } if account == "acme"));
        let text = "BlobEndpoint=http://127.0.0.1:10000/acme/;SharedAccessSignature=sv=2021&sig=hunter2%3D";
        let connection = Connection::read(text).unwrap();
        assert_eq!(connection.base, "http://127.0.0.1:10000/acme");
        assert!(matches!(connection.access, Access::Signature { .. }));
    }

    #[test]
    fn one_that_is_incomplete_is_refused_without_quoting_it() {
        for text in ["", "hunter2", "AccountName=acme", "AccountKey=hunter2", "AccountName=;AccountKey=hunter2"] {
            let shown = format!("{:?}", Connection::read(text).unwrap_err());
            assert!(shown.contains("has no") && !shown.contains("hunter2"), "{shown}");
        }
    }
}

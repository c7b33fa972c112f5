//! Reads the subject token of an external account, which another identity provider issued: from a file or a URL.

use std::collections::BTreeMap;

use api::{Base, Client, Deadline};
use fault::{Fault, Result};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::text::exposed;

/// `credential_source` of an external account.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Source {
    file: Option<String>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, SecretString>,
    #[serde(default)]
    format: Format,
    environment_id: Option<String>,
    executable: Option<Value>,
    certificate: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Format {
    #[serde(rename = "type", default)]
    kind: String,
    subject_token_field_name: Option<String>,
}

impl Source {
    /// The parts that must be masked: the bearer token with which the subject token is requested.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let words = self.headers.values().map(|value| exposed(value).trim_start_matches("Bearer ").trim());
        words.collect()
    }

    /// The token.
    ///
    /// # Errors
    /// [`fault::Kind::Permission`] if there is none, or if the kind of source is not supported.
    pub(super) async fn token(&self, deadline: Deadline) -> Result<SecretString> {
        let about = |fault: Fault| fault.context("cannot read the token that the Google credentials point to");
        let text = match (&self.file, &self.url) {
            _ if self.beyond().is_some() => {
                let name = self.beyond().unwrap_or_default();
                return Err(Fault::permission(format!(
                    "the Google credentials take their token from {name}, which is not supported"
                ))
                .help("set GOOGLE_OAUTH_ACCESS_TOKEN: gcloud auth print-access-token"));
            }
            (Some(file), _) => std::fs::read_to_string(file)
                .map_err(|error| about(Fault::permission(format!("cannot read {file}")).cause(error.to_string())))?,
            (None, Some(url)) => self.fetch(url, deadline).await.map_err(about)?,
            (None, None) => {
                return Err(about(Fault::permission("their credential_source names neither a file nor a url")));
            }
        };
        self.of_text(text.trim()).map_err(about)
    }

    fn beyond(&self) -> Option<&'static str> {
        let kinds = [
            ("AWS's metadata (environment_id)", self.environment_id.is_some()),
            ("a program (executable)", self.executable.is_some()),
            ("a client certificate", self.certificate.is_some()),
        ];
        kinds.into_iter().find_map(|(name, is_so)| is_so.then_some(name))
    }

    async fn fetch(&self, url: &str, deadline: Deadline) -> Result<String> {
        // The address holds its query, already encoded, which `Base` refuses: the path of the request is that query.
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let base = Base::nearby(address)?;
        let path = if query.is_empty() { String::new() } else { format!("?{query}") };
        let request = Client::new("the identity provider", base, deadline)?.get(&path);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, exposed(value)));
        let response = request.send().await.map_err(Fault::from)?;
        String::from_utf8(response.body)
            .map_err(|error| Fault::temporary("its answer is not text").cause(error.to_string()))
    }

    fn of_text(&self, text: &str) -> Result<SecretString> {
        if self.format.kind != "json" {
            return if text.is_empty() { Err(Fault::permission("it is empty")) } else { Ok(text.into()) };
        }
        let name = self.format.subject_token_field_name.as_deref().unwrap_or_default();
        let token = serde_json::from_str::<Value>(text).ok().and_then(|json| json[name].as_str().map(str::to_owned));
        token.map(SecretString::from).ok_or_else(|| {
            Fault::permission(format!("its answer is not JSON with the string `{}`", name.escape_debug()))
        })
    }
}

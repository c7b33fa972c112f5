//! The secrets of a config, read in one request: values with their visibility, values alone, or names alone.

use std::collections::BTreeMap;

use api::{Request, Response};
use fault::Fault;
use secrecy::SecretString;
use secrets::{Secret, Visibility};
use serde::Deserialize;

use crate::{ATTEMPT, ConfigRef, Doppler, Failure, failure};

/// The names that Doppler adds to every config: they describe the config and are not secrets.
pub const MANAGED: [&str; 3] = ["DOPPLER_PROJECT", "DOPPLER_ENVIRONMENT", "DOPPLER_CONFIG"];

/// What to ask for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The secrets wanted; all when empty.
    pub names: Vec<String>,
    /// Include dynamic secrets: this issues billable leases.
    pub dynamic: bool,
    /// The `ETag` of the secrets that the caller has.
    pub known: Option<String>,
}

/// An answer to a read.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// Nothing has changed since the `ETag` (304).
    Unchanged,
    /// The secrets, sorted by name, and the `ETag` to ask with next time.
    New {
        /// The secrets.
        secrets: Vec<Secret>,
        /// Their `ETag`, if the API gave one.
        etag: Option<String>,
    },
}

#[derive(Deserialize)]
struct Listing {
    secrets: BTreeMap<String, Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    computed: Option<SecretString>,
    computed_visibility: Option<String>,
}

#[derive(Deserialize)]
struct Names {
    names: Vec<String>,
}

#[derive(Deserialize)]
struct Configs {
    configs: Vec<Config>,
}

#[derive(Deserialize)]
struct Config {
    name: String,
}

impl Doppler {
    /// The secrets with their visibility, which decides which values are masked.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn list(&self, place: &ConfigRef, query: &Query) -> Result<Fetched, Failure> {
        let response = self.read("/v3/configs/config/secrets", place, query).await?;
        decode(&response, place, |listing: Listing| {
            let secret = |(name, listed): (String, Listed)| Secret {
                name,
                value: listed.computed,
                visibility: visibility(listed.computed_visibility.as_deref()),
            };
            listing.secrets.into_iter().map(secret).collect()
        })
    }

    /// The secrets without their visibility: every one counts as [`Visibility::Masked`].
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn download(&self, place: &ConfigRef, query: &Query) -> Result<Fetched, Failure> {
        let response = self.read("/v3/configs/config/secrets/download", place, query).await?;
        decode(&response, place, |values: BTreeMap<String, Option<SecretString>>| {
            let secret = |(name, value)| Secret { name, value, visibility: Visibility::default() };
            values.into_iter().map(secret).collect()
        })
    }

    /// The names alone: no value leaves Doppler.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn names(&self, place: &ConfigRef) -> Result<Vec<String>, Failure> {
        let request = at(self.client.get("/v3/configs/config/secrets/names"), place);
        let names: Names = request.receive().await.map_err(|error| failure::of(error, place, &self.token))?;
        Ok(names.names)
    }

    /// The configs of `place`'s project, as far as the token may list them.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn configs(&self, place: &ConfigRef) -> Result<Vec<String>, Failure> {
        let request = self.client.get("/v3/configs").query("per_page", "100").timeout(ATTEMPT);
        let request = match &place.project {
            Some(project) => request.query("project", project),
            None => request,
        };
        let configs: Configs = request.receive().await.map_err(|error| failure::of(error, place, &self.token))?;
        Ok(configs.configs.into_iter().map(|config| config.name).collect())
    }

    async fn read(&self, path: &str, place: &ConfigRef, query: &Query) -> Result<Response, Failure> {
        let mut request = at(self.client.get(path), place)
            // Leases are billable. Sent even if false, so that nothing depends on the API's default.
            .query("include_dynamic_secrets", if query.dynamic { "true" } else { "false" });
        if path.ends_with("/download") {
            request = request.query("format", "json");
        }
        if !query.names.is_empty() {
            request = request.query("secrets", &query.names.join(","));
        }
        if let Some(etag) = &query.known {
            request = request.header("if-none-match", etag);
        }
        self.rate_limit.wait(self.client.remaining()).await;
        let response = request.send().await.map_err(|error| failure::of(error, place, &self.token))?;
        self.rate_limit.note(&response);
        Ok(response)
    }
}

/// The visibility that Doppler calls `word`. Anything unknown is masked, so that a visibility which Doppler adds later hides too much rather than too little.
fn visibility(word: Option<&str>) -> Visibility {
    match word {
        Some("unmasked") => Visibility::Unmasked,
        Some("restricted") => Visibility::Restricted,
        _ => Visibility::Masked,
    }
}

fn at(request: Request, place: &ConfigRef) -> Request {
    let mut request = request.header("accept", "application/json").timeout(ATTEMPT);
    for (name, value) in [("project", &place.project), ("config", &place.config)] {
        if let Some(value) = value {
            request = request.query(name, value);
        }
    }
    request
}

/// A 200 that is not what the API promises is an error: it replaces no secrets, and older secrets are not used instead.
fn decode<T: for<'a> Deserialize<'a>>(
    response: &Response,
    place: &ConfigRef,
    secrets: impl FnOnce(T) -> Vec<Secret>,
) -> Result<Fetched, Failure> {
    if response.status == 304 {
        return Ok(Fetched::Unchanged);
    }
    let content = serde_json::from_slice(&response.body).map_err(|error| {
        let kind = response.header("content-type").unwrap_or("no content type");
        let fault = Fault::temporary(format!("cannot read the secrets of {place}"))
            .cause(format!("Doppler answered {} with {kind}, {} bytes", response.status, response.body.len()))
            // Where, not what: serde_json's full text can quote a value.
            .cause(format!("not an object of strings at line {} column {}", error.line(), error.column()))
            .help("check whether a proxy or a login page is between here and Doppler (DOPPLER_API_HOST)");
        Failure { fault, is_outage: false }
    })?;
    Ok(Fetched::New { secrets: secrets(content), etag: response.header("etag").map(str::to_owned) })
}

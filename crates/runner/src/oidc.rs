//! The request for this job's OpenID Connect identity token.
//!
//! The runner gives the pair of variables to every step of a job with `permissions: id-token: write`. The request is plain
//! HTTP: send it with any HTTP client (`GET url`, `Authorization: Bearer`, answer `{"value": "<JWT>"}`).

use std::fmt;

use crate::Environment;

/// Where to ask for the token, and the bearer to ask with.
#[derive(Clone, PartialEq, Eq)]
pub struct IdTokenRequest {
    /// The address, its query already there.
    pub url: String,
    /// The audience to append as `&audience=`, percent-encoded; the default is the repository owner's URL.
    pub audience: Option<String>,
    /// The bearer: a secret.
    pub bearer: String,
}

impl IdTokenRequest {
    /// The request the runner offers to this step; `None` without `id-token: write`.
    #[must_use]
    pub fn of(environment: &Environment, audience: Option<&str>) -> Option<Self> {
        Some(Self {
            url: environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")?.to_owned(),
            audience: audience.map(str::to_owned),
            bearer: environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?.to_owned(),
        })
    }
}

impl fmt::Debug for IdTokenRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("IdTokenRequest")
            .field("url", &self.url)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

//! The distribution API of registries, as far as a look needs it: a manifest's digest, an index, a config, and signing in.
//!
//! All four media types are in one `Accept`: without them a registry converts a manifest, and its digest is another, or answers 404
//! for an index that is there.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::reference::{Reference, is_digest, is_loopback};
use crate::http_reason;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// The most bytes of a manifest or a config; registries take 4 MiB at most.
const LIMIT: usize = 8 * 1024 * 1024;

/// A user name and a password or token.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name; any for a token of GitHub.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// Why a registry gave no answer to the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is not there.
    Absent(String),
    /// 401 or 403: a wrong token and an absent package look alike.
    Denied(String),
    /// There is no connection.
    Unreachable(String),
    /// Anything else.
    Failed(String),
}

/// A registry, as one repository is read from it.
#[derive(Debug)]
pub(crate) struct Registry {
    http: reqwest::Client,
    base: Url,
    repository: String,
    login: Option<Login>,
    /// The header of the last sign-in, used until it is refused.
    authorization: Option<SecretString>,
}

/// A manifest's digest, and its bytes if they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) digest: String,
    pub(crate) body: Vec<u8>,
}

impl Registry {
    pub(crate) fn new(reference: &Reference, login: Option<Login>) -> Result<Self, String> {
        crate::install_tls_provider();
        let host = if reference.registry == "docker.io" { "registry-1.docker.io" } else { &reference.registry };
        let scheme = if reference.is_loopback() { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{host}/")).map_err(|error| error.to_string())?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("live-wait/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30))
            // One replica may answer new and the next one old.
            .pool_max_idle_per_host(0);
        if scheme == "http" {
            let loopback = crate::names::LOOPBACK.map(|ip| std::net::SocketAddr::new(ip, 0));
            builder = builder.no_proxy().tls_certs_only([]);
            if let Some(name) = base.domain().filter(|name| crate::names::is_localhost(name)) {
                builder = builder.resolve_to_addrs(name, &loopback);
            }
        }
        let http = builder.build().map_err(|error| http_reason(&error))?;
        Ok(Self { http, base, repository: reference.repository.clone(), login, authorization: None })
    }

    /// The digest of a tag's manifest, and the manifest itself if `needs_body`.
    pub(crate) async fn manifest(&mut self, name: &str, needs_body: bool) -> Result<Manifest, Refusal> {
        let path = format!("v2/{}/manifests/{name}", self.repository);
        if !needs_body {
            let answer = self.ask(&Method::HEAD, &path).await?;
            if let Some(digest) = digest(answer.headers()) {
                return Ok(Manifest { digest, body: Vec::new() });
            }
        }
        let answer = self.ask(&Method::GET, &path).await?;
        let given = digest(answer.headers());
        let body = body(answer).await?;
        let computed = sha256(&body);
        match given {
            // The bytes decide: a cache in between may have kept a header and changed the body.
            Some(given) if given != computed => Err(Refusal::Failed(format!(
                "{path}: the registry states {given}, but the manifest's bytes are {computed}"
            ))),
            _ => Ok(Manifest { digest: computed, body }),
        }
    }

    /// A blob: an image's config.
    pub(crate) async fn blob(&mut self, digest: &str) -> Result<Vec<u8>, Refusal> {
        let path = format!("v2/{}/blobs/{digest}", self.repository);
        let answer = self.ask(&Method::GET, &path).await?;
        let answer = match answer.headers().get(LOCATION) {
            Some(location) if answer.status().is_redirection() => {
                // The store of blobs is another host: the registry's token is not for it.
                let to = location.to_str().ok().and_then(|text| self.base.join(text).ok());
                let to = to.ok_or_else(|| Refusal::Failed(format!("{path}: a redirect without an address")))?;
                self.http.get(to).send().await.map_err(|error| Refusal::Failed(http_reason(&error)))?
            }
            _ => answer,
        };
        let status = answer.status();
        if !status.is_success() {
            return Err(Refusal::Failed(format!("{path}: the store of blobs answered {}", status.as_u16())));
        }
        let body = body(answer).await?;
        if sha256(&body) == digest {
            Ok(body)
        } else {
            Err(Refusal::Failed(format!("{path}: its bytes are not {digest}")))
        }
    }

    /// A request; signs in when asked to, and again when the token has run out.
    async fn ask(&mut self, method: &Method, path: &str) -> Result<Response, Refusal> {
        let answer = self.send(method, path).await?;
        let answer = if answer.status() == StatusCode::UNAUTHORIZED {
            let challenges: Vec<String> = answer
                .headers()
                .get_all(WWW_AUTHENTICATE)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            self.sign_in(&challenges, path).await?;
            self.send(method, path).await?
        } else {
            answer
        };
        let status = answer.status();
        if status.is_success() || (status.is_redirection() && path.contains("/blobs/")) {
            return Ok(answer);
        }
        let text = format!("{method} {}{path} answered {}", self.base, status.as_u16());
        let text = match error_code(answer).await {
            Some(code) => format!("{text} ({code})"),
            None => text,
        };
        Err(match status.as_u16() {
            404 => Refusal::Absent(text),
            401 | 403 => Refusal::Denied(text),
            _ => Refusal::Failed(text),
        })
    }

    async fn send(&self, method: &Method, path: &str) -> Result<Response, Refusal> {
        let url = self.base.join(path).map_err(|error| Refusal::Failed(error.to_string()))?;
        let mut request = self.http.request(method.clone(), url).header(ACCEPT, MANIFESTS);
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, sensitive(value)?);
        }
        request.send().await.map_err(|error| {
            let text = format!("{method} {}{path}: {}", self.base, http_reason(&error));
            if error.is_connect() { Refusal::Unreachable(text) } else { Refusal::Failed(text) }
        })
    }

    async fn sign_in(&mut self, challenges: &[String], path: &str) -> Result<(), Refusal> {
        let bearer = challenges.iter().find_map(|text| Challenge::bearer(text));
        let basic = self.login.as_ref().map(|login| {
            let pair = format!("{}:{}", login.user, login.password.expose_secret());
            SecretString::from(format!("Basic {}", STANDARD.encode(pair)))
        });
        let Some(challenge) = bearer else {
            let without = || Refusal::Denied(format!("{}{path} answered 401, and there is no login for it", self.base));
            self.authorization = Some(basic.ok_or_else(without)?);
            return Ok(());
        };
        let realm = Url::parse(&challenge.realm).map_err(|error| {
            Refusal::Failed(format!("the registry's token service has a malformed address: {error}"))
        })?;
        let host = realm.host_str().unwrap_or_default().to_owned();
        let own = is_loopback(self.base.host_str().unwrap_or_default());
        // A registry must not lead credentials to a place that others can read on the way, nor to this machine's own services.
        if realm.scheme() != "https" && !(own && is_loopback(&host)) || (is_loopback(&host) && !own) {
            return Err(Refusal::Failed(format!(
                "the registry's token service {realm} is not one that credentials are sent to"
            )));
        }
        let scope = challenge.scope.unwrap_or_else(|| format!("repository:{}:pull", self.repository));
        let mut request = self.http.get(realm.clone()).query(&[("scope", scope.as_str())]);
        if let Some(service) = &challenge.service {
            request = request.query(&[("service", service.as_str())]);
        }
        if let Some(basic) = &basic {
            request = request.header(AUTHORIZATION, sensitive(basic)?);
        }
        let answer =
            request.send().await.map_err(|error| Refusal::Failed(format!("GET {realm}: {}", http_reason(&error))))?;
        let status = answer.status().as_u16();
        match status {
            200 => {}
            401 | 403 => return Err(Refusal::Denied(format!("the token service {realm} answered {status}"))),
            _ => return Err(Refusal::Failed(format!("the token service {realm} answered {status}"))),
        }
        let token: Token = serde_json::from_slice(&body(answer).await?)
            .map_err(|_other| Refusal::Failed(format!("the token service {realm} answered without a token")))?;
        let token = token.token.or(token.access_token);
        let token =
            token.ok_or_else(|| Refusal::Failed(format!("the token service {realm} answered without a token")))?;
        self.authorization = Some(format!("Bearer {}", token.expose_secret()).into());
        Ok(())
    }

    pub(crate) fn has_login(&self) -> bool {
        self.login.is_some()
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
}

#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    /// `Bearer realm="…",service="…",scope="…"`: values in quotes, in which commas may be.
    fn bearer(text: &str) -> Option<Self> {
        let rest = text.trim();
        let is_bearer = rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case("bearer "));
        let mut rest = rest.get(7..).filter(|_| is_bearer)?;
        let mut found = std::collections::HashMap::new();
        while let Some((name, after)) = rest.split_once('=') {
            let name = name.trim_matches([',', ' ']).to_lowercase();
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').unwrap_or((after, "")),
            };
            found.insert(name, value.to_owned());
            rest = after;
        }
        Some(Self { realm: found.remove("realm")?, service: found.remove("service"), scope: found.remove("scope") })
    }
}

fn sensitive(value: &SecretString) -> Result<HeaderValue, Refusal> {
    let mut header = HeaderValue::try_from(value.expose_secret())
        .map_err(|_unsendable| Refusal::Denied("the login cannot be sent in a header".to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}

fn digest(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("docker-content-digest")?.to_str().ok()?;
    is_digest(value).then(|| value.to_lowercase())
}

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().fold("sha256:".to_owned(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn body(mut answer: Response) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Refusal::Failed(http_reason(&error)))? {
        body.extend_from_slice(&chunk);
        if body.len() > LIMIT {
            return Err(Refusal::Failed(format!("the registry answered with more than {LIMIT} bytes")));
        }
    }
    Ok(body)
}

/// The registry's own code: `MANIFEST_UNKNOWN`, `DENIED`, `TOOMANYREQUESTS`.
async fn error_code(answer: Response) -> Option<String> {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Error>,
    }
    #[derive(Deserialize)]
    struct Error {
        code: String,
    }
    let errors: Errors = serde_json::from_slice(&body(answer).await.ok()?).ok()?;
    errors.errors.into_iter().next().map(|error| error.code)
}

#[cfg(test)]
mod tests {
    use super::Challenge;

    #[test]
    fn a_challenge_is_read_with_commas_in_its_values() {
        let text = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let found = Challenge::bearer(text).unwrap();
        assert_eq!(found.realm, "https://auth.docker.io/token");
        assert_eq!(found.service.as_deref(), Some("registry.docker.io"));
        assert_eq!(found.scope.as_deref(), Some("repository:a/b:pull,push"));
        assert_eq!(Challenge::bearer(r#"Basic realm="x""#), None);
        assert_eq!(Challenge::bearer("Bearer service=x"), None);
    }
}

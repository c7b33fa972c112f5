//! An image in a registry: the tag is there, for the platforms that are asked for, and other tags are the same digest.

mod login;
mod reference;
mod registry;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fault::{Fault, Result};
use serde::Deserialize;

pub use login::DockerConfig;
pub use reference::{Reference, is_digest};
pub use registry::Login;
use registry::{Refusal, Registry};

use crate::look::{Look, Patience, State};
use crate::watch::{Looking, Target};

/// Registries count requests, and some block an address that asks too often.
const LEAST_PAUSE: Duration = Duration::from_secs(5);
/// How many platforms of an index are looked into for labels.
const PLATFORMS: usize = 16;

/// What is asked of an image.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The image.
    pub reference: Reference,
    /// Tags that must be the same digest.
    pub also: Vec<String>,
    /// Platforms that it must have: `linux/amd64`.
    pub platforms: Vec<String>,
    /// The digest that it must be.
    pub digest: Option<String>,
    /// Labels that its config must have.
    pub labels: Vec<(String, String)>,
}

/// An image that is waited for.
#[derive(Debug)]
pub struct Image {
    wanted: Wanted,
    registry: Registry,
    /// What manifests hold, by their digests: that never changes.
    contents: HashMap<String, Content>,
}

/// What a manifest holds, as far as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    /// Whether it is an index.
    is_index: bool,
    /// Its platforms, each with the labels of its config.
    platforms: Vec<(String, BTreeMap<String, String>)>,
    /// The digests of an index's manifests.
    manifests: Vec<String>,
    /// Platforms that an index lists and whose manifests are not there.
    absent: Vec<String>,
}

/// What one look read.
struct Reading {
    main: std::result::Result<(String, Content), Refusal>,
    also: Vec<(String, std::result::Result<String, Refusal>)>,
    has_login: bool,
}

impl Image {
    /// An image, read with this login.
    ///
    /// # Errors
    /// A usage fault for a registry whose name is not one.
    pub fn new(wanted: Wanted, login: Option<Login>) -> Result<Self> {
        let registry = Registry::new(&wanted.reference, login).map_err(|why| {
            Fault::usage(format!("the registry of `{}` cannot be asked", wanted.reference)).cause(why)
        })?;
        Ok(Self { wanted, registry, contents: HashMap::new() })
    }

    /// The digests under which this image may run: its own, and those of its manifests if it is an index.
    ///
    /// # Errors
    /// A fault if the registry does not have it, does not show it, or does not answer.
    pub async fn digests(&mut self) -> Result<Vec<String>> {
        let (digest, content) = self.main().await.map_err(|refusal| {
            let reference = &self.wanted.reference;
            match refusal {
                Refusal::Absent(why) => Fault::failed(format!("`{reference}` is not in its registry")).cause(why),
                Refusal::Denied(why) => {
                    Fault::permission(format!("`{reference}` is absent, or this login may not see it")).cause(why)
                }
                Refusal::Failed(why) | Refusal::Unreachable(why) => {
                    Fault::temporary(format!("`{reference}` cannot be read")).cause(why)
                }
            }
        })?;
        Ok([digest].into_iter().chain(content.manifests).collect())
    }

    async fn read(&mut self) -> Reading {
        let main = self.main().await;
        let mut also = Vec::new();
        for tag in self.wanted.also.clone() {
            let found = self.registry.manifest(&tag, false).await.map(|manifest| manifest.digest);
            also.push((tag, found));
        }
        Reading { main, also, has_login: self.registry.has_login() }
    }

    async fn main(&mut self) -> std::result::Result<(String, Content), Refusal> {
        let reference = &self.wanted.reference;
        let name = reference.tag_or_latest().or(reference.digest.as_deref()).unwrap_or("latest").to_owned();
        let digest = self.registry.manifest(&name, false).await?.digest;
        if let Some(content) = self.contents.get(&digest) {
            return Ok((digest, content.clone()));
        }
        let content = self.content(&digest).await?;
        // A tag that moves all day must not fill the memory.
        if self.contents.len() >= PLATFORMS {
            self.contents.clear();
        }
        // A manifest that is absent may still come.
        if content.absent.is_empty() {
            self.contents.insert(digest.clone(), content.clone());
        }
        Ok((digest, content))
    }

    async fn content(&mut self, digest: &str) -> std::result::Result<Content, Refusal> {
        let needs_config = !self.wanted.labels.is_empty();
        let document = self.document(digest).await?;
        let Some(manifests) = document.manifests else {
            let mut content = Content::default();
            if needs_config || !self.wanted.platforms.is_empty() {
                content.platforms.extend(self.config(document.config).await?);
            }
            return Ok(content);
        };
        let mut content = Content { is_index: true, ..Content::default() };
        content.manifests = manifests.iter().map(|one| one.digest.clone()).collect();
        // An attestation is listed as a manifest of the platform `unknown/unknown`.
        let real = manifests.into_iter().filter(|one| one.platform.os != "unknown").take(PLATFORMS);
        for one in real {
            let platform = one.platform.name();
            let is_asked = self.wanted.platforms.is_empty()
                || self.wanted.platforms.iter().any(|wanted| matches(wanted, &platform));
            // Registries delete and replicate manifests one by one: an index may list what cannot be pulled.
            if is_asked && !self.wanted.platforms.is_empty() {
                match self.registry.manifest(&one.digest, false).await {
                    Ok(_) => {}
                    Err(Refusal::Absent(_)) => {
                        content.absent.push(platform);
                        continue;
                    }
                    Err(other) => return Err(other),
                }
            }
            let labels = if needs_config && is_asked {
                let document = self.document(&one.digest).await?;
                self.config(document.config).await?.map(|(_, labels)| labels).unwrap_or_default()
            } else {
                BTreeMap::new()
            };
            content.platforms.push((platform, labels));
        }
        Ok(content)
    }

    async fn document(&mut self, digest: &str) -> std::result::Result<Document, Refusal> {
        let manifest = self.registry.manifest(digest, true).await?;
        serde_json::from_slice(&manifest.body)
            .map_err(|error| Refusal::Failed(format!("the manifest {digest} is malformed: {error}")))
    }

    /// The platform and the labels of a config.
    async fn config(
        &mut self,
        config: Option<Descriptor>,
    ) -> std::result::Result<Option<(String, BTreeMap<String, String>)>, Refusal> {
        let Some(config) = config else { return Ok(None) };
        let bytes = self.registry.blob(&config.digest).await?;
        let found: Config = serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::Failed(format!("the config {} is malformed: {error}", config.digest)))?;
        Ok(Some((found.platform.name(), found.config.unwrap_or_default().labels.unwrap_or_default())))
    }
}

impl Target for Image {
    fn names(&self) -> Vec<String> {
        vec![self.wanted.reference.to_string()]
    }

    fn look(&mut self) -> Looking<'_> {
        Box::pin(async move {
            let reading = self.read().await;
            vec![assess(&self.wanted, &reading)]
        })
    }

    fn least_pause(&self) -> Duration {
        if self.wanted.reference.is_loopback() { Duration::ZERO } else { LEAST_PAUSE }
    }
}

/// What one look proves: pure.
fn assess(wanted: &Wanted, reading: &Reading) -> Look {
    let (digest, content) = match &reading.main {
        Ok(found) => found,
        Err(refusal) => return refused(&wanted.reference.to_string(), refusal, reading.has_login),
    };
    let other = |what: String| Look::new(State::Other(None), "other_digest", what).spec(digest.clone());
    let expected = wanted.digest.as_ref().or(wanted.reference.digest.as_ref());
    if let Some(expected) = expected.filter(|expected| !expected.eq_ignore_ascii_case(digest)) {
        return other(format!("{} is {digest}, not {expected}", wanted.reference));
    }
    if let Some(platform) = content.absent.first() {
        let text = format!("{} lists {platform}, and the manifest of it is not there", wanted.reference);
        return Look::not_yet("platform_missing", text);
    }
    if content.is_index && content.platforms.is_empty() {
        return Look::not_yet(
            "empty_index",
            format!("{} is an index without manifests: nothing can be pulled", wanted.reference),
        );
    }
    let has: Vec<&str> = content.platforms.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(missing) = wanted.platforms.iter().find(|wanted| !has.iter().any(|name| matches(wanted, name))) {
        return Look::not_yet(
            "platform_missing",
            format!("{} is there, but not for {missing}; it has {}", wanted.reference, has.join(", ")),
        );
    }
    if let Some((name, _)) = wanted.labels.first().filter(|_| content.platforms.is_empty()) {
        return other(format!("{} has no config, so no label {name}", wanted.reference));
    }
    for (name, value) in &wanted.labels {
        let asked = content.platforms.iter().filter(|(platform, _)| {
            wanted.platforms.is_empty() || wanted.platforms.iter().any(|wanted| matches(wanted, platform))
        });
        for (platform, labels) in asked {
            let found = labels.get(name);
            let is_it = found.is_some_and(|found| value.parse::<crate::Revision>().is_ok_and(|value| value.is(found)));
            if !is_it {
                let found = found.map_or("absent".to_owned(), |found| format!("`{found}`"));
                return other(format!("the label {name} of {platform} is {found}, not `{value}`"));
            }
        }
    }
    for (tag, found) in &reading.also {
        match found {
            Ok(found) if found == digest => {}
            Ok(found) => return other(format!("`{tag}` is {found}, not {digest}")),
            Err(refusal) => return refused(tag, refusal, reading.has_login),
        }
    }
    let mut look = Look::live(format!("the registry serves {} as {digest}", wanted.reference)).spec(digest.clone());
    if !has.is_empty() {
        look.evidence.push(format!("platforms: {}", has.join(", ")));
    }
    look.evidence.extend(reading.also.iter().map(|(tag, _)| format!("`{tag}` is the same digest")));
    look.result = Some(wanted.reference.pinned(digest));
    look
}

fn refused(name: &str, refusal: &Refusal, has_login: bool) -> Look {
    match refusal {
        Refusal::Absent(why) => Look::not_yet("absent", format!("{name} is not there yet: {why}")),
        Refusal::Denied(why) => {
            let with = if has_login { "this login may not see it" } else { "it is private and there is no login" };
            // For a package that was never pushed a registry answers so too, and a first push takes a moment.
            Look::denied(Patience::Looks(3), "not_permitted", format!("{name} is absent, or {with}: {why}"))
        }
        Refusal::Failed(why) => Look::unreachable(Patience::Deadline, "no_answer", why.clone()),
        Refusal::Unreachable(why) => Look::unreachable(Patience::Grace, "no_connection", why.clone()),
    }
}

/// Whether a platform is the one asked for: `linux/arm64` is `linux/arm64/v8` too.
fn matches(wanted: &str, found: &str) -> bool {
    found == wanted || (wanted.matches('/').count() == 1 && found.starts_with(&format!("{wanted}/")))
}

#[derive(Deserialize)]
struct Document {
    manifests: Option<Vec<Entry>>,
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    #[serde(default)]
    platform: Platform,
}

#[derive(Default, Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

impl Platform {
    fn name(&self) -> String {
        let variant = self.variant.iter().filter(|variant| !variant.is_empty()).map(|variant| format!("/{variant}"));
        format!("{}/{}{}", self.os, self.architecture, variant.collect::<String>())
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(flatten)]
    platform: Platform,
    config: Option<Labels>,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

#[cfg(test)]
mod tests;

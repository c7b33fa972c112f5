//! Which spec is ours: by the images and labels that are asked for.

use crate::image::Reference;
use crate::revision::Revision;

use super::model::{Spec, Template};

/// An image that containers of its repository must run.
#[derive(Clone, Debug)]
pub struct WantedImage {
    /// As it was given.
    pub reference: Reference,
    /// The digests under which it may run; empty if the tag alone is compared.
    pub digests: Vec<String>,
}

impl WantedImage {
    /// Whether this image reference is the wanted one; `None` if it is another repository.
    #[must_use]
    pub fn is(&self, image: &str) -> Option<bool> {
        let found: Reference = image.parse().ok()?;
        if !found.same_repository(&self.reference) {
            return None;
        }
        Some(match (self.digests.is_empty(), &found.digest) {
            (true, _) => found.tag_or_latest() == self.reference.tag_or_latest(),
            (false, Some(digest)) => self.digests.contains(digest),
            (false, None) => false,
        })
    }

    /// What a match proves.
    #[must_use]
    pub fn proof(&self) -> String {
        if self.digests.is_empty() {
            format!("by its tag {}, not by a digest", self.reference)
        } else {
            format!("at the digest of {}", self.reference)
        }
    }
}

/// What a spec must have to be ours.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Images.
    pub images: Vec<WantedImage>,
    /// Labels, of the service or of its containers.
    pub labels: Vec<(String, String)>,
    /// Whether an image that a service does not run is another service's affair: in a stack.
    pub lenient: bool,
}

/// What a spec is.
pub(super) enum Found {
    /// Ours, and by what that is proved.
    Ours(String),
    /// Another revision's, which one.
    Other(String),
    /// None that could ever be ours: it has no container of the image.
    NoContainer(String),
}

impl Wanted {
    /// Whether any of the images is one of this spec's repository.
    pub(super) fn concerns(&self, spec: &Spec) -> bool {
        self.images.iter().any(|image| image.is(spec.task_template.image()).is_some())
    }

    pub(super) fn of(&self, spec: &Spec) -> Found {
        let image = spec.task_template.image();
        for (name, value) in &self.labels {
            let labels = spec.labels.as_ref().and_then(|labels| labels.get(name)).map(String::as_str);
            let found = labels.or_else(|| spec.task_template.label(name));
            if !found.is_some_and(|found| is(value, found)) {
                let found = found.map_or("is absent".to_owned(), |found| format!("is `{found}`"));
                return Found::Other(format!("its label {name} {found}, not `{value}`"));
            }
        }
        let mut proofs: Vec<String> =
            self.labels.iter().map(|(name, value)| format!("by its label {name}={value}")).collect();
        let mut concerns = false;
        for wanted in &self.images {
            match wanted.is(image) {
                Some(true) => proofs.push(wanted.proof()),
                Some(false) => return Found::Other(format!("it is to run {image}, not {}", wanted.reference)),
                None => continue,
            }
            concerns = true;
        }
        if !self.images.is_empty() && !concerns && !self.lenient {
            return Found::NoContainer(format!("it runs {image}, which is not of the repository asked for"));
        }
        Found::Ours(proofs.join(" and "))
    }

    /// Whether tasks of this template were made for a spec of ours. Labels of the service are not in its tasks.
    pub(super) fn is_template(&self, template: &Template, now: &Spec) -> bool {
        let same_as_now = template.makes_the_same(&now.task_template);
        let images = self.images.iter().filter_map(|wanted| wanted.is(template.image())).collect::<Vec<_>>();
        let labels = self
            .labels
            .iter()
            .filter_map(|(name, value)| template.label(name).map(|found| is(value, found)))
            .collect::<Vec<_>>();
        let has_proof = !images.is_empty() || !labels.is_empty();
        !same_as_now && has_proof && images.iter().chain(&labels).all(|matches| *matches)
    }
}

fn is(wanted: &str, found: &str) -> bool {
    wanted.parse::<Revision>().is_ok_and(|wanted| wanted.is(found))
}

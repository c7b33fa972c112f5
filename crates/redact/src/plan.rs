//! The secrets to hide, and those that are not hidden.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use crate::common::{self, Exemption};
use crate::component::{Commonness, Component, components};
use crate::mask;
use crate::patterns::Patterns;
use crate::stream::Redactor;

/// The runner searches every line of the log for every mask, in some ten encodings; more masks than this make a chatty job crawl.
const MASKS: usize = 1_000;

/// A secret that is not hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spared {
    /// The secret's name.
    pub name: String,
    /// Why it is not hidden.
    pub reason: Exemption,
}

/// A secret of restricted visibility was to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotShow {
    /// The secret's name.
    pub name: String,
}

impl std::fmt::Display for CannotShow {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "`{}` has restricted visibility: its value is always hidden", self.name)
    }
}

impl std::error::Error for CannotShow {}

/// The secrets to hide.
///
/// A clone is cheap. What a plan finds secrets with is built once and is shared by its clones and their redactors.
#[derive(Clone, Default)]
pub struct Plan {
    components: Vec<Component>,
    seen: HashSet<Arc<str>>,
    shown: HashSet<String>,
    spared: Vec<Spared>,
    patterns: OnceLock<Arc<Patterns>>,
}

impl std::fmt::Debug for Plan {
    /// Numbers only: the components are secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Plan")
            .field("components", &self.components.len())
            .field("spared", &self.spared)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// A plan that hides nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does not hide the secret `name` that is added later, unless another secret has the same value.
    pub fn show(&mut self, name: &str) {
        self.shown.insert(name.to_owned());
    }

    /// Hides the secret `name`, whose value is `value`, unless the value is too short or too common.
    pub fn add(&mut self, name: &str, value: &str) {
        if self.shown.contains(name) {
            return self.spare(name, Exemption::Shown);
        }
        let components = components(value, Commonness::Spared);
        if components.is_empty() && !value.trim().is_empty() {
            self.spare(name, common::reason(value).unwrap_or(Exemption::Common));
        }
        self.hide(components);
    }

    /// Hides the secret `name`, whose value is `value`, however short or common the value is.
    ///
    /// # Errors
    /// The secret was to be shown.
    pub fn add_restricted(&mut self, name: &str, value: &str) -> Result<(), CannotShow> {
        if self.shown.contains(name) {
            return Err(CannotShow { name: name.to_owned() });
        }
        self.hide(components(value, Commonness::Hidden));
        Ok(())
    }

    fn spare(&mut self, name: &str, reason: Exemption) {
        self.spared.push(Spared { name: name.to_owned(), reason });
    }

    fn hide(&mut self, components: Vec<Component>) {
        self.patterns = OnceLock::new();
        self.components
            .extend(components.into_iter().filter(|component| self.seen.insert(Arc::clone(&component.text))));
    }

    /// The secrets that are not hidden, and why.
    #[must_use]
    pub fn spared(&self) -> &[Spared] {
        &self.spared
    }

    /// The values that the runner should mask, each a single line, the most important first.
    ///
    /// Every component is among them, followed by what the runner does not derive from it, unless there are too many.
    #[must_use]
    pub fn masks(&self) -> Vec<String> {
        let mut masks: Vec<String> = self.components.iter().map(|component| component.text.to_string()).collect();
        let mut seen: HashSet<String> = HashSet::new();
        for component in &self.components {
            if masks.len() >= MASKS {
                break;
            }
            let more = mask::masks(component).into_iter();
            masks.extend(more.filter(|text| !self.seen.contains(text.as_str()) && seen.insert(text.clone())));
        }
        masks.truncate(MASKS.max(self.components.len()));
        masks
    }

    /// Starts to build what finds the secrets, on another thread.
    ///
    /// A redactor waits for it when its first bytes come, and not before. Without this call, the redactor builds it then.
    pub fn prepare(&self) {
        let patterns = Arc::clone(self.patterns());
        // Without a thread, the first redactor with something to do builds it.
        let _ = std::thread::Builder::new().name("redact".into()).spawn(move || {
            patterns.engine();
        });
    }

    /// A filter for a stream of bytes. Each stream needs its own.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        Redactor::new(Arc::clone(self.patterns()))
    }

    /// How many forms are looked for.
    #[must_use]
    pub fn size(&self) -> usize {
        self.patterns().engine().len()
    }

    fn patterns(&self) -> &Arc<Patterns> {
        self.patterns.get_or_init(|| Patterns::new(self.components.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::{MASKS, Plan, Spared};
    use crate::Exemption;

    #[test]
    fn what_is_spared_is_named_with_its_reason() {
        let mut plan = Plan::new();
        plan.add("DEBUG", "true");
        plan.add("COUNT", "3");
        plan.add("EMPTY", "");
        let spared: Vec<_> = plan.spared().iter().map(|spared| (spared.name.as_str(), spared.reason)).collect();
        assert_eq!(spared, [("DEBUG", Exemption::Common), ("COUNT", Exemption::Short)]);
        assert!(plan.masks().is_empty());
    }

    #[test]
    fn a_shown_secret_is_not_hidden_and_is_named() {
        let mut plan = Plan::new();
        plan.show("BUCKET");
        plan.add("BUCKET", "acme-uploads-7731");
        plan.add("TOKEN", "hunter2-SECRET");
        assert_eq!(plan.spared(), [Spared { name: "BUCKET".into(), reason: Exemption::Shown }]);
        let mut redactor = plan.redactor();
        assert_eq!(redactor.push(b"acme-uploads-7731 hunter2-SECRET\n"), b"acme-uploads-7731 ***\n");
    }

    #[test]
    fn a_restricted_secret_is_always_hidden_and_never_shown() {
        for value in ["true", "/usr/bin", "us-east-1", "7", "ab", "production"] {
            let mut plan = Plan::new();
            plan.add_restricted("KEY", value).unwrap();
            assert_eq!(plan.spared(), []);
            let mut redactor = plan.redactor();
            assert_eq!(redactor.push(format!("<{value}>\n").as_bytes()), b"<***>\n", "{value}");
            assert_eq!(plan.masks()[0], value);
        }
        let mut plan = Plan::new();
        plan.show("KEY");
        let error = plan.add_restricted("KEY", "hunter2-SECRET").unwrap_err();
        assert_eq!(error.to_string(), "`KEY` has restricted visibility: its value is always hidden");
    }

    #[test]
    fn what_a_plan_prepares_is_shared_with_its_clones() {
        let mut plan = Plan::new();
        plan.add("TOKEN", "hunter2-SECRET");
        plan.prepare();
        let clone = plan.clone();
        assert!(std::ptr::eq(plan.patterns().engine(), clone.patterns().engine()));
        plan.add("OTHER", "xkqzvbnw-4711");
        assert_eq!(plan.redactor().push(b"xkqzvbnw-4711\n"), b"***\n");
    }

    #[test]
    fn every_mask_is_one_line_and_the_components_come_first() {
        let mut plan = Plan::new();
        plan.add("KEY", "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSj\n-----END KEY-----\n");
        let masks = plan.masks();
        assert_eq!(masks[..2], ["MIIEvQIBADANBgkqhkiG9w0BAQEF", "AASCBKcwggSj"]);
        assert!(masks.iter().all(|mask| !mask.contains('\n') && mask.len() >= 4));
    }

    #[test]
    fn a_key_needs_some_ten_masks_a_line() {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        // As large as PKCS#8 has them: Ed25519, RSA of 2,048 and of 4,096 bits.
        for (bytes, most) in [(48, 10), (1_218, 250), (2_375, 480)] {
            let mut state: u32 = 1;
            let body: Vec<u8> = (0..bytes)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            let text = STANDARD.encode(body);
            let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n");
            let mut plan = Plan::new();
            plan.add(
                "KEY",
                &format!("-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n", lines.collect::<String>()),
            );
            assert!(plan.masks().len() <= most, "{bytes} bytes: {} masks", plan.masks().len());
        }
    }

    #[test]
    fn many_secrets_keep_every_component_and_drop_forms() {
        let mut plan = Plan::new();
        for number in 0..1_200 {
            plan.add("KEY", &format!("value-{number:06}-{:08x}", number * 7919));
        }
        assert_eq!(plan.masks().len(), 1_200.max(MASKS));
    }

    #[test]
    fn debug_shows_no_value() {
        let mut plan = Plan::new();
        plan.add("KEY", "hunter2-SECRET");
        assert!(!format!("{plan:?}").contains("hunter2"));
    }
}

//! The secrets to hide, and what is spared of them.

use std::collections::HashSet;
use std::sync::Arc;

use crate::component::{Component, components};
use crate::encoding::{Granularity, forms};
use crate::engine::Engine;
use crate::{Reason, Redactor, common, mask};

/// The runner searches every line of the log for every mask, in some ten forms of its own: past so many, a chatty job crawls.
const MASKS: usize = 1_000;

/// So many bytes of secrets are looked at closely.
const FINE: usize = 32 * 1024;

/// A secret that is not hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spared {
    /// The secret's name.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// The secrets, and every form in which they may appear.
#[derive(Clone, Default)]
pub struct Plan {
    components: Vec<Component>,
    seen: HashSet<Arc<str>>,
    spared: Vec<Spared>,
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

    /// Hides the secret `name`, whose value is `value`.
    pub fn add(&mut self, name: &str, value: &str) {
        let components = components(value);
        if components.is_empty() && !value.trim().is_empty() {
            let reason = common::reason(value).unwrap_or(Reason::Common);
            self.spared.push(Spared { name: name.to_owned(), reason });
        }
        self.components
            .extend(components.into_iter().filter(|component| self.seen.insert(Arc::clone(&component.text))));
    }

    /// The secrets that are not hidden, and why.
    #[must_use]
    pub fn spared(&self) -> &[Spared] {
        &self.spared
    }

    /// The values to tell the runner to mask, each a single line, the most telling first.
    ///
    /// Every component is among them. What the runner does not derive from a component itself follows, as long as there are not too many.
    #[must_use]
    pub fn masks(&self) -> Vec<String> {
        let mut masks: Vec<String> = self.components.iter().map(|component| component.text.to_string()).collect();
        let granularity = self.granularity();
        let mut seen: HashSet<String> = HashSet::new();
        for component in &self.components {
            if masks.len() >= MASKS {
                break;
            }
            let more = mask::masks(component, granularity).into_iter();
            masks.extend(more.filter(|text| !self.seen.contains(text.as_str()) && seen.insert(text.clone())));
        }
        masks.truncate(MASKS.max(self.components.len()));
        masks
    }

    /// A filter for a stream of bytes; clone it for a second stream.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        Redactor::new(Arc::new(self.engine()))
    }

    /// How many forms are looked for.
    #[must_use]
    pub fn size(&self) -> usize {
        self.engine().len()
    }

    fn engine(&self) -> Engine {
        let granularity = self.granularity();
        Engine::new(self.components.iter().flat_map(|component| forms(component, granularity)))
    }

    fn granularity(&self) -> Granularity {
        let size: usize = self.components.iter().map(|component| component.text.len()).sum();
        if size > FINE { Granularity::Coarse } else { Granularity::Fine }
    }
}

#[cfg(test)]
mod tests {
    use super::{MASKS, Plan};
    use crate::Reason;

    #[test]
    fn what_is_spared_is_named_with_its_reason() {
        let mut plan = Plan::new();
        plan.add("DEBUG", "true");
        plan.add("COUNT", "3");
        plan.add("EMPTY", "");
        let spared: Vec<_> = plan.spared().iter().map(|spared| (spared.name.as_str(), spared.reason)).collect();
        assert_eq!(spared, [("DEBUG", Reason::Common), ("COUNT", Reason::Short)]);
        assert!(plan.masks().is_empty());
    }

    #[test]
    fn every_mask_is_one_line_and_the_parts_come_first() {
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
    fn many_secrets_keep_every_part_and_drop_forms() {
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

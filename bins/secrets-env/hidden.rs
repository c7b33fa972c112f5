//! The secrets to hide in output, in a form that can be passed to another process of ours.

use std::sync::{Arc, OnceLock};

use fault::{Fault, Result};
use redact::Plan;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// Secrets to hide.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(from = "Vec<Stored>", into = "Vec<Stored>")]
pub(crate) struct Hidden {
    secrets: Vec<Entry>,
    /// Made when it is needed.
    plan: OnceLock<Arc<Plan>>,
}

/// How well a secret is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Hiding {
    /// Unless its value is short or common.
    Unless,
    /// Always: its visibility is restricted.
    Always,
    /// Not at all: --show names it.
    Never,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    value: SecretString,
    hiding: Hiding,
}

/// An entry on its way to another process of ours.
type Stored = (String, String, Hiding);

impl Hidden {
    /// Adds a secret.
    pub(crate) fn add(&mut self, name: &str, value: &SecretString, hiding: Hiding) {
        self.secrets.push(Entry { name: name.to_owned(), value: value.clone(), hiding });
        self.plan = OnceLock::new();
    }

    /// Everything in which they may appear.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(self.plan.get_or_init(|| Arc::new(self.new_plan())))
    }

    fn new_plan(&self) -> Plan {
        let mut plan = Plan::new();
        for Entry { name, value, hiding } in &self.secrets {
            // Exposed to derive the forms to hide.
            let value = value.expose_secret();
            match hiding {
                Hiding::Never => {
                    plan.show(name);
                    plan.add(name, value);
                }
                // It cannot fail: nothing of this name is shown.
                Hiding::Always => drop(plan.add_restricted(name, value)),
                Hiding::Unless => plan.add(name, value),
            }
        }
        plan
    }
}

/// Refuses to show a secret that Doppler restricts.
pub(crate) fn cannot_show(name: &str) -> Result<()> {
    Err(Fault::permission(format!("--show cannot show {name}: its visibility in Doppler is restricted"))
        .help(format!("remove {name} from --show, or change its visibility in Doppler")))
}

impl From<Vec<Stored>> for Hidden {
    fn from(stored: Vec<Stored>) -> Self {
        let entry = |(name, value, hiding): Stored| Entry { name, value: value.into(), hiding };
        Self { secrets: stored.into_iter().map(entry).collect(), plan: OnceLock::new() }
    }
}

impl From<Hidden> for Vec<Stored> {
    /// Exposed to be passed over a pipe to the process that goes on hiding them.
    fn from(hidden: Hidden) -> Self {
        let stored = |entry: Entry| (entry.name, entry.value.expose_secret().to_owned(), entry.hiding);
        hidden.secrets.into_iter().map(stored).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Hidden, Hiding};

    #[test]
    fn what_is_passed_to_another_process_is_hidden_there_in_the_same_way() {
        let mut hidden = Hidden::default();
        hidden.add("KEY", &"k3y-4711-0815".into(), Hiding::Unless);
        hidden.add("FLAG", &"true".into(), Hiding::Unless);
        hidden.add("PIN", &"7351".into(), Hiding::Always);
        hidden.add("BUCKET", &"acme-uploads-7731".into(), Hiding::Never);
        let text = serde_json::to_string(&hidden).unwrap();
        let there: Hidden = serde_json::from_str(&text).unwrap();
        let line = b"k3y-4711-0815 true 7351 acme-uploads-7731\n";
        for hidden in [hidden, there] {
            assert_eq!(hidden.plan().redactor().push(line), b"*** true *** acme-uploads-7731\n");
        }
        assert!(!format!("{:?}", serde_json::from_str::<Hidden>(&text).unwrap()).contains("k3y"));
    }
}

//! Keys of a wrangler file that only Workers have (workers-sdk, `config/validation-pages.ts`).

use serde_json::Value;

/// Keys that wrangler refuses in a Pages configuration. Bindings are not among them: those that Pages does not have are refused when
/// the site's code is read.
const OF_WORKERS: [&str; 24] = [
    "main",
    "assets",
    "site",
    "route",
    "routes",
    "workers_dev",
    "preview_urls",
    "triggers",
    "migrations",
    "containers",
    "cloudchamber",
    "workflows",
    "tail_consumers",
    "streaming_tail_consumers",
    "dispatch_namespaces",
    "logpush",
    "observability",
    "rules",
    "build",
    "base_dir",
    "find_additional_modules",
    "preserve_file_names",
    "minify",
    "first_party_worker",
];

/// Whether a file without `pages_build_output_dir` describes a Worker, for all environments or for one of them.
pub(crate) fn is_worker(all: &Value) -> bool {
    levels(all).any(|level| in_use(level, |_| true).is_some())
}

/// A key that wrangler refuses beside `pages_build_output_dir`, if there is one.
pub(crate) fn unsupported(all: &Value) -> Option<&'static str> {
    // wrangler lets this one pass, because it is set by default.
    levels(all).find_map(|level| in_use(level, |key| key != "observability"))
}

/// The file's top level, and each of its environments.
fn levels(all: &Value) -> impl Iterator<Item = &Value> {
    std::iter::once(all).chain(all.get("env").and_then(Value::as_object).into_iter().flat_map(|env| env.values()))
}

fn in_use(level: &Value, counts: impl Fn(&str) -> bool) -> Option<&'static str> {
    let is_set = |key: &&str| counts(key) && level.get(*key).is_some_and(|value| !is_empty(value));
    OF_WORKERS.into_iter().find(is_set).or_else(|| {
        let list = |pointer: &str| level.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        // A class of the Worker itself, and not of another one.
        let has_class = list("/durable_objects/bindings").any(|binding| binding.get("script_name").is_none());
        let has_consumer = list("/queues/consumers").next().is_some();
        has_class.then_some("durable_objects").or(has_consumer.then_some("queues.consumers"))
    })
}

/// Whether nothing is set: generated files name every key.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_worker, unsupported};

    #[test]
    fn keys_without_a_value_mean_nothing() {
        let generated =
            json!({"name": "docs", "triggers": {}, "rules": [], "migrations": [], "build": {"command": null}});
        assert!(!is_worker(&generated) && unsupported(&generated).is_none());
        let other = json!({"durable_objects": {"bindings": [{"name": "A", "class_name": "A", "script_name": "api"}]}});
        assert!(!is_worker(&other));
    }

    #[test]
    fn what_is_set_by_default_is_allowed_beside_an_output_directory() {
        let all = json!({"observability": {"enabled": true}});
        assert!(is_worker(&all) && unsupported(&all).is_none());
        assert_eq!(unsupported(&json!({"logpush": true})), Some("logpush"));
    }
}

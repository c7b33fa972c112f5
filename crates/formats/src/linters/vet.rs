//! Reads `go vet -json`: packages, in them analyzers, in them findings.

use serde_json::Value;

use super::{items, text_at};
use crate::{Diagnostic, Item, Json, Reader, Sink, Unreadable};

/// Whether a value is what `go vet -json` prints: packages, in them analyzers, in them findings.
pub(crate) fn is_vet(json: &Json<'_>) -> bool {
    let mut packages = json.names().peekable();
    packages.peek().is_some()
        && packages.all(|package| {
            let inner = json.raw(package).filter(|raw| raw.starts_with('{')).map(Json::new);
            inner.is_some_and(|inner| {
                let mut analyzers = inner.names().peekable();
                analyzers.peek().is_some()
                    && analyzers.all(|name| inner.raw(name).is_some_and(|raw| raw.contains("\"posn\"")))
            })
        })
}

/// The reader of `go vet -json`.
#[derive(Debug, Default)]
pub(crate) struct Vet;

impl Reader for Vet {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let document: Value = json.read()?;
        let packages = document.as_object().into_iter().flat_map(|packages| packages.values());
        for (rule, found) in packages.filter_map(Value::as_object).flatten() {
            for item in items(found) {
                let places = crate::places::in_text(&text_at(item, "posn").unwrap_or_default());
                let message = text_at(item, "message").unwrap_or_default();
                sink.finding(Diagnostic::error(message).rule(Some(rule.as_str())).at(places.into_iter().next()));
            }
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        sink.tool("go-vet");
        Ok(())
    }
}

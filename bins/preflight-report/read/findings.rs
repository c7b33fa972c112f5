//! Diagnostics of reports as findings of checks.

use std::path::Path;

use report::Finding;

use super::setting::Setting;

/// Turns a diagnostic into a finding, with its place relative to the repository.
pub(super) fn finding(
    test: Option<String>,
    diagnostic: formats::Diagnostic,
    near: Option<&Path>,
    setting: &Setting,
) -> Finding {
    let chosen = setting.repository.choose(&diagnostic.locations, near);
    let (location, outside) = chosen.map_or((None, false), |(location, outside)| (Some(location), outside));
    let message = diagnostic.message;
    let detail = Some(diagnostic.detail).filter(|detail| !detail.trim().is_empty() && *detail != message);
    Finding {
        rule: diagnostic.rule,
        path: location.as_ref().map(|location| location.path.clone()),
        line: location.as_ref().and_then(|location| location.line),
        column: location.as_ref().and_then(|location| location.column),
        test,
        detail,
        outside,
        ..Finding::new(diagnostic.level, message)
    }
}

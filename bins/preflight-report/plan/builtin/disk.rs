//! `disk`: a file system has room.

use std::path::Path;

use formats::Diagnostic;

#[cfg(unix)]
pub(super) fn found(path: &Path, needed: u64) -> Result<Vec<Diagnostic>, String> {
    let found = rustix::fs::statvfs(path).map_err(|error| format!("cannot look at `{}`: {error}", path.display()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free >= needed {
        return Ok(Vec::new());
    }
    let text = format!("`{}` has {} free, and {} are needed", path.display(), shown(free), shown(needed));
    Ok(vec![Diagnostic::error(text).rule(Some("disk"))])
}

#[cfg(not(unix))]
pub(super) fn found(_: &Path, _: u64) -> Result<Vec<Diagnostic>, String> {
    Err("it needs a Unix system".to_owned())
}

#[cfg(unix)]
#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn shown(bytes: u64) -> String {
    let gib = bytes as f64 / f64::from(1 << 30);
    if gib >= 1.0 { format!("{gib:.1} GiB") } else { format!("{:.1} MiB", gib * 1024.0) }
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use super::found;

    #[test]
    fn too_little_room_is_one_finding_with_both_sizes() {
        assert!(found(Path::new("/"), 1).unwrap().is_empty());
        let found = found(Path::new("/"), u64::MAX).unwrap();
        assert!(found[0].message.ends_with("GiB are needed") && found[0].message.starts_with("`/` has "), "{found:?}");
        assert!(super::found(Path::new("/no/such"), 1).unwrap_err().contains("/no/such"));
    }
}

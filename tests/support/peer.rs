//! The real programs that tests hold ours against.

use std::path::{Path, PathBuf};

/// The program, from the tools that `./check` installs or else from `PATH`. Without it the test has nothing to say: it is
/// skipped, which this tells on stderr; with `CI=true`, where nothing may be left out unseen, it fails.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "speaks for the test that is skipped")]
pub(crate) fn peer(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("DEPLOY_ACTION_TOOLS").map(PathBuf::from);
    let tools = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [tools.join("node_modules/.bin"), tools.join("venv/bin")];
    let found = folders.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name));
    if let Some(found) = found.into_iter().find(|file| file.is_file()) {
        return Some(found);
    }
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{name} is absent");
    eprintln!("skipped: {name} is absent");
    None
}

//! Requests a deployment as a visitor does: with a wrong hash it ends in "success" and answers 500 on every path.

use std::fmt::Write as _;
use std::time::Duration;

use api::{Base, Client, Error};
use fault::{Fault, Kind, Result};

use crate::manifest::Manifest;

const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A new address may take this long to answer everywhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// The paths to request: `/`, then `count - 1` paths of the manifest, evenly spread. Names that every server treats alike come first.
#[must_use]
pub fn paths(manifest: &Manifest, count: usize) -> Vec<String> {
    let all: Vec<String> = manifest.assets().iter().map(|asset| visited(&asset.file.path)).collect();
    let has_root = all.iter().any(|path| path == "/");
    let mut chosen: Vec<String> = if has_root && count > 0 { vec!["/".to_owned()] } else { Vec::new() };
    let others = all.iter().filter(|path| *path != "/" && *path != "/404");
    let (plain, odd): (Vec<&String>, Vec<&String>) = others.partition(|path| is_plain(path));
    for paths in [plain, odd] {
        let wanted = count.saturating_sub(chosen.len()).min(paths.len());
        chosen.extend((0..wanted).map(|at| paths[at * paths.len() / wanted].clone()));
    }
    chosen
}

/// Whether no server encodes, hides or rewrites it.
fn is_plain(path: &str) -> bool {
    !path.contains(['%', '~']) && !path.contains("/.")
}

/// The path under which Pages serves the asset, percent-encoded.
fn visited(path: &str) -> String {
    let clean = match path.strip_suffix(".html") {
        Some("index") => "",
        Some(page) => page.strip_suffix("index").filter(|folder| folder.ends_with('/')).unwrap_or(page),
        None => path,
    };
    let mut visited = String::from("/");
    for byte in clean.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            visited.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(visited, "%{byte:02X}");
        }
    }
    visited
}

/// Requests `path` below `url` until the answer is what `expect` allows.
///
/// # Errors
/// [`fault::Kind::Failed`] if it keeps failing, with the last answer.
pub async fn probe(client: &Client, url: &str, path: &str, expect: Expect) -> Result<()> {
    let base: Base = url.trim_end_matches('/').parse()?;
    let client = client.clone().at(base);
    let until = tokio::time::Instant::now() + PATIENCE.min(client.remaining());
    let mut pause = FIRST_PAUSE;
    loop {
        let Err(failed) = client.get(path).try_send().await else { return Ok(()) };
        if matches!(failed.error(), Error::Refused(refusal) if is_answer(refusal.status, expect)) {
            return Ok(());
        }
        if failed.is_hopeless() || tokio::time::Instant::now() + pause > until {
            let error = Fault::from(Error::from(failed));
            return Err(Fault { kind: Kind::Failed, ..error }
                .context(format!("`{url}{path}` does not answer as a deployed site does"))
                .help("look at the deployment in the dashboard; --probe 0 turns this check off"));
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
}

/// What a path is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// An asset: a 404 means it is not there.
    Asset,
    /// Answered by the site's code or rules: any answer except a server error is fine.
    Code,
}

/// Whether the site itself answered: 401 and 403 come from Cloudflare Access in front of previews.
fn is_answer(status: u16, expect: Expect) -> bool {
    match status {
        404 | 410 => expect == Expect::Code,
        429 => false,
        _ => status < 500,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Expect, is_answer, paths, visited};
    use crate::hash::AssetHash;
    use crate::manifest::{Asset, Manifest};
    use crate::tree::File;

    fn manifest(paths: &[&str]) -> Manifest {
        let asset = |path: &&str| Asset {
            file: File { path: (*path).to_owned(), source: PathBuf::new(), size: 0, modified: None, shared: None },
            hash: AssetHash::of(b"", ""),
            content_type: "text/html",
        };
        Manifest::new(paths.iter().map(asset).collect())
    }

    #[test]
    fn pages_are_visited_at_their_clean_addresses() {
        assert_eq!(visited("index.html"), "/");
        assert_eq!(visited("about/index.html"), "/about/");
        assert_eq!(visited("myindex.html"), "/myindex");
        assert_eq!(visited("café ☃.txt"), "/caf%C3%A9%20%E2%98%83.txt");
        assert_eq!(visited("a%b#c?.css"), "/a%25b%23c%3F.css");
    }

    #[test]
    fn the_root_comes_first_and_the_rest_is_spread() {
        let manifest = manifest(&["404.html", "a.css", "b.css", "c.css", "d.css", "index.html"]);
        assert_eq!(paths(&manifest, 3), ["/", "/a.css", "/c.css"]);
        assert_eq!(paths(&manifest, 0), Vec::<String>::new());
        assert_eq!(paths(&manifest, 99).len(), 5);
    }

    #[test]
    fn odd_names_are_requested_last() {
        let manifest = manifest(&["%.txt", ".well-known/x", "a b.css", "z.css"]);
        assert_eq!(paths(&manifest, 1), ["/z.css"]);
        assert_eq!(paths(&manifest, 2), ["/z.css", "/%25.txt"]);
        assert_eq!(paths(&manifest, 99).len(), 4);
    }

    #[test]
    fn a_missing_asset_and_a_server_error_are_no_answers() {
        assert!(is_answer(308, Expect::Asset));
        assert!(is_answer(401, Expect::Asset));
        assert!(!is_answer(404, Expect::Asset));
        assert!(is_answer(404, Expect::Code));
        assert!(!is_answer(500, Expect::Code));
    }
}

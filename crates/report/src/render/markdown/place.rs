//! Links: to a line of the repository, to a result.

use std::fmt::Write as _;

use super::escape::{cell, code};
use crate::{CodeOrigin, Finding};

/// The server of a repository if nothing names another.
pub(in crate::render) const SERVER: &str = "https://github.com";

/// A finding's place, linked where repository and commit are known; paths outside the repository are only named.
pub(super) fn link(source: &CodeOrigin, finding: &Finding) -> Option<String> {
    let path = finding.path.as_deref()?;
    let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
    let shown = code(&format!("{path}{line}"));
    Some(of_finding(source, finding).map_or(shown.clone(), |url| format!("[{shown}]({})", encode(&url))))
}

/// The address of a finding's line, not yet encoded, if its path is in the repository.
pub(in crate::render) fn of_finding(source: &CodeOrigin, finding: &Finding) -> Option<String> {
    let path = finding.path.as_deref()?;
    let outside = finding.outside
        || path.starts_with('/')
        || path.contains(':')
        || path.split(['/', '\\']).any(|part| part == "..");
    let (Some(repository), Some(commit), false) = (&source.repository, &source.commit, outside) else {
        return None;
    };
    let server = source.server_url.as_deref().unwrap_or(SERVER);
    let anchor = finding.line.map(|line| format!("#L{line}")).unwrap_or_default();
    let path = path.replace('%', "%25").replace('#', "%23").replace('?', "%3F").replace('\\', "/");
    Some(format!("{server}/{repository}/blob/{commit}/{path}{anchor}"))
}

/// An address as a link that shows its host; anything but a web address is only shown.
pub(super) fn address(url: &str) -> String {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) => format!("[{}]({})", cell(rest.trim_end_matches('/')), encode(url)),
        None => code(url),
    }
}

/// What may stand between the parentheses of a link: everything else is percent-encoded.
pub(in crate::render) fn encode(url: &str) -> String {
    let mut safe = String::with_capacity(url.len());
    for byte in url.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'+,;=%".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(safe, "%{byte:02X}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{address, link};
    use crate::{CodeOrigin, Finding, Level};

    fn finding(path: &str) -> Finding {
        Finding { path: Some(path.to_owned()), line: Some(4), ..Finding::new(Level::Error, "") }
    }

    #[test]
    fn a_path_of_the_repository_is_linked_at_the_commit() {
        let source = CodeOrigin {
            repository: Some("acme/shop".to_owned()),
            commit: Some("5ae7847".to_owned()),
            ..CodeOrigin::default()
        };
        assert_eq!(
            link(&source, &finding("src/a b).ts")).unwrap(),
            "[<code>src/a b).ts:4</code>](https://github.com/acme/shop/blob/5ae7847/src/a%20b%29.ts#L4)"
        );
        assert_eq!(link(&source, &finding("/abs.ts")).unwrap(), "<code>/abs.ts:4</code>");
        assert_eq!(link(&CodeOrigin::default(), &finding("x.ts")).unwrap(), "<code>x.ts:4</code>");
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(address("https://shop.pages.dev/"), "[shop.pages.dev](https://shop.pages.dev/)");
        assert_eq!(address("javascript:x"), "<code>javascript:x</code>");
    }
}

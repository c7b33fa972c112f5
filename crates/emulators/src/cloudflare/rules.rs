//! `_headers` and `_redirects`: path patterns with one `*` and `:placeholders`.

/// What a pattern matched: `splat`, or a placeholder's name, and the text.
pub(super) type Caught = Vec<(String, String)>;

/// Matches `path` against a pattern whose `*` takes anything and whose `:name` takes one segment.
pub(super) fn matched(pattern: &str, path: &str) -> Option<Caught> {
    let mut caught = Vec::new();
    let (mut pattern, mut path) = (pattern, path);
    loop {
        let special = pattern.find(['*', ':']).unwrap_or(pattern.len());
        path = path.strip_prefix(&pattern[..special])?;
        pattern = &pattern[special..];
        if let Some(after) = pattern.strip_prefix('*') {
            let taken = path.len().checked_sub(after.len()).filter(|_| path.ends_with(after))?;
            caught.push(("splat".to_owned(), path[..taken].to_owned()));
            return Some(caught);
        }
        let Some(after) = pattern.strip_prefix(':') else { return path.is_empty().then_some(caught) };
        let name = after.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(after.len());
        let segment = path.find('/').unwrap_or(path.len());
        if segment == 0 {
            return None;
        }
        caught.push((after[..name].to_owned(), path[..segment].to_owned()));
        (pattern, path) = (&after[name..], &path[segment..]);
    }
}

/// The first redirect for `path`: its target and its status.
pub(super) fn redirect(rules: &str, path: &str) -> Option<(String, u16)> {
    rules.lines().filter(|line| !line.trim_start().starts_with('#')).find_map(|line| {
        let mut words = line.split_whitespace();
        let (from, to) = (words.next()?, words.next()?);
        let status = words.next().map_or(Some(302), |word| word.parse().ok())?;
        let caught = matched(from, path)?;
        let target =
            caught.iter().fold(to.to_owned(), |target, (name, text)| target.replace(&format!(":{name}"), text));
        Some((target, status))
    })
}

/// The headers that the rules add to `path`, in order; `!` and a name remove one.
pub(super) fn headers(rules: &str, path: &str) -> Vec<(String, String)> {
    let mut applies = false;
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in rules.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        if !line.starts_with([' ', '\t']) {
            applies = matched(line.trim(), path).is_some();
        } else if applies {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('!') {
                headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name.trim()));
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::{headers, matched, redirect};

    #[test]
    fn a_splat_takes_the_rest_and_a_placeholder_one_segment() {
        assert_eq!(matched("/blog/*", "/blog/a/b"), Some(vec![("splat".to_owned(), "a/b".to_owned())]));
        assert_eq!(matched("/u/:id/x", "/u/7/x"), Some(vec![("id".to_owned(), "7".to_owned())]));
        assert_eq!(matched("/u/:id", "/u/7/x"), None);
        assert_eq!(matched("/a", "/a/"), None);
    }

    #[test]
    fn a_redirect_fills_in_what_it_caught() {
        let rules = "# moved\n/old /new\n/blog/* https://example.com/:splat 301\n";
        assert_eq!(redirect(rules, "/old"), Some(("/new".to_owned(), 302)));
        assert_eq!(redirect(rules, "/blog/a/b"), Some(("https://example.com/a/b".to_owned(), 301)));
        assert_eq!(redirect(rules, "/other"), None);
    }

    #[test]
    fn headers_of_every_matching_rule_add_up_and_can_be_taken_away() {
        let rules = "/*\n  X-Frame-Options: DENY\n  X-A: 1\n/open/*\n  ! X-Frame-Options\n";
        assert_eq!(headers(rules, "/").len(), 2);
        assert_eq!(headers(rules, "/open/x"), [("x-a".to_owned(), "1".to_owned())]);
    }
}

//! `image-tag`: images in manifests have a tag that means one image.
//!
//! Read line by line, not as YAML: Helm templates, HCL and Dockerfile-like files hold images too, and a finding needs its line.

use std::path::Path;

use formats::{Diagnostic, Location};
use report::Pattern;

use crate::gather::{matching, within};

/// What is asked of every image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    /// Keys that hold an image.
    pub(super) keys: &'a [String],
    /// What every image begins with.
    pub(super) repository: Option<&'a str>,
    /// Patterns of images that are accepted.
    pub(super) allow: &'a [String],
}

/// The longest file that is read: a manifest is written by people.
const LONGEST: u64 = 16 << 20;

/// What is wrong with the images of the files.
pub(super) fn found(folder: &Path, globs: &[String], rules: &Rules<'_>) -> Result<Vec<Diagnostic>, String> {
    let mut found = Vec::new();
    for glob in globs {
        let files = matching(&within(Some(folder), glob)).map_err(|fault| fault.message)?;
        if files.is_empty() {
            return Err(format!("`{glob}` matches no file"));
        }
        for path in files {
            let cannot = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
            if std::fs::metadata(&path).map_err(cannot)?.len() > LONGEST {
                return Err(format!("`{}` is larger than 16 MiB", path.display()));
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).map_err(cannot)?).into_owned();
            for (line, message) in wrong(&text, rules) {
                let place = Location::new(path.to_string_lossy(), i64::try_from(line).ok(), None);
                found.push(Diagnostic::error(message).rule(Some("image-tag")).at(place));
            }
        }
    }
    Ok(found)
}

/// Lines with what is wrong in them.
fn wrong(text: &str, rules: &Rules<'_>) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut wrong = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        for key in rules.keys {
            let Some((indent, value)) = entry(line, key) else { continue };
            let problem = if is_tag(key) {
                of_tag(&value).map(|problem| format!("`{key}` {problem}"))
            } else {
                image(&value, &lines[at + 1..], indent).and_then(|image| rules.judge(&image))
            };
            wrong.extend(problem.map(|problem| (at + 1, problem)));
        }
    }
    wrong
}

/// The value of a key in a line, and how far the line is indented: `- image: x`, `"image": "x",`, `image = "x"`.
fn entry(line: &str, key: &str) -> Option<(usize, String)> {
    let mut rest = line.trim_start();
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start();
    }
    let indent = line.len() - rest.len();
    let rest = rest.trim_start_matches(['"', '\'']).strip_prefix(key)?;
    let rest = rest.trim_start_matches(['"', '\'']).trim_start();
    let value = rest.strip_prefix(':').or_else(|| rest.strip_prefix('='))?;
    // `a:b` is one word of YAML.
    let separated = value.is_empty() || value.starts_with([' ', '\t']) || rest.starts_with('=') || line.contains('"');
    separated.then(|| (indent, plain(value)))
}

/// A value without its quotes, its comma and its comment.
fn plain(value: &str) -> String {
    let value = value.trim();
    let value = value.split_once(" #").map_or(value, |(value, _)| value).trim().trim_end_matches(',').trim_end();
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let quoted = quoted.or_else(|| value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')));
    quoted.unwrap_or(value).trim().to_owned()
}

/// The image of a key: its value, or put together from the entries of the table that follows.
fn image(value: &str, after: &[&str], indent: usize) -> Option<String> {
    if let Some(inline) = value.strip_prefix('{').and_then(|value| value.strip_suffix('}')) {
        let entries: Vec<&str> = inline.split(',').map(str::trim).collect();
        return assembled(&entries);
    }
    if !value.is_empty() && value != "{" {
        return Some(value.to_owned());
    }
    let depth = |line: &str| line.len() - line.trim_start().len();
    let inside = after.iter().filter(|line| !line.trim().is_empty()).take_while(|line| depth(line) > indent);
    let inside: Vec<&str> = inside.copied().collect();
    let first = inside.first().map(|line| depth(line))?;
    assembled(&inside.into_iter().filter(|line| depth(line) == first).collect::<Vec<_>>())
}

fn assembled(entries: &[&str]) -> Option<String> {
    let value = |key: &str| entries.iter().find_map(|line| entry(line, key)).map(|(_, value)| value);
    let mut image = value("repository")?;
    if let Some(registry) = value("registry").filter(|registry| !registry.is_empty()) {
        image = format!("{registry}/{image}");
    }
    match (value("digest").filter(|digest| !digest.is_empty()), value("tag").filter(|tag| !tag.is_empty())) {
        (Some(digest), _) => Some(format!("{image}@{digest}")),
        (None, Some(tag)) => Some(format!("{image}:{tag}")),
        (None, None) => Some(image),
    }
}

fn is_tag(key: &str) -> bool {
    key == "tag" || key.ends_with("Tag") || key.ends_with("_tag")
}

/// What is wrong with a tag alone.
fn of_tag(tag: &str) -> Option<&'static str> {
    match tag {
        "" => Some("is blank"),
        "latest" => Some("is `latest`, which is another image tomorrow"),
        _ => None,
    }
}

impl Rules<'_> {
    fn judge(&self, image: &str) -> Option<String> {
        let is_allowed =
            self.allow.iter().any(|allow| allow.parse::<Pattern>().is_ok_and(|allow| allow.matches(image)));
        // What a template puts in place is not known here.
        let is_template = image.starts_with(['$', '{']) || image.starts_with("<%");
        if is_allowed || is_template {
            return None;
        }
        if let Some(repository) = self.repository.filter(|repository| !is_below(image, repository)) {
            return Some(format!("image `{image}` is not in `{repository}`"));
        }
        if image.contains('@') {
            return None;
        }
        let name = image.rfind('/').map_or(image, |at| &image[at + 1..]);
        match name.split_once(':') {
            None => Some(format!("image `{image}` has no tag")),
            Some((_, tag)) => of_tag(tag).map(|problem| format!("the tag of image `{image}` {problem}")),
        }
    }
}

/// Whether an image is the repository's own, or in it.
fn is_below(image: &str, repository: &str) -> bool {
    let rest = image.strip_prefix(repository.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':', '@']))
}

#[cfg(test)]
mod tests {
    use super::{Rules, wrong};

    fn found(text: &str, keys: &[&str], repository: Option<&str>, allow: &[&str]) -> Vec<(usize, String)> {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        wrong(text, &Rules { keys: &owned(keys), repository, allow: &owned(allow) })
    }

    #[test]
    fn an_image_without_a_tag_or_with_latest_is_found_on_its_line() {
        for (text, problem) in [
            ("image: nginx", Some("has no tag")),
            ("  - image: nginx:latest  # now", Some("`latest`")),
            ("\"image\": \"nginx:latest\",", Some("`latest`")),
            ("image = \"nginx\"", Some("has no tag")),
            ("image: localhost:5000/nginx", Some("has no tag")),
            ("image: 'nginx:'", Some("blank")),
            ("image: nginx:1.27", None),
            ("image: localhost:5000/nginx:1.27", None),
            ("image: nginx@sha256:abc", None),
            ("image: {{ .Values.image }}", None),
            ("image: ghcr.io/a/b:{{ .Values.tag }}", None),
            ("image: ${IMAGE}", None),
            ("imagePullPolicy: Always", None),
            ("# image: nginx", None),
            ("image:\n  pullPolicy: Always", None),
        ] {
            let found = found(text, &["image"], None, &[]);
            assert_eq!(found.first().map(|(line, _)| *line), problem.map(|_| 1), "{text}");
            assert!(problem.is_none_or(|problem| found[0].1.contains(problem)), "{text}: {found:?}");
        }
    }

    #[test]
    fn an_image_in_parts_is_put_together() {
        let chart = "web:\n  image:\n    repository: ghcr.io/acme/web\n    # the tag\n    tag: latest\n  port: 1\n";
        assert_eq!(found(chart, &["image"], None, &[])[0].0, 2);
        assert!(found(chart, &["image"], None, &[])[0].1.contains("ghcr.io/acme/web:latest"));
        let fine = "image:\n  registry: ghcr.io\n  repository: acme/web\n  tag: \"1.2\"\n";
        assert!(found(fine, &["image"], Some("ghcr.io/acme"), &[]).is_empty());
        let none = "image: { repository: acme/web, pullPolicy: Always }";
        assert!(found(none, &["image"], None, &[])[0].1.contains("has no tag"));
        assert_eq!(
            found("tag: latest", &["tag"], None, &[])[0].1,
            "`tag` is `latest`, which is another image tomorrow"
        );
    }

    #[test]
    fn images_of_other_repositories_are_found_and_those_allowed_are_not() {
        let text = "image: ghcr.io/acme/web:1\nimage: ghcr.io/acme-x/web:1\nimage: busybox\nimage: postgres:16\n";
        let found = found(text, &["image"], Some("ghcr.io/acme"), &["postgres:*", "busybox"]);
        assert_eq!(found, [(2, "image `ghcr.io/acme-x/web:1` is not in `ghcr.io/acme`".to_owned())]);
    }
}

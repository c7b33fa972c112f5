//! A deployed site, served as Pages serves it: `_redirects`, clean URLs, `404.html` or a single page, `_headers`.

use super::rules;
use super::state::{Asset, Deployment, Progress, Project, State, alias};
use crate::http::{Request, Response};

/// `site` is the host without `.localhost`: a project, or a deployment's short id or alias in front of one.
pub(super) fn answer(state: &State, site: &str, request: &Request) -> Response {
    let found = match site.rsplit_once('.') {
        None => state.projects.get(site).and_then(|project| {
            let live = project.deployment(project.canonical.as_ref()?)?;
            Some((project, live))
        }),
        Some((label, name)) => state.projects.get(name).and_then(|project| {
            let newest_first = project.deployments.iter().rev();
            let one = newest_first.into_iter().find(|one| one.succeeded() && is_named(project, one, label))?;
            Some((project, one))
        }),
    };
    match found {
        Some((project, deployment)) => serve(project, deployment, request),
        None => Response::new(404, "text/html; charset=utf-8", "<h1>Nothing is here yet</h1>"),
    }
}

fn is_named(project: &Project, deployment: &Deployment, label: &str) -> bool {
    let of_branch = || alias(project, deployment).is_some_and(|alias| alias.split('.').next() == Some(label));
    deployment.short_id() == label || of_branch()
}

fn serve(project: &Project, deployment: &Deployment, request: &Request) -> Response {
    if deployment.progress == Progress::SucceedBroken {
        return Response::empty(500);
    }
    let path = decoded(&request.path);
    let redirects = deployment.text("_redirects").unwrap_or_default();
    let response = match rules::redirect(&redirects, &path) {
        Some((target, 200)) => page(project, deployment, &target),
        Some((target, status)) => Response::empty(status).header("location", with_query(target, &request.query)),
        None => page(project, deployment, &path),
    };
    let added = rules::headers(&deployment.text("_headers").unwrap_or_default(), &path);
    added.into_iter().fold(response, |response, (name, value)| response.header(&name, value))
}

/// Keeps the visitor's query, unless the rule has another one.
fn with_query(target: String, query: &str) -> String {
    if query.is_empty() || target.contains('?') { target } else { format!("{target}?{query}") }
}

fn page(project: &Project, deployment: &Deployment, path: &str) -> Response {
    let asset = |path: &str| {
        let (path, hash) = deployment.manifest.get_key_value(path)?;
        Some(Found { path, hash, asset: project.assets.get(hash) })
    };
    let moved = |to: &str| Response::empty(308).header("location", to);
    if let Some(clean) = path.strip_suffix("/index.html").filter(|_| asset(path).is_some()) {
        return moved(&format!("{clean}/"));
    }
    if let Some(clean) = path.strip_suffix(".html").filter(|_| asset(path).is_some()) {
        return moved(clean);
    }
    if let Some(found) = asset(path).or_else(|| asset(&format!("{path}.html"))) {
        return ok(200, &found);
    }
    if let Some(found) = path.strip_suffix('/').and_then(|folder| asset(&format!("{folder}/index.html"))) {
        return ok(200, &found);
    }
    if asset(&format!("{path}/index.html")).is_some() {
        return moved(&format!("{path}/"));
    }
    let mut folder = path;
    while let Some((parent, _)) = folder.rsplit_once('/') {
        if let Some(found) = asset(&format!("{parent}/404.html")) {
            return ok(404, &found);
        }
        folder = parent;
    }
    match asset("/index.html") {
        Some(found) => ok(200, &found),
        None => Response::empty(404),
    }
}

/// An entry of the manifest and, if it was ever uploaded, its asset.
struct Found<'a> {
    path: &'a str,
    hash: &'a str,
    asset: Option<&'a Asset>,
}

fn ok(status: u16, found: &Found<'_>) -> Response {
    // What the real service does with a wrong hash: the deployment is a success, and the path answers an empty 500.
    let Some(asset) = found.asset.filter(|asset| is_right(found.path, found.hash, asset)) else {
        return Response::empty(500);
    };
    let content_type = match asset.content_type.as_str() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    Response::new(status, &content_type, asset.bytes())
        .header("cache-control", "public, max-age=0, must-revalidate")
        .header("x-content-type-options", "nosniff")
}

/// Recomputes the hash: `BLAKE3(base64(bytes) ‖ extension)`, the first 32 hexadecimal digits.
fn is_right(path: &str, hash: &str, asset: &Asset) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    // Node's path.extname: nothing for a name whose only dot is its first character.
    let extension = name.rfind('.').filter(|dot| *dot > 0).map_or("", |dot| &name[dot + 1..]);
    blake3::Hasher::new().update(&asset.text).update(extension.as_bytes()).finalize().to_hex()[..32] == *hash
}

fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hexadecimal = path.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], hexadecimal) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

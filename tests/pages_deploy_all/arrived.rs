//! Deploys one tree with ours and with real wrangler, and takes down what reached the service of each.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use emulators::Cloudflare;
use emulators::http::{Part, Request, parts};

use crate::support::{Step, peer};

/// The folder with wrangler and the Node that it wants, as `./check` installs them.
pub(super) fn tools() -> Option<PathBuf> {
    Some(peer("wrangler")?.parent()?.to_owned())
}

/// What reached the service of one deployment: the form's parts in their order, and the assets.
#[derive(Debug, PartialEq)]
pub(super) struct Arrived {
    pub(super) manifest: serde_json::Value,
    pub(super) fields: Vec<Field>,
    /// The hashes that the store was asked for, and those that were marked as in use.
    pub(super) asked: BTreeSet<String>,
    pub(super) kept: BTreeSet<String>,
    /// The uploaded items of each key, as JSON: wrangler sends equal files more than once.
    pub(super) uploads: BTreeMap<String, BTreeSet<String>>,
    /// Name and content of the parts of `_worker.bundle`.
    pub(super) bundle: Vec<(String, Vec<u8>)>,
}

/// A part of the form, as it was sent.
#[derive(PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) content: Vec<u8>,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, file_name, content_type, content } = self;
        write!(out, "{name} ({file_name:?}, {content_type:?}): {:?}", String::from_utf8_lossy(content))
    }
}

/// The parts of the form inside the form. Pages, too, reads its boundary from the first line.
fn inner(request: &Request, bundle: &[u8]) -> Vec<(String, Vec<u8>)> {
    let first = bundle[2..].split(|byte| *byte == b'\r').next().unwrap();
    let content_type = format!("multipart/form-data; boundary={}", String::from_utf8_lossy(first));
    let mut request = request.clone();
    request.headers = vec![("content-type".to_owned(), content_type)];
    request.body = bundle.to_vec().into();
    parts(&request).unwrap().into_iter().map(|part| (part.name, part.body)).collect()
}

/// What arrived for `project`.
pub(super) fn arrived(requests: &[Request], project: &str) -> Arrived {
    let pattern = format!("POST *projects/{project}/deployments");
    let request = requests.iter().find(|request| request.matches(&pattern)).unwrap();
    let form = parts(request).unwrap();
    let manifest = form.iter().find(|part| part.name == "manifest").unwrap();
    let bundle = form.iter().find(|part| part.name == "_worker.bundle");
    Arrived {
        bundle: bundle.map(|part| inner(request, &part.body)).unwrap_or_default(),
        manifest: serde_json::from_slice(&manifest.body).unwrap(),
        asked: hashes(requests, "POST */assets/check-missing"),
        kept: hashes(requests, "POST */assets/upsert-hashes"),
        uploads: uploads(requests),
        fields: form.into_iter().filter(|part| part.name != "manifest").map(Field::from).collect(),
    }
}

impl From<Part> for Field {
    fn from(part: Part) -> Self {
        Self { name: part.name, file_name: part.file_name, content_type: part.content_type, content: part.body }
    }
}

fn hashes(requests: &[Request], pattern: &str) -> BTreeSet<String> {
    let bodies = requests.iter().filter(|request| request.matches(pattern)).map(Request::json);
    bodies.flat_map(|body| serde_json::from_value::<Vec<String>>(body["hashes"].clone()).unwrap()).collect()
}

fn uploads(requests: &[Request]) -> BTreeMap<String, BTreeSet<String>> {
    let mut uploads: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in requests.iter().filter(|request| request.matches("POST */assets/upload")) {
        for item in request.json().as_array().unwrap() {
            uploads.entry(item["key"].as_str().unwrap().to_owned()).or_default().insert(item.to_string());
        }
    }
    uploads
}

/// A repository on the branch `work` with the site `site`, whose files `fill` writes into its output; committed.
pub(super) fn repository(fill: impl Fn(&Path)) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let dist = root.path().join("sites/site/dist");
    fs::create_dir_all(&dist).unwrap();
    fill(&dist);
    git(root.path(), &["init", "-q", "-b", "work"]);
    git(root.path(), &["add", "-A"]);
    commit(root.path(), &format!("Subject\n\nBody é\n{}", "ü".repeat(150)));
    root
}

/// Commits what is added, or nothing.
pub(super) fn commit(folder: &Path, message: &str) {
    git(folder, &["commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m", message]);
}

/// Runs git with an identity.
pub(super) fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"];
    let done = Command::new("git").current_dir(folder).args(identity).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Deploys `site` with both, each to another service and with other arguments, and returns what arrived: theirs, ours.
pub(super) fn both<A: AsRef<OsStr>>(root: &Path, theirs: &[A], ours: &[A]) -> Option<(Arrived, Arrived)> {
    let programs = tools()?;
    let services = [Cloudflare::start(), Cloudflare::start()];
    for service in &services {
        service.project("site");
    }
    let site = root.join("sites/site");
    wrangler(&programs, &site, &services[0], theirs);
    // What wrangler leaves behind is not a part of the site.
    let _ = fs::remove_dir_all(site.join("node_modules"));
    let _ = fs::remove_dir_all(site.join(".wrangler"));
    let step = Step::new("pages-deploy-all").cloudflare(&services[1]).cloudflare_token(&services[1]);
    let step = step.env("PATH", format!("{}:/usr/bin:/bin", programs.display())).cwd(root);
    step.args(["--project-name", "site", "--follow-outside", "--probe", "0"])
        .args(ours.iter().map(AsRef::as_ref))
        .run()
        .exits(0);
    let [theirs, ours] = services.map(|service| arrived(&service.requests(), "site"));
    Some((theirs, ours))
}

/// Deploys with wrangler, which must call it a success; what it wrote for programs (`WRANGLER_OUTPUT_FILE_PATH`).
pub(super) fn wrangler(programs: &Path, site: &Path, service: &Cloudflare, extra: &[impl AsRef<OsStr>]) -> String {
    let outside = tempfile::tempdir().unwrap();
    let told = outside.path().join("told.ndjson");
    let mut command = wrangler_command(programs, site, outside.path(), service);
    command.args(["dist", "--project-name", "site"]).args(extra).env("WRANGLER_OUTPUT_FILE_PATH", &told);
    let done = command.output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
    fs::read_to_string(told).unwrap()
}

/// `wrangler pages deploy` in a clean environment with that home, outside of the repository.
pub(super) fn wrangler_command(programs: &Path, site: &Path, home: &Path, service: &Cloudflare) -> Command {
    let mut command = Command::new(programs.join("wrangler"));
    command
        .args(["pages", "deploy"])
        .current_dir(site)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("HOME", home)
        .envs([("CI", "true"), ("WRANGLER_SEND_METRICS", "false"), ("CLOUDFLARE_API_TOKEN", service.token())])
        .env("CLOUDFLARE_API_BASE_URL", service.url())
        .env("CLOUDFLARE_ACCOUNT_ID", service.account());
    command
}

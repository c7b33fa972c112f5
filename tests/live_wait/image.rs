//! Debian's `docker-registry`, the real one, which is strict about `Accept`.

use std::process::{Command, Stdio};

use emulators::Kubernetes;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::cluster::recording;
use super::{NEW, target, wait};
use crate::support::{Served, Step, peer};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A registry with nothing in it.
pub(super) struct Registry(Served);

impl Registry {
    pub(super) fn start(extra: &str) -> Option<Self> {
        peer("docker-registry")?;
        // `{port}` is put into arguments only, so a shell writes the configuration.
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: ./data}}, delete: {{enabled: true}}}}\nhttp: {{addr: 127.0.0.1:PORT}}\n{extra}"
        );
        let folder = tempfile::tempdir().unwrap().keep();
        std::fs::write(folder.join("template"), text).unwrap();
        let program = peer("docker-registry")?;
        let script = format!(
            "sed s/PORT/{{port}}/ {0}/template >config.yml; rm -r {0}; exec {1} serve config.yml",
            folder.display(),
            program.display()
        );
        Served::start("sh", &["-c", &script], &[("OTEL_TRACES_EXPORTER", "none")]).map(Self)
    }

    pub(super) fn address(&self) -> std::net::SocketAddr {
        self.0.address
    }

    fn name(&self) -> String {
        format!("{}/demo", self.0.address)
    }

    fn curl(&self, arguments: &[&str], path: &str, body: &[u8]) -> String {
        use std::io::Write as _;
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.0.url()) };
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-i", "--data-binary", "@-"]).args(arguments).arg(url);
        let mut curl = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        curl.stdin.take().unwrap().write_all(body).unwrap();
        String::from_utf8_lossy(&curl.wait_with_output().unwrap().stdout).into_owned()
    }

    fn blob(&self, bytes: &[u8]) -> String {
        let begun = self.curl(&["-X", "POST"], "/v2/demo/blobs/uploads/", b"");
        let location = begun.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().trim();
        let digest = sha256(bytes);
        let joint = if location.contains('?') { '&' } else { '?' };
        let put = self.curl(
            &["-X", "PUT", "-H", "Content-Type: application/octet-stream"],
            &format!("{location}{joint}digest={digest}"),
            bytes,
        );
        assert!(put.contains(" 201 "), "{put}");
        digest
    }

    fn put(&self, name: &str, kind: &str, document: &Value) -> String {
        let bytes = document.to_string();
        let header = format!("Content-Type: {kind}");
        let put = self.curl(&["-X", "PUT", "-H", &header], &format!("/v2/demo/manifests/{name}"), bytes.as_bytes());
        assert!(put.contains(" 201 "), "{put}");
        sha256(bytes.as_bytes())
    }

    /// Pushes an image of one platform; its digest.
    pub(super) fn push(&self, name: &str, architecture: &str, revision: &str) -> String {
        let label = json!({"org.opencontainers.image.revision": revision});
        let config = json!({"os": "linux", "architecture": architecture, "config": {"Labels": label}, "rootfs": {"type": "layers", "diff_ids": []}});
        let config = config.to_string();
        let digest = self.blob(config.as_bytes());
        let config =
            json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len()});
        self.put(name, MANIFEST, &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}))
    }

    /// Pushes an index of images that are there.
    fn index(&self, name: &str, images: &[(&str, &str)]) -> String {
        let entry = |(architecture, digest): &(&str, &str)| {
            let size = self.curl(
                &["-X", "GET", "-H", &format!("Accept: {MANIFEST}")],
                &format!("/v2/demo/manifests/{digest}"),
                b"",
            );
            let size = size.rsplit("\r\n\r\n").next().unwrap().len();
            json!({"mediaType": MANIFEST, "digest": digest, "size": size, "platform": {"os": "linux", "architecture": architecture}})
        };
        let manifests: Vec<Value> = images.iter().map(entry).collect();
        self.put(name, INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
    }
}

fn sha256(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    hash.as_ref().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn a_tag_that_is_there_is_printed_with_its_digest() {
    let Some(registry) = Registry::start("") else { return };
    let digest = registry.push("sha-1", "amd64", NEW);
    registry.push("latest", "amd64", NEW);
    let name = registry.name();
    let step = wait("image").args([&format!("{name}:sha-1"), "--also", "latest", "--platform", "linux/amd64"]);
    let label = format!("org.opencontainers.image.revision={}", &NEW[..7]);
    let seen = step.args(["--label", &label, "--digest", &digest, "--format", "text"]);
    assert_eq!(seen.run().exits(0).stdout, format!("{name}@{digest}\n"));
}

/// The two lines of docs/live-wait.md, on a cluster that runs what the registry serves.
#[test]
fn the_pinned_reference_is_handed_on_through_a_file_to_what_has_to_run_it() {
    let Some(registry) = Registry::start("") else { return };
    let digest = registry.push("sha-1", "amd64", NEW);
    registry.push("latest", "amd64", NEW);
    let recorded = std::fs::read_to_string(recording("deployment-digest")).unwrap();
    let runs = recorded.split("registry.test/demo@").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let recorded = recorded.replace("registry.test/demo", &registry.name());
    let cluster = |running: &str| {
        let kubernetes = Kubernetes::start(&recorded.replace(&runs, running));
        let script = format!(
            "live-wait image \"{}:sha-$COMMIT\" --also latest --platform linux/amd64 > pinned\n\
             xargs live-wait kube deployment/web -n deployment-digest --stable 0.2s --interval 0.1s --deadline 2s --image < pinned",
            registry.name()
        );
        let step = Step::script(&script).plain().env("COMMIT", "1").file("kubeconfig", kubernetes.kubeconfig());
        (step.env("KUBECONFIG", "kubeconfig").knowing(kubernetes.secrets()).run(), kubernetes)
    };
    let (seen, _) = cluster(&digest);
    assert!(seen.exits(0).stderr.contains("at the digest of"));
    let (seen, _) = cluster(&format!("sha256:{}", "0".repeat(64)));
    // xargs has one code for every failure of its command.
    assert!(seen.exits(123).stderr.contains("runs sha256:0000"));
}

#[test]
fn an_index_lists_what_can_be_pulled_or_is_not_live_for_it() {
    let Some(registry) = Registry::start("") else { return };
    let (amd, arm) = (registry.push("one", "amd64", NEW), registry.push("two", "arm64", NEW));
    registry.index("multi", &[("amd64", &amd), ("arm64", &arm)]);
    // As the cleaning of untagged versions does it.
    let deleted = registry.curl(&["-X", "DELETE"], &format!("/v2/demo/manifests/{arm}"), b"");
    assert!(deleted.contains(" 202 "), "{deleted}");
    let name = format!("{}:multi", registry.name());
    let asks = |platform: &str| wait("image").args([&name, "--platform", platform, "--deadline", "1s"]).run();
    asks("linux/amd64").exits(0);
    let found = target(&asks("linux/arm64").exits(3));
    let why = found["reason"]["text"].as_str().unwrap();
    assert!(why.contains("lists linux/arm64, and the manifest of it is not there"), "{found}");
}

#[test]
fn an_index_is_seen_as_it_is_and_a_platform_that_is_missing_is_named() {
    let Some(registry) = Registry::start("") else { return };
    let amd = registry.push("one", "amd64", NEW);
    let index = registry.index("multi", &[("amd64", &amd)]);
    // Without the full Accept this registry answers 404 for an index that is there.
    let bare = registry.curl(&["-X", "GET"], "/v2/demo/manifests/multi", b"");
    assert!(bare.contains(" 404 "), "{bare}");
    let name = format!("{}:multi", registry.name());
    let found = target(&wait("image").args([&name, "--platform", "linux/amd64"]).run().exits(0));
    assert_eq!(found["result"], format!("{}@{index}", registry.name()));
    let step = wait("image").args([&name, "--platform", "linux/amd64,linux/arm64", "--deadline", "1s"]);
    let found = target(&step.run().exits(3));
    assert!(found["reason"]["text"].as_str().unwrap().contains("not for linux/arm64; it has linux/amd64"), "{found}");
}

#[test]
fn an_index_without_manifests_is_not_there() {
    let Some(registry) = Registry::start("") else { return };
    registry.index("empty", &[]);
    let found = target(&wait("image").args([&format!("{}:empty", registry.name()), "--deadline", "1s"]).run().exits(3));
    assert!(found["reason"]["text"].as_str().unwrap().contains("an index without manifests"), "{found}");
}

#[test]
fn a_tag_that_comes_later_is_waited_for_and_one_that_never_comes_is_3() {
    let Some(registry) = Registry::start("") else { return };
    let name = format!("{}:later", registry.name());
    let found = target(&wait("image").args([&name, "--deadline", "1s"]).run().exits(3));
    assert!(found["reason"]["text"].as_str().unwrap().contains("answered 404"), "{found}");
    let started = wait("image").arg(&name).spawn();
    registry.push("later", "amd64", NEW);
    started.finish().exits(0);
}

#[test]
fn latest_at_another_digest_is_not_this() {
    let Some(registry) = Registry::start("") else { return };
    let digest = registry.push("sha-1", "amd64", NEW);
    let other = registry.push("latest", "amd64", "0000000");
    let step = wait("image").args([&format!("{}:sha-1", registry.name()), "--also", "latest", "--deadline", "1s"]);
    let found = target(&step.run().exits(3));
    assert!(
        found["reason"]["text"].as_str().unwrap().starts_with(&format!("`latest` is {other}, not {digest}")),
        "{found}"
    );
}

#[test]
fn a_registry_with_a_login_takes_it_from_docker_s_file_a_helper_or_the_environment() {
    // htpasswd -nbB user hunter2-hunter2
    let python = "import crypt; print('user:' + crypt.crypt('hunter2-hunter2', crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)).replace('$2b$', '$2y$'))";
    let made = Command::new("python3").args(["-W", "ignore", "-c", python]).output().unwrap();
    if !made.status.success() {
        crate::support::skipped("python3 has no crypt module");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("htpasswd");
    std::fs::write(&file, made.stdout).unwrap();
    let Some(registry) = Registry::start(&format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", file.display()))
    else {
        return;
    };
    let reference = format!("{}:sha-1", registry.name());
    let asks = || wait("image").args([reference.as_str(), "--deadline", "2s"]).secret("hunter2-hunter2");
    let found = target(&asks().run().exits(77));
    assert!(
        found["reason"]["text"].as_str().unwrap().contains("absent, or it is private and there is no login"),
        "{found}"
    );
    let login =
        |step: Step| step.env("REGISTRY_USERNAME", "user").workflow_secret("REGISTRY_PASSWORD", "hunter2-hunter2");
    // It may be seen, and is not there: not yet.
    login(asks()).run().exits(3);
    asks().env("REGISTRY_USERNAME", "user").env("REGISTRY_PASSWORD", "wrong-wrong-wrong").run().exits(77);
    let auth = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "user:hunter2-hunter2");
    let host = registry.0.address.to_string();
    let config = json!({"auths": {&host: {"auth": auth}}}).to_string();
    asks().file("docker/config.json", config).env("DOCKER_CONFIG", "docker").run().exits(3);
    let helper = "#!/bin/sh\nread -r server\n[ \"$1\" = get ] && printf '{\"ServerURL\":\"%s\",\"Username\":\"user\",\"Secret\":\"hunter2-hunter2\"}' \"$server\"\n";
    let config = json!({"credHelpers": {&host: "test"}}).to_string();
    let step = asks().file("docker/config.json", &config).file("bin/docker-credential-test", helper);
    let bin = step.folder().join("bin");
    let program = bin.join("docker-credential-test");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    step.env("DOCKER_CONFIG", "docker").env("PATH", format!("{}:/usr/bin:/bin", bin.display())).run().exits(3);
    let seen = asks().file("docker/config.json", &config).env("DOCKER_CONFIG", "docker").run().exits(77);
    assert!(seen.stderr.contains("docker-credential-test"), "{}", seen.stderr);
}

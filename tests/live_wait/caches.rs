//! The real nginx as a cache.

use std::process::{Child, Command, Stdio};

use super::server::{Server, answer};
use super::{NEW, OLD, evidence, target, wait};
use crate::support::peer;

/// nginx with a cache in front of a server; ended when dropped.
struct Nginx {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Nginx {
    fn start(behind: &Server) -> Option<Self> {
        let program = peer("nginx")?;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary: String =
            temporary.iter().map(|name| format!("{name}_temp_path {path}/{name};\n")).collect::<Vec<_>>().concat();
        let text = format!(
            "daemon off; pid {path}/pid; error_log {path}/error.log;\nevents {{}}\nhttp {{\n{temporary}access_log off;\n\
             proxy_cache_path {path}/cache keys_zone=one:1m;\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{}; proxy_cache one; proxy_cache_valid 200 1h;\n\
             add_header X-Cache-Status $upstream_cache_status; }} }} }}\n",
            behind.address
        );
        std::fs::write(folder.path().join("conf"), text).unwrap();
        let mut command = Command::new(program);
        command.args(["-p", &path, "-c", &format!("{path}/conf"), "-e", &format!("{path}/start.log")]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || std::fs::read_to_string(folder.path().join("start.log")).unwrap_or_default();
            assert!(child.try_wait().unwrap().is_none(), "nginx has ended: {}", log());
            std::thread::yield_now();
        }
        Some(Self { child, port, _folder: folder })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end when their master has been told to.
        let _ended = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _reaped = self.child.wait();
    }
}

#[test]
fn a_cache_that_serves_the_old_version_is_quoted_and_bypassed_only_on_demand() {
    let server = Server::start("127.0.0.1", 0, |_| answer("200 OK", "", &format!("build {OLD}")));
    let Some(nginx) = Nginx::start(&server) else { return };
    let url = format!("http://127.0.0.1:{}/", nginx.port);
    let asks =
        || wait("http").args([url.as_str(), "--text", "build ([0-9a-f]{40})", "--revision", NEW, "--deadline", "1s"]);
    asks().run().exits(3);
    server.answers(|_| answer("200 OK", "", &format!("build {NEW}")));
    let found = target(&asks().run().exits(3));
    let why = found["reason"]["text"].as_str().unwrap();
    assert!(why.contains("x-cache-status: HIT") && why.contains(OLD), "{why}");
    let found = target(&asks().args(["--bypass-cache", "--deadline", "20s"]).run().exits(0));
    assert!(evidence(&found).contains("asked past caches"), "{found}");
}

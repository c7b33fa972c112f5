//! A release on loopback: an archive of small programs, and the `dist.json` that lists them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::composite::Job;
use super::{SYSTEM, tools};
use crate::support::Served;

pub(super) const ARCHIVE: &str = "deploy-action-1.2.3-x86_64-unknown-linux-musl.tar.gz";

/// A release with small programs, on a loopback server.
pub(super) struct Release {
    pub(super) folder: PathBuf,
    pub(super) server: Served,
    pub(super) dist: String,
}

pub(super) fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

impl Release {
    /// Programs that print their version. `None` if there is no Python to serve it.
    pub(super) fn start() -> Option<Self> {
        Self::of(|tool| format!("#!/bin/sh\necho '{tool} 1.2.3'\n"))
    }

    /// Programs with these texts.
    pub(super) fn of(text: impl Fn(&str) -> String) -> Option<Self> {
        let server = Served::start("python3", &["-m", "http.server", "{port}", "--bind", "127.0.0.1"], &[])?;
        let folder = server.folder().to_owned();
        fs::create_dir_all(folder.join("files/bin")).unwrap();
        let mut programs = Vec::new();
        for tool in tools() {
            let file = folder.join("files/bin").join(&tool);
            fs::write(&file, text(&tool)).unwrap();
            executable(&file);
            programs.push(format!("        \"{tool}\": \"{}\"", sha256(&file)));
        }
        let packed = Command::new("tar").args(["-czf", ARCHIVE, "-C", "files", "."]).current_dir(&folder).status();
        assert!(packed.unwrap().success());
        let mut dist = String::from("{\n  \"schema_version\": 1,\n  \"version\": \"1.2.3\",\n");
        writeln!(dist, "  \"source\": \"{}\",\n  \"base_url\": \"{}\",", "0".repeat(40), server.url()).unwrap();
        writeln!(dist, "  \"targets\": {{\n    \"x86_64-unknown-linux-musl\": {{").unwrap();
        writeln!(dist, "      \"archive\": \"{ARCHIVE}\",").unwrap();
        writeln!(dist, "      \"sha256\": \"{}\",", sha256(&folder.join(ARCHIVE))).unwrap();
        writeln!(dist, "      \"size_bytes\": 1,\n      \"programs\": {{\n{}", programs.join(",\n")).unwrap();
        dist += "      }\n    }\n  }\n}\n";
        Some(Self { folder, server, dist })
    }

    pub(super) fn archive(&self) -> PathBuf {
        self.folder.join(ARCHIVE)
    }

    /// A job whose checkout of the action is this release, with a cargo that only leaves a mark.
    pub(super) fn job(&self, programs: &[&str]) -> Job {
        let mut job = Job::new(&[SYSTEM.as_slice(), programs].concat());
        fs::write(job.action().join("dist.json"), &self.dist).unwrap();
        job.program("cargo", "#!/bin/sh\n: >\"$0.called\"\nexit 101\n");
        job
    }
}

pub(super) fn executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

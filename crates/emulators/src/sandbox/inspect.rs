//! Summarizes in a few lines of text what the services and the runner saw.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::Sandbox;
use super::services::count;
use crate::{Runner, leaks};

impl Sandbox {
    /// The end of `emulate`'s output. `runner` has read the command's streams, if it ran as a step.
    #[must_use]
    pub fn summary(&self, runner: &mut Runner) -> String {
        let mut text = String::from("What the stand-ins saw\n");
        let mut row = |name: &str, what: String| writeln!(text, "  {name:<11} {what}").expect("text grows");
        let services = &self.services;
        row("Doppler", requests(&services.doppler.requests()));
        row("Cloudflare", requests(&services.cloudflare.requests()));
        row("GitHub", requests(&services.github.requests()));
        row("Pulumi", requests(&services.pulumi.requests()));
        match &services.sshd {
            Some(sshd) => row("SSH", count(sshd.connections(), "connection")),
            None => row("SSH", crate::sshd::ABSENT.to_owned()),
        }
        let file = |name: &str| fs::read_to_string(self.folder().join(name)).unwrap_or_default();
        let (outputs, variables) = (runner.file("output", &file("output")), runner.file("env", &file("env")));
        let summary = runner.summary(&file("summary.md"));
        let parts = [
            count(runner.masks().len(), "mask"),
            count(runner.annotations.len(), "annotation"),
            count(outputs.len(), "output"),
            count(variables.len(), "variable"),
            format!("a summary of {} bytes", summary.len()),
        ];
        row("the runner", parts.join(", "));
        for complaint in &runner.complaints {
            row("", complaint.clone());
        }
        let leaks = self.leaks(&summary);
        row("leaks", if leaks.is_empty() { "none".to_owned() } else { leaks.join(", ") });
        text
    }

    /// The places that hold a secret and must not: the summary as shown, and files left in the temporary folder.
    #[must_use]
    pub fn leaks(&self, summary: &str) -> Vec<String> {
        let secrets = self.secrets();
        let holds = |text: &[u8]| secrets.iter().any(|secret| leaks(text, secret).is_some());
        let summary = holds(summary.as_bytes()).then(|| "the job summary".to_owned());
        let left = files(&self.folder().join("temp")).into_iter();
        let left = left.filter(|path| holds(&fs::read(path).unwrap_or_default()));
        summary.into_iter().chain(left.map(|path| path.display().to_string())).collect()
    }
}

fn requests(requests: &[crate::Request]) -> String {
    let refused = requests.iter().filter(|request| request.status >= 400).count();
    let all = count(requests.len(), "request");
    if refused == 0 { all } else { format!("{all}, {refused} refused") }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

//! Asks git.

use std::path::Path;
use std::process::{Command, Stdio};

/// The output of git in `folder`; the error is one sentence.
pub(super) fn output(folder: &Path, words: &[&str], paths: &[String]) -> Result<String, String> {
    // In a container the workspace belongs to another user, which git refuses otherwise.
    let mut command = Command::new("git");
    command.args(["-c", "safe.directory=*", "-c", "core.quotePath=false", "-C"]).arg(folder).args(words);
    command.env_remove("GIT_DIR").env("GIT_OPTIONAL_LOCKS", "0");
    if !paths.is_empty() {
        command.arg("--").args(paths);
    }
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("cannot start git: {error}; install it"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git {} failed: {}", words[0], text.lines().next().unwrap_or_default()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same, split at the NUL bytes that `-z` ends each path with.
pub(super) fn lines(folder: &Path, words: &[&str], paths: &[String]) -> Result<Vec<String>, String> {
    let output = output(folder, words, paths)?;
    Ok(output.split('\0').filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

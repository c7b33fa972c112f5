//! Builds a site: its command in its folder, its log kept, and nothing in its environment that it was not given by name.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use child::{Child, OutputMode, ProcessEnd, Tail};
use fault::{Fault, Result};
use runner::Environment;

/// What every build gets: where programs and files are, how text is written. Nothing in it is a credential.
const ALWAYS: [&str; 28] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "CI",
    "GITHUB_ACTIONS",
    "PNPM_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    // Windows cannot start programs without these.
    "SystemRoot",
    "SystemDrive",
    "ComSpec",
    "PATHEXT",
    "TEMP",
    "TMP",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramFiles",
    "ProgramData",
];

/// Credentials of this tool: no build needs them, and a build runs other people's code.
const NEVER: [&str; 8] = [
    "DOPPLER_TOKEN",
    "CLOUDFLARE_API_TOKEN",
    "CLOUDFLARE_API_KEY",
    "CF_API_TOKEN",
    "SSH_PRIVATE_KEY",
    "GITHUB_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE",
];

/// Lines of a failed build's log that are shown.
const TAIL: usize = 30;

/// Variables for builds.
pub(crate) type Variables = Vec<(String, String)>;

/// The variables that a build gets: the harmless ones and those named. This tool's own credentials cannot be named.
pub(crate) fn variables(environment: &Environment, named: &[String]) -> Result<Variables> {
    if let Some(name) = named.iter().find(|name| NEVER.iter().any(|never| name.eq_ignore_ascii_case(never))) {
        return Err(Fault::usage(format!("--build-env cannot give builds {name}"))
            .cause("a build runs code of all its dependencies")
            .help("give the build another token, under another name"));
    }
    let wanted = |name: &str| {
        // On Windows, `Path` and `PATH` are the same variable.
        ALWAYS.iter().any(|always| name == *always || (cfg!(windows) && name.eq_ignore_ascii_case(always)))
            || named.iter().any(|one| one == name)
    };
    Ok(environment
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

/// How a build failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What happened.
    pub(crate) fault: Fault,
    /// The last lines of its log, untrusted.
    pub(crate) tail: Vec<Vec<u8>>,
    /// Its exit code, if it ended by itself.
    pub(crate) code: Option<i32>,
}

/// The last lines that a program has written so far, untrusted.
#[derive(Debug)]
pub(crate) struct Log(RefCell<Tail>);

impl Default for Log {
    fn default() -> Self {
        Self(RefCell::new(Tail::new(TAIL)))
    }
}

impl Log {
    /// The lines.
    pub(crate) fn tail(&self) -> Vec<Vec<u8>> {
        self.0.borrow().lines()
    }
}

/// Runs the shell command `command` in `folder` until it ends.
pub(crate) async fn run(command: &str, folder: &Path, variables: &Variables, log: &Log) -> Result<(), Box<Failure>> {
    let failed = |message: String| Box::new(Failure { fault: Fault::failed(message), tail: Vec::new(), code: None });
    let shell = if cfg!(windows) { ["cmd", "/C"] } else { ["sh", "-c"] };
    let words: Vec<OsString> = shell.into_iter().chain([command]).map(OsString::from).collect();
    let status = supervise(&words, folder, variables, log)
        .await
        .map_err(|error| failed(format!("the build cannot be started: {error}")))?;
    if status.is_success() {
        return Ok(());
    }
    Err(Box::new(Failure {
        fault: Fault::failed(format!("the build {status}")).cause(format!("`{command}` in `{}`", folder.display())),
        tail: log.tail(),
        code: status.code(),
    }))
}

/// Runs a program and its arguments in `folder` with the variables of a build until it ends. Dropped before that, or if this process
/// ends in any way, it is killed with everything it started. What it leaves running after its own end may be a daemon that serves the
/// next build too.
pub(crate) async fn supervise(
    words: &[OsString],
    folder: &Path,
    variables: &Variables,
    log: &Log,
) -> std::io::Result<ProcessEnd> {
    let (program, arguments) = words.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    let path = path(folder, variables);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env_clear().envs(variables.iter().map(|(name, value)| (name, value))).env("PATH", path);
    let build = Child::start(command, OutputMode::Joined)?;
    let ended = build.wait(std::future::pending(), |_, bytes| {
        log.0.borrow_mut().push(bytes);
    });
    Ok(ended.await?.status)
}

/// The site's own wrangler, if its dependencies or the `PATH` have one.
pub(crate) fn wrangler(folder: &Path, variables: &Variables) -> Option<PathBuf> {
    let name = if cfg!(windows) { "wrangler.cmd" } else { "wrangler" };
    std::env::split_paths(&path(folder, variables)).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// `PATH` with the programs of the site's dependencies in front, as package managers do.
fn path(folder: &Path, variables: &Variables) -> OsString {
    let given = variables.iter().find(|(name, _)| name.eq_ignore_ascii_case("PATH")).map_or("", |(_, value)| value);
    let absolute = std::path::absolute(folder).unwrap_or_else(|_unknown| folder.to_path_buf());
    let own = absolute.ancestors().map(|folder| folder.join("node_modules/.bin")).filter(|folder| folder.is_dir());
    let all: Vec<PathBuf> = own.chain(std::env::split_paths(given)).collect();
    // A directory with a colon in its name cannot be on a PATH at all.
    std::env::join_paths(all).unwrap_or_else(|_unusable| given.into())
}

#[cfg(test)]
mod tests {
    use runner::Environment;

    use super::{Log, Variables, run, variables};

    fn environment() -> Environment {
        let pairs = [
            ("PATH", "/usr/bin:/bin"),
            ("HOME", "/h"),
            ("CLOUDFLARE_API_TOKEN", "t"),
            ("API_URL", "https://x"),
            ("NPM_TOKEN", "n"),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn names(variables: &Variables) -> Vec<&str> {
        let mut names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_build_gets_only_what_is_named_and_never_our_credentials() {
        assert_eq!(names(&variables(&environment(), &[]).unwrap()), ["HOME", "PATH"]);
        assert_eq!(names(&variables(&environment(), &["API_URL".to_owned()]).unwrap()), ["API_URL", "HOME", "PATH"]);
        let fault = variables(&environment(), &["CLOUDFLARE_API_TOKEN".to_owned()]).unwrap_err();
        assert_eq!(fault.kind, fault::Kind::Usage);
    }

    #[cfg(unix)]
    #[test]
    fn a_failed_build_tells_its_code_and_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let command = "for i in $(seq 100); do echo line $i; done; echo last >&2; exit 3";
        let variables = variables(&environment(), &[]).unwrap();
        let failure = cli::block_on(run(command, folder.path(), &variables, &Log::default())).unwrap().unwrap_err();
        assert_eq!(failure.code, Some(3));
        assert_eq!(failure.tail.len(), 30);
        assert_eq!(failure.tail[28..], [b"line 100".to_vec(), b"last".to_vec()]);
    }
}

//! The way back of a release as one step of the host, which goes on with it when we are gone: the link, the activation, the checks,
//! the rollback command.

use std::time::Duration;

use ssh::{InstalledReleases, Interpreter, Step, quote};

use super::releases::variables;
use crate::plan::Plan;

/// How the script begins. Each part is a file beside the script, which the host removes even after SIGKILL, under the shell that it
/// would have as a step; the message of the part that failed is the last line of stderr.
const BEGIN: &str = r#"sd_own=$0.parts
mkdir -p "$sd_own" || exit 96
trap 'rm -rf "$sd_own"' EXIT
trap 'exit 143' TERM
sd_shell='sh -e'
! command -v bash >/dev/null || sd_shell='bash -eo pipefail'
sd_fail() { echo "$1" >&2; exit 1; }

# Runs a check, for so many seconds at most.
sd_try() {
  (
    trap 'exit' TERM
    sd_waited=0
    while [ "$sd_waited" -lt "$1" ]; do sleep 1; sd_waited=$((sd_waited + 1)); done
    read -r sd_pid <"$sd_own/pid" && kill -TERM "$sd_pid"
  ) >/dev/null 2>&1 &
  sd_timer=$!
  sh -c 'echo "$$" >"$1"; shift; exec "$@"' ssh-deploy "$sd_own/pid" $sd_shell "$sd_own/$2"
  sd_code=$?
  kill -TERM "$sd_timer" 2>/dev/null
  return "$sd_code"
}

# Tries a check until it passes.
sd_wait_for() {
  sd_begun=$(date +%s)
  while :; do
    sd_left=$((sd_begun + sd_limit - $(date +%s)))
    [ "$sd_left" -gt 0 ] || sd_left=1
    ! sd_try "$sd_left" "$2" || return 0
    [ $(($(date +%s) + sd_interval)) -lt $((sd_begun + sd_limit)) ] || sd_fail "$1: exit code $sd_code"
    sleep "$sd_interval"
  done
}
"#;

/// A script that is being written.
struct Script {
    text: Vec<u8>,
    /// The line that ends a file in it.
    end: String,
}

impl Script {
    fn line(&mut self, line: &str) {
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
    }

    fn file(&mut self, name: &str, content: &[u8]) {
        let end = self.end.clone();
        self.line(&format!("cat >\"$sd_own/{name}\" <<'{end}'"));
        self.text.extend_from_slice(content);
        if !content.ends_with(b"\n") {
            self.text.push(b'\n');
        }
        self.line(&end);
    }
}

/// The step that makes `good` current again, activates and checks it, and then runs the rollback command.
pub(super) fn switch_back(plan: &Plan, found: &InstalledReleases, good: &str) -> Step {
    let post = &plan.post_deploy;
    let mut script = Script { text: BEGIN.as_bytes().to_vec(), end: format!("SD_{}", ssh::random_word()) };
    let (base, id) = (quote(&found.base), quote(good));
    script.line(&format!("sd_limit={} sd_interval={}", seconds(post.check_timeout), seconds(post.check_interval)));
    script.file("switch", ssh::switch_program().as_bytes());
    script.line(&format!("sd_answer=$(sh \"$sd_own/switch\" switch {base} {id} {} 2>/dev/null)", quote(&found.method)));
    script.line("[ \"$sd_answer\" = switched ] || sd_fail 'switch: the link could not be replaced'");
    if let Some(activate) = plan.release.as_ref().and_then(|release| release.activate.as_ref()) {
        script.file("activate", &activate.script);
        let set = variables(good, found.good.as_deref());
        let set: Vec<String> = set.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
        script.line(&format!(
            "(cd {base}/current && export {} && exec $sd_shell \"$sd_own/activate\") || sd_fail \"activate: exit code $?\"",
            set.join(" ")
        ));
    }
    for check in &post.checks {
        script.file(&check.step.name, &check.step.script);
        script.line(&format!("sd_wait_for {} {}", quote(&check.name), check.step.name));
    }
    if !post.checks.is_empty() {
        script.line("sleep \"$sd_interval\"");
    }
    for check in &post.checks {
        let failed = quote(&format!("{}: it passed and then failed", check.name));
        script.line(&format!("sd_try \"$sd_limit\" {} || sd_fail {failed}", check.step.name));
    }
    if let Some(rollback) = &post.rollback {
        script.file("rollback", &rollback.script);
        script.line("echo '-- rollback'");
        script.line("$sd_shell \"$sd_own/rollback\" || sd_fail \"rollback: exit code $?\"");
    }
    Step {
        interpreter: Interpreter::Words(vec!["sh".to_owned()]),
        sudo: plan.preflight.sudo.clone(),
        patience: post.rollback_timeout,
        ..Step::new("switchback", script.text)
    }
}

/// Whole seconds, at least one: not every `sleep` takes a part of one.
fn seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

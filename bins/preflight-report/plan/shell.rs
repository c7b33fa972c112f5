//! How a check's command is started: with which shell, in which directory, with which variables.

use std::path::Path;
use std::process::{Command, Stdio};

use child::Shell;
use plan::{Variable, Work};

/// The words to execute for a command of the plan. `shell` is for scripts that name none.
pub(super) fn command_line(shell: Shell, command: &plan::Command) -> Vec<String> {
    match (&command.work, &command.shell) {
        (Work::Program(words), _) => words.clone(),
        (Work::Script(script), Some(shell)) => [shell.as_slice(), std::slice::from_ref(script)].concat(),
        (Work::Script(script), None) => {
            let shell = shell.words().iter().map(|word| (*word).to_owned());
            shell.chain([script.clone()]).collect()
        }
    }
}

/// Whether a script of the plan is run by the default shell.
pub(super) fn uses_default(command: &plan::Command) -> bool {
    matches!(command.work, Work::Script(_)) && command.shell.is_none()
}

/// The process to start. `withheld` are variables that it does not inherit unless the check's `env` names them.
pub(super) fn process(words: &[String], check: &plan::Check, folder: &Path, withheld: &[&str]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(folder).stdin(Stdio::null());
    for name in withheld {
        if !check.env.contains_key(*name) {
            command.env_remove(name);
        }
    }
    for (name, variable) in &check.env {
        match variable {
            Variable::Set(value) => command.env(name, value),
            Variable::Remove => command.env_remove(name),
            Variable::Inherit => &mut command,
        };
    }
    command
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;

    use child::Shell;

    use super::{command_line, process};

    fn check(keys: &str) -> plan::Check {
        let text = format!("[[stage]]\nname = \"a\"\n[[stage.check]]\nname = \"b\"\n{keys}");
        plan::Plan::read(&plan::Source::new("p", text)).unwrap().checks.remove(0)
    }

    fn words(keys: &str, shell: Shell) -> Vec<String> {
        command_line(shell, check(keys).action.command().unwrap())
    }

    #[test]
    fn a_text_is_run_by_a_shell_and_a_list_is_not() {
        assert_eq!(words("run = \"a | b\"", Shell::Bash), ["bash", "-eo", "pipefail", "-c", "a | b"]);
        assert_eq!(words("run = \"a | b\"", Shell::Sh), ["sh", "-e", "-c", "a | b"]);
        assert_eq!(words("run = \"a\"\nshell = \"python3 -c\"", Shell::Bash), ["python3", "-c", "a"]);
        assert_eq!(words("run = [\"a\", \"b c\"]\nshell = \"x\"", Shell::Bash), ["a", "b c"]);
    }

    #[test]
    fn a_withheld_variable_is_inherited_only_if_the_check_names_it() {
        let removed = |keys: &str| -> bool {
            let check = check(&format!("run = \"x\"\n{keys}"));
            let command = process(&["x".to_owned()], &check, Path::new("."), &["GITHUB_TOKEN"]);
            command.get_envs().any(|(name, value)| name == OsStr::new("GITHUB_TOKEN") && value.is_none())
        };
        assert!(removed(""));
        assert!(!removed("env = { GITHUB_TOKEN = true }"));
        assert!(!removed("env = { GITHUB_TOKEN = \"x\" }"));
        assert!(removed("env = { GITHUB_TOKEN = false }"));
    }
}

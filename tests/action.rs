//! `action.yml`, played step by step as the Actions runner plays a composite action: real shells, real files.

mod act;
mod composite;
mod package;
mod published;
mod release;
mod releasing;

use std::path::Path;

use composite::{Job, Outcome};
use tempfile::TempDir;

/// The programs of `Cargo.toml`, the one list that the installers and `ci/package` read too.
fn tools() -> Vec<String> {
    let blocks = include_str!("../Cargo.toml").split("[[bin]]\n").skip(1);
    blocks.map(|block| block.split('"').nth(1).unwrap().to_owned()).collect()
}

/// What the install scripts themselves run; cargo is not among it.
const SYSTEM: [&str; 13] =
    ["bash", "cat", "chmod", "cp", "env", "head", "mkdir", "rm", "sed", "sh", "tail", "touch", "tr"];

/// A directory with the five programs, and one file that is no tool.
fn ready_programs() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_secrets-env")).parent().unwrap();
    for tool in tools() {
        std::os::unix::fs::symlink(built.join(&tool), dir.path().join(tool)).unwrap();
    }
    std::fs::write(dir.path().join("curl"), "not a tool").unwrap();
    dir
}

fn install(job: &mut Job, inputs: &[(&str, &str)]) -> Outcome {
    job.uses(inputs)
}

/// Runs `script` with one tool installed and these further inputs.
fn run(job: &mut Job, script: &str, inputs: &[(&str, &str)]) -> Outcome {
    let programs = ready_programs();
    let own = [("bin-dir", programs.path().to_str().unwrap()), ("tools", "secrets-env"), ("run", script)];
    job.uses(&[own.as_slice(), inputs].concat())
}

fn installed(outcome: &Outcome) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(&outcome.outputs["bin-dir"])
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn ready_programs_come_onto_the_path_of_later_steps() {
    let (mut job, programs) = (Job::new(&SYSTEM), ready_programs());
    let bin_dir = programs.path().to_str().unwrap();
    let outcome = install(&mut job, &[("bin-dir", bin_dir)]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
    assert_eq!(outcome.outputs["version"], env!("CARGO_PKG_VERSION"));
    let later = job.step("ssh-deploy --version && stack-output --version");
    assert_eq!(later.code, 0, "{}", later.log);
    assert!(later.log.contains(concat!("stack-output ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn only_the_tools_asked_for_are_installed() {
    let (mut job, programs) = (Job::new(&SYSTEM), ready_programs());
    let bin_dir = programs.path().to_str().unwrap();
    let outcome = install(&mut job, &[("bin-dir", bin_dir), ("tools", "ssh-deploy, stack-output")]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
    assert_eq!(installed(&outcome), ["ssh-deploy", "stack-output"]);
}

#[test]
fn without_ready_programs_cargo_builds_them_in_the_actions_own_checkout_without_the_jobs_secrets() {
    let (mut job, programs) = (Job::new(&SYSTEM), ready_programs());
    job.program(
        "cargo",
        &format!(
            "#!/bin/sh\n[ \"$1\" = build ] || exit 0\necho \"cargo $* in $PWD\"\nenv >build-env\n\
             mkdir -p target/release\ncp {}/* target/release\n",
            programs.path().display()
        ),
    );
    job.variable("DOPPLER_TOKEN", "dp.st.dev.secret");
    job.variable("SSH_PRIVATE_KEY", "a key");
    job.variable("INNOCENT_NAME", "s3cret-under-an-innocent-name");
    job.variable("CARGO_REGISTRY_TOKEN", "cio-secret");
    job.variable("CARGO_TARGET_DIR", "elsewhere");
    job.variable("CARGO_BUILD_TARGET", "wasm32-unknown-unknown");
    job.variable("HTTPS_PROXY", "http://user:pass@127.0.0.1:3128");
    let outcome = install(&mut job, &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
    let line = format!(
        "cargo build --release --locked --target-dir {0}/target --bin {1} in {0}",
        job.action().display(),
        tools().join(" --bin ")
    );
    assert!(outcome.log.contains(&line), "{}", outcome.log);
    let seen = std::fs::read_to_string(job.action().join("build-env")).unwrap();
    let mut names: Vec<&str> = seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort_unstable();
    // sh itself sets PWD, OLDPWD and, depending on the shell, SHLVL and _.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    assert_eq!(names, ["HTTPS_PROXY", "PATH"], "a build gets what it needs and nothing else");
    assert_eq!(installed(&outcome).len(), tools().len());
}

#[test]
fn a_failed_build_fails_the_step_and_installs_nothing() {
    let mut job = Job::new(&SYSTEM);
    job.program("cargo", "#!/bin/sh\necho 'error: could not compile' >&2\nexit 101\n");
    let outcome = install(&mut job, &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.log.contains("could not compile"), "{}", outcome.log);
    assert!(outcome.outputs["bin-dir"].is_empty());
}

#[test]
fn a_platform_without_programs_or_cargo_is_named_with_the_input_that_helps() {
    let mut job = Job::new(&SYSTEM);
    job.variable("RUNNER_ARCH", "RISCV64");
    let outcome = install(&mut job, &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.log.contains("error: no way to install the tools on Linux RISCV64"), "{}", outcome.log);
    assert!(outcome.log.contains("::error title=deploy-action::"), "{}", outcome.log);
    assert!(outcome.log.contains("`bin-dir`"), "{}", outcome.log);
}

#[test]
fn a_program_of_another_platform_is_refused() {
    let (mut job, programs) = (Job::new(&SYSTEM), ready_programs());
    std::fs::remove_file(programs.path().join("ssh-deploy")).unwrap();
    std::fs::write(programs.path().join("ssh-deploy"), b"\x7fELF\x02\x01\x01").unwrap();
    let inputs = [("bin-dir", programs.path().to_str().unwrap()), ("tools", "ssh-deploy")];
    let outcome = install(&mut job, &inputs);
    assert_eq!(outcome.code, 2);
    assert!(outcome.log.contains("does not run on Linux X64"), "{}", outcome.log);
}

#[test]
fn an_input_is_a_value_and_never_a_command() {
    let mut job = Job::new(&SYSTEM);
    let outcome = install(&mut job, &[("tools", "$(touch${IFS}owned);`touch${IFS}owned`")]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.log.contains("error: there is no tool"), "{}", outcome.log);
    assert!(!job.workspace().join("owned").exists());
}

#[test]
fn the_script_gets_the_doppler_variables_and_no_later_step_does() {
    let mut job = Job::new(&SYSTEM);
    let script = "printf '%s' \"$DOPPLER_TOKEN in $DOPPLER_CONFIG\" >seen; secrets-env --version; env >env";
    let outcome = run(&mut job, script, &[("doppler-token", "dp.st.dev.abc"), ("doppler-config", "dev")]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
    let read = |name: &str| std::fs::read_to_string(job.workspace().join(name)).unwrap();
    assert_eq!(read("seen"), "dp.st.dev.abc in dev");
    assert!(!read("env").contains("INPUT_"));
    assert_eq!(outcome.variables, "", "the job's variables are untouched");
    let masked = "::add-mask::dp.st.dev.abc";
    assert!(outcome.log.contains(masked));
    assert!(!outcome.log.replace(masked, "").contains("dp.st.dev.abc"), "{}", outcome.log);
    let later = job.step("env");
    assert!(!later.log.contains("dp.st.dev.abc") && !later.log.contains("DOPPLER_"), "{}", later.log);
}

#[test]
fn a_blank_input_leaves_the_jobs_own_variable() {
    let mut job = Job::new(&SYSTEM);
    job.variable("DOPPLER_CONFIG", "prd");
    let outcome = run(&mut job, "echo \"config is $DOPPLER_CONFIG\"", &[]);
    assert!(outcome.log.contains("config is prd"), "{}", outcome.log);
}

#[test]
fn a_failure_inside_a_pipe_of_the_script_fails_the_step() {
    let mut job = Job::new(&SYSTEM);
    let outcome = run(&mut job, "(exit 3) | cat\necho 'and on it goes'", &[]);
    assert_eq!(outcome.code, 3);
    assert!(!outcome.log.contains("and on it goes"));
}

#[test]
fn the_script_runs_in_the_working_directory_of_the_input() {
    let mut job = Job::new(&SYSTEM);
    std::fs::create_dir(job.workspace().join("infra")).unwrap();
    assert_eq!(run(&mut job, "touch here", &[("working-directory", "infra")]).code, 0);
    assert!(job.workspace().join("infra/here").exists());
}

#[test]
fn the_installers_and_the_package_name_the_same_tools() {
    assert_eq!(tools(), crate::contract::TOOLS, "a program of the contract is a program of the release");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["action/install.sh", "action/install.ps1", "ci/package"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(text.contains("Cargo.toml"), "{file} has no list of its own");
        // A comment or a check of one program may name it; a list names them all.
        assert!(!tools().iter().all(|tool| text.contains(tool)), "{file} has a list of its own");
    }
}

#[test]
fn a_control_character_in_an_input_is_refused_before_it_is_quoted() {
    for (name, value) in [
        ("bin-dir", "/nowhere\n::error::forged"),
        ("tools", "nonesuch\u{1b}[2J"),
        ("base-url", "http://127.0.0.1:1/\r::warning::forged"),
    ] {
        let mut job = Job::new(&SYSTEM);
        let outcome = install(&mut job, &[(name, value)]);
        assert_eq!(outcome.code, 2, "{}", outcome.log);
        assert!(outcome.log.contains(&format!("the input `{name}`")) || name == "tools", "{}", outcome.log);
        assert!(!outcome.log.contains("forged") && !outcome.log.contains('\u{1b}'), "{}", outcome.log);
    }
}

#[test]
fn tools_may_be_a_block_and_are_never_a_glob() {
    let (mut job, programs) = (Job::new(&SYSTEM), ready_programs());
    let bin_dir = programs.path().to_str().unwrap();
    let outcome = install(&mut job, &[("bin-dir", bin_dir), ("tools", "ssh-deploy\nstack-output\n")]);
    assert_eq!(installed(&outcome), ["ssh-deploy", "stack-output"], "{}", outcome.log);
    std::fs::write(job.workspace().join("secrets-env"), "").unwrap();
    let outcome = install(&mut job, &[("bin-dir", bin_dir), ("tools", "*")]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.log.contains("there is no tool `*`"), "{}", outcome.log);
}

#[test]
fn no_part_of_a_token_with_a_line_break_is_printed() {
    let mut job = Job::new(&SYSTEM);
    let outcome = run(&mut job, "true", &[("doppler-token", "dp.st.first-half\nsecond-half-4711")]);
    assert_eq!(outcome.code, 2, "{}", outcome.log);
    assert!(outcome.log.contains("`doppler-token` has a blank or a line break"), "{}", outcome.log);
    let shown: String = outcome.log.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
    assert!(!shown.contains("half"), "{}", outcome.log);
}

#[test]
fn a_file_named_by_bash_env_is_not_read_with_the_token_in_the_environment() {
    let mut job = Job::new(&SYSTEM);
    let trap = job.workspace().join("trap.sh");
    std::fs::write(&trap, "echo \"trap $INPUT_DOPPLER_TOKEN$DOPPLER_TOKEN\" >trapped\n").unwrap();
    job.variable("BASH_ENV", trap.to_str().unwrap());
    let outcome = run(&mut job, "true", &[("doppler-token", "dp.st.dev.abc")]);
    assert_eq!(outcome.code, 0, "{}", outcome.log);
    assert!(!job.workspace().join("trapped").exists());
}

#[test]
fn a_working_directory_that_does_not_exist_is_named() {
    let mut job = Job::new(&SYSTEM);
    let outcome = run(&mut job, "true", &[("working-directory", "nowhere")]);
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.log.contains("error: the input `working-directory` is not a directory: nowhere"),
        "{}",
        outcome.log
    );
}

#[test]
fn without_bash_the_script_runs_in_sh_and_that_is_reported() {
    let system: Vec<&str> = SYSTEM.into_iter().filter(|name| *name != "bash").collect();
    let mut job = Job::new(&system);
    let outcome = run(&mut job, "echo done; false; echo 'and on it goes'", &[]);
    assert_eq!(outcome.code, 1, "{}", outcome.log);
    assert!(outcome.log.contains("there is no bash here") && outcome.log.contains("done"), "{}", outcome.log);
    assert!(!outcome.log.contains("and on it goes"));
}

#[test]
fn the_script_hands_its_result_to_the_workflow() {
    let mut job = Job::new(&SYSTEM);
    let outcome = run(&mut job, "echo result=https://acme.pages.dev >>\"$GITHUB_OUTPUT\"", &[]);
    assert_eq!(outcome.outputs["result"], "https://acme.pages.dev", "{}", outcome.log);
}

#[test]
fn a_script_over_128_kib_is_an_error_that_names_the_input_and_the_limit() {
    let mut job = Job::new(&SYSTEM);
    let script = format!("true # {}", "x".repeat(128 * 1024));
    let outcome = run(&mut job, &script, &[]);
    assert_ne!(outcome.code, 0);
    assert!(outcome.log.contains("error: the script of the input `run` could not be started"), "{}", outcome.log);
    assert!(outcome.log.contains("::error title=deploy-action::") && outcome.log.contains("at most 128 KiB"));
    // A script that was started and failed is not described so.
    let outcome = run(&mut job, "exit 3", &[]);
    assert!(outcome.code == 3 && !outcome.log.contains("could not be started"), "{}", outcome.log);
}

#[test]
fn programs_that_are_there_need_neither_root_nor_apt_and_its_output_is_shown_only_if_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        published::executable(&folder.path().join(name));
    };
    script("id", "echo 1000");
    script("sudo", "shift; exec \"$@\"");
    script("apt-get", "echo \"noise of $1\"; [ ! -e \"$(dirname \"$0\")/broken\" ] || exit 100");
    let install = |program: &str| {
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = std::process::Command::new(root.join("ci/install-programs"));
        let output = command.arg("sh:dash").arg(program).env("PATH", path).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), text)
    };
    assert_eq!(install("cat:coreutils"), (true, String::new()));
    assert_eq!(install("no-such-program:package"), (true, "Installing package\n".to_owned()));
    script("broken", "");
    let (succeeded, text) = install("no-such-program:package");
    assert!(!succeeded && text.contains("noise of update") && text.contains("could not install: package"), "{text}");
    script("sudo", "exit 1");
    let (succeeded, text) = install("no-such-program:package");
    assert!(!succeeded && text.contains("run: sudo apt-get install package") && !text.contains("noise"), "{text}");
}

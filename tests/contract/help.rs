//! Help texts, versions, man pages and completions.

use super::TOOLS;
use crate::support::Step;

const KINDS: [&str; 6] = ["man", "bash", "zsh", "fish", "powershell", "elvish"];

#[test]
fn short_help_fits_a_screen() {
    for tool in TOOLS {
        let help = Step::new(tool).arg("-h").env("COLUMNS", "100").run().exits(0).stdout;
        assert!(help.lines().count() <= 24, "{} lines\n{help}", help.lines().count());
    }
}

#[test]
fn long_help_has_its_parts_and_is_broken_only_where_it_was_meant_to_be() {
    for tool in TOOLS {
        let parts = |columns: &str| {
            let help = Step::new(tool).arg("--help").env("COLUMNS", columns).run().exits(0).stdout;
            let at = help.find("\nEnvironment:\n").unwrap_or_else(|| panic!("{help}"));
            help[at..].to_owned()
        };
        let text = parts("100");
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is missing in {text}"));
        assert!(
            at("\nEnvironment:\n") < at("\nExit codes:\n") && at("\nExit codes:\n") < at("\nExamples:\n"),
            "{text}"
        );
        assert_eq!(text, parts("400"), "{tool}");
        let examples = text.split("\nExamples:\n").nth(1).unwrap();
        assert!(examples.lines().all(|line| line.contains(tool)), "{examples}");
    }
}

#[test]
fn the_version_is_the_programs_own() {
    for tool in TOOLS {
        let seen = Step::new(tool).arg("--version").run().exits(0);
        assert_eq!(seen.stdout, format!("{tool} {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn man_pages_and_completions_need_no_other_argument() {
    for tool in TOOLS {
        for kind in KINDS {
            let seen = Step::new(tool).args(["--generate", kind]).run().exits(0);
            assert!(seen.stdout.contains(tool), "{tool} {kind}");
            assert_eq!(seen.stderr, "");
        }
        Step::new(tool).args(["--generate", "nonsense"]).run().exits(2);
        let complete = format!("source <({tool} --generate bash) && complete -p {tool}");
        Step::script(&complete).run().exits(0);
    }
}

#[test]
fn texts_for_a_reader_that_has_left_end_quietly() {
    let kinds = KINDS.map(|kind| format!("--generate {kind}"));
    for tool in TOOLS {
        for arguments in ["-h", "--help", "--version"].into_iter().chain(kinds.iter().map(String::as_str)) {
            let script = format!("set +o pipefail; {{ {tool} {arguments}; echo $? >code; }} | true; cat code");
            let seen = Step::script(&script).run().exits(0);
            assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("0\n", ""), "{tool} {arguments}");
        }
    }
}

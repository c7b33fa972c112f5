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

/// The texts themselves, so that a change of one is seen in review. To accept a change: `INSTA_UPDATE=always cargo test --test tools help`.
#[test]
fn help_texts_are_as_reviewed() {
    for tool in TOOLS {
        for (option, form) in [("-h", "short"), ("--help", "long")] {
            let help = Step::new(tool).arg(option).env("COLUMNS", "100").run().exits(0).stdout;
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(format!("{tool}-{form}"), help);
            });
        }
    }
}

#[test]
fn the_default_of_every_time_is_named_with_its_unit() {
    for tool in TOOLS {
        let help = Step::new(tool).arg("--help").env("COLUMNS", "400").run().exits(0).stdout;
        let mut is_time = false;
        for line in help.lines() {
            if line.trim_start().starts_with('-') {
                is_time = line.contains("<TIME>");
            }
            let default = line.split("[default: ").nth(1).and_then(|rest| rest.split(']').next());
            if let (true, Some(default)) = (is_time, default) {
                let has_unit =
                    default.ends_with(['s', 'm', 'h', 'd']) && default.starts_with(|one: char| one.is_ascii_digit());
                assert!(has_unit || default == "none", "{tool}: {line}");
            }
        }
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
fn the_options_of_subcommands_are_in_the_man_page_and_the_completions() {
    for kind in KINDS {
        let text = Step::new("live-wait").args(["--generate", kind]).run().exits(0).stdout.replace('\\', "");
        for option in ["from-header", "also", "except", "resolve-image", "reconcile"] {
            assert!(text.contains(option), "{kind}: {option}");
        }
    }
    let script = "source <(live-wait --generate bash); COMP_WORDS=(live-wait flux --rec); COMP_CWORD=2
                  _live__wait live-wait --rec flux; echo \"${COMPREPLY[@]}\"";
    assert_eq!(Step::script(script).run().exits(0).stdout, "--reconcile\n");
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

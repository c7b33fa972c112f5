//! Every command line of the documentation is one that the program takes.

use super::step;
use crate::support::Step;

const DOCS: &str = include_str!("../../docs/preflight-report.md");

/// Command lines in blocks and in inline code.
fn commands() -> Vec<String> {
    let inline = DOCS.split('`').filter(|code| code.contains("preflight-report ") && !code.contains('\n'));
    let blocks =
        DOCS.lines().filter(|line| line.starts_with("preflight-report ") || line.contains("| preflight-report"));
    let all = inline.chain(blocks).filter_map(|line| Some(line[line.find("preflight-report")?..].to_owned()));
    all.filter(|line| !line.starts_with("preflight-report:")).collect()
}

#[test]
fn every_command_line_is_understood() {
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for line in commands {
        // The command behind `--` is another program's business.
        let own = line.split(" -- ").next().unwrap();
        let is_run = line.contains(" -- ");
        let script = if is_run { format!("{own} -- true") } else { format!("{own} < /dev/null") };
        let seen = Step::script(&format!("set +e; {script}; true")).run();
        for complaint in ["unexpected argument", "Usage:", "invalid value", "required"] {
            assert!(!seen.stderr.contains(complaint), "{line}: {}", seen.stderr);
        }
    }
}

#[test]
fn every_format_that_is_read_is_in_the_table() {
    let help = step(["--help"]).run().stdout;
    for word in ["JUnit", "TRX", "TAP", "CTRF", "SARIF", "Checkstyle", "Playwright", "vitest", "terraform", "dbt"] {
        assert!(help.contains(word), "the help does not name {word}");
        assert!(DOCS.to_lowercase().contains(&word.to_lowercase()), "the page does not name {word}");
    }
}

//! The command line and its documentation.

use clap::{CommandFactory as _, Parser as _};

use super::Args;

#[test]
fn the_command_line_is_consistent_and_short_help_fits_a_screen() {
    Args::command().debug_assert();
    let help = Args::command().render_help().to_string();
    assert!(help.lines().count() <= 24, "{help}");
}

#[test]
fn hosts_stand_before_the_dashes_and_the_command_behind_them() {
    let args = Args::try_parse_from(["ssh-deploy", "a", "b:22", "--", "ls", "-l"]).unwrap();
    assert_eq!(
        (args.hosts, args.command),
        (vec!["a".to_owned(), "b:22".to_owned()], vec!["ls".to_owned(), "-l".to_owned()])
    );
    assert!(Args::try_parse_from(["ssh-deploy", "a"]).is_err());
    assert!(Args::try_parse_from(["ssh-deploy", "a", "--script", "x", "--", "ls"]).is_err());
}

/// The table of options in the documentation, made from the command line itself.
fn options() -> String {
    let command = Args::command();
    let row = |argument: &clap::Arg| {
        let long = argument.get_long()?;
        let value = argument.get_value_names().filter(|_| argument.get_action().takes_values());
        let value = value.map(|names| format!(" {}", names.join(" "))).unwrap_or_default();
        let defaults: Vec<String> =
            argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        let shown = !argument.get_action().takes_values() || defaults.is_empty();
        let default = if shown { String::new() } else { format!("`{}`", defaults.join(",")) };
        let help = argument.get_help()?.to_string().replace('|', "\\|");
        Some(format!("| `--{long}{}` | {default} | {help} |\n", value.replace('|', "\\|")))
    };
    let rows: String = command.get_arguments().filter_map(row).collect();
    format!("| option | default | what it does |\n| --- | --- | --- |\n{rows}")
}

#[test]
fn the_documentation_has_every_option_with_its_default() {
    let page = include_str!("../../../docs/ssh-deploy.md");
    let (_, table) = page.split_once("## Options\n").unwrap();
    assert_eq!(table.trim(), options().trim());
}

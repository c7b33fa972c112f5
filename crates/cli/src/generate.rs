//! Man pages and shell completions, from the same definition as the help texts.

use clap::{Command, ValueEnum};
use clap_complete::Shell;

/// What can be printed about a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Generate {
    /// A man page in roff
    Man,
    /// Completions for bash
    Bash,
    /// Completions for zsh
    Zsh,
    /// Completions for fish
    Fish,
    /// Completions for PowerShell
    #[value(name = "powershell")]
    PowerShell,
    /// Completions for elvish
    Elvish,
    /// The schema of the JSON document, if the program has one
    #[value(hide = true)]
    Schema,
}

/// The page, the script or the schema.
pub(crate) fn text(kind: Generate, mut command: Command, schema: &str) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    let shell = match kind {
        Generate::Man => {
            let parts: Vec<Command> = command.get_subcommands().filter(|part| !part.is_hide_set()).cloned().collect();
            // Writing to memory cannot fail.
            let _ = clap_mangen::Man::new(command).render(&mut text);
            for part in parts {
                subcommand(&name, part, &mut text);
            }
            return text;
        }
        Generate::Bash => Shell::Bash,
        Generate::Zsh => Shell::Zsh,
        Generate::Fish => Shell::Fish,
        Generate::PowerShell => Shell::PowerShell,
        Generate::Elvish => Shell::Elvish,
        Generate::Schema => return schema.into(),
    };
    clap_complete::generate(shell, &mut command, name.clone(), &mut text);
    if shell == Shell::Bash && name.contains('-') {
        // clap_complete 4 spells a program's name with a hyphen in two ways, and finds no subcommand's options then.
        let (wrong, right) = (name.replace('-', "__subcmd__"), name.replace('-', "__"));
        return String::from_utf8_lossy(&text).replace(&wrong, &right).into_bytes();
    }
    text
}

/// Adds a subcommand to the page of its program: one page is what a package installs.
fn subcommand(program: &str, command: Command, text: &mut Vec<u8>) {
    let name = format!("{program} {}", command.get_name());
    text.extend(format!(".SH \"{}\"\n", name.to_uppercase()).bytes());
    let page = clap_mangen::Man::new(command.bin_name(name));
    // Writing to memory cannot fail.
    let _ = page.render_synopsis_section(text);
    let _ = page.render_description_section(text);
    let _ = page.render_options_section(text);
}

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
            // Writing to memory cannot fail.
            let _ = clap_mangen::Man::new(command).render(&mut text);
            return text;
        }
        Generate::Bash => Shell::Bash,
        Generate::Zsh => Shell::Zsh,
        Generate::Fish => Shell::Fish,
        Generate::PowerShell => Shell::PowerShell,
        Generate::Elvish => Shell::Elvish,
        Generate::Schema => return schema.into(),
    };
    clap_complete::generate(shell, &mut command, name, &mut text);
    text
}

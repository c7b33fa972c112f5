//! Man pages and shell completions, from the same definition as the help texts.

use std::io::Write as _;

use clap::{Command, ValueEnum};
use clap_complete::Shell;

use crate::{Exit, Stdout};

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
}

pub(crate) fn write(kind: Generate, mut command: Command, out: &mut Stdout) -> Exit {
    let name = command.get_name().to_owned();
    let shell = match kind {
        Generate::Man => {
            let mut page = Vec::new();
            // Writing to memory cannot fail, and a closed pipe is quiet.
            let _ = clap_mangen::Man::new(command).render(&mut page).and_then(|()| out.write_all(&page));
            return Exit::Success;
        }
        Generate::Bash => Shell::Bash,
        Generate::Zsh => Shell::Zsh,
        Generate::Fish => Shell::Fish,
        Generate::PowerShell => Shell::PowerShell,
        Generate::Elvish => Shell::Elvish,
    };
    clap_complete::generate(shell, &mut command, name, out);
    Exit::Success
}

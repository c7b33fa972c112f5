//! What a connection starts with: one constant command line, then over stdin the remote loop, a POSIX `sh` program.
//!
//! The command line has no text of the user's and none of the characters on which login shells differ, so that bash, dash, zsh,
//! mksh, tcsh, fish and `BusyBox` pass it on alike. Everything else arrives on stdin and is in no argument list on either side.

use crate::fragment::fragment;

const PROGRAM: &str = include_str!("bootstrap.sh");

/// The exit code of the command line if its input ended before it had the whole program.
pub(crate) const CUT_OFF: i32 = 98;

/// The command line for the login shell. A program that arrives cut off does not run.
pub(crate) fn command_line(program: &str) -> String {
    // dd reads what is there and never beyond: what follows the program belongs to the program.
    format!(
        "exec sh -c 'p=; while [ \"${{#p}}\" -lt \"$1\" ]; do c=$(dd bs=\"$(($1 - ${{#p}}))\" count=1 2>/dev/null; echo x); c=${{c%x}}; [ -n \"$c\" ] || exit {CUT_OFF}; p=$p$c; done; eval \"$p\"' ssh-deploy {}",
        program.len()
    )
}

/// The remote loop: `nonce` marks its first record, `name` is its private folder's, `grace` the tenths of a second between TERM and
/// KILL.
pub(crate) fn program(nonce: &str, name: &str, grace: u32) -> String {
    format!("sd_nonce={nonce} sd_name={name} sd_grace={grace}\n{}", fragment(PROGRAM))
}

#[cfg(test)]
mod files;
#[cfg(test)]
mod fragments;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;

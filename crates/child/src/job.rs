//! What a program has to do with our terminal.

/// What a program has to do with our terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// A process group in the background of our terminal. A program that reads the terminal is stopped: give it `Stdio::null()`.
    Background,
    /// Its own session, without a terminal: `/dev/tty` cannot be opened.
    Session,
    /// The foreground of our terminal, if that is our standard input: the program may read it, and gets what ^C and ^Z send. A ^C stops the
    /// run too. If we are in the background ourselves, the program's standard input is `/dev/null`.
    Foreground,
}

//! What a tool may write, each to the stream or file it belongs to.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use fault::{Fault, Result};
use runner::command::{self, Annotation, Level};
use runner::handoff::{self, StepFile};
use runner::{Context, Environment, file, foreign};

use crate::Shared;

/// GitHub keeps ten annotations of a level for a whole composite step; a failed step spends one error on its exit code.
const ANNOTATIONS: usize = 9;

/// The streams and the runner's files, as one tool may use them.
#[derive(Clone, Debug)]
pub struct Console {
    tool: String,
    environment: Environment,
    context: Context,
}

impl Console {
    pub(crate) fn new(tool: String, environment: Environment) -> Self {
        let context = Context::of(&environment);
        Self { tool, environment, context }
    }

    /// The program's name.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The environment as it was at the start.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The runner's description of this run.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Writes to stdout: the result, or the next piece of it, and nothing else. A closed pipe (`EPIPE`) is quiet, so that a tool
    /// whose reader has left ends with the code it would have had.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: stdout takes nothing, as on a full disk.
    pub fn print(&self, text: impl AsRef<[u8]>) -> Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Fault::usage("cannot write to stdout").cause(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Prints the report of something that is done already. A stdout that cannot be written does not undo it: that is a warning, and
    /// the exit code stays. Returns whether it was written.
    #[must_use]
    pub fn print_or_warn(&self, text: impl AsRef<[u8]>) -> bool {
        let printed = self.print(text);
        if let Err(fault) = &printed {
            self.warn(&format!("{}: {}", fault.message, fault.causes.join(", ")));
        }
        printed.is_ok()
    }

    /// Runs `future` to its end, as [`crate::block_on`] does, and reports on stderr what it waits for longer than five seconds.
    ///
    /// # Errors
    /// As [`crate::block_on`].
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output> {
        crate::runtime::block_on(crate::runtime::watched(future, |line| self.status(line)))
    }

    /// Whether a person watches stderr.
    #[must_use]
    pub fn stderr_is_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Whether stdout is a person's screen.
    #[must_use]
    pub fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether stdin is a keyboard, from which no tool reads.
    #[must_use]
    pub fn stdin_is_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// A status line on stderr. Lines in `text` cannot begin a workflow command.
    pub fn status(&self, text: &str) {
        to_stderr(&foreign::lines(text));
    }

    /// Something that is not wrong enough to fail.
    pub fn warn(&self, message: &str) {
        if self.context.in_actions {
            to_stderr(&command::annotation(&Annotation::new(Level::Warning, &self.tool, foreign::lines(message))));
        } else {
            to_stderr(&format!("warning: {}", foreign::lines(message)));
        }
    }

    /// Something worth knowing that is not wrong.
    pub fn notice(&self, message: &str) {
        if self.context.in_actions {
            to_stderr(&command::annotation(&Annotation::new(Level::Notice, &self.tool, foreign::lines(message))));
        } else {
            to_stderr(&format!("note: {}", foreign::lines(message)));
        }
    }

    /// A line of another program's output, behind `gutter`.
    pub fn foreign(&self, gutter: &str, line: &[u8]) {
        to_stderr(&foreign::line(gutter, line));
    }

    /// Lines of another program's output, each behind `gutter`, in one write.
    pub fn foreign_lines(&self, gutter: &str, lines: &[Vec<u8>]) {
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(|line| foreign::line(gutter, line)).collect();
            to_stderr(&lines.join("\n"));
        }
    }

    /// Prints what `body` prints to stderr below `title`; in Actions it is folded.
    pub fn group(&self, title: &str, body: impl FnOnce()) {
        if self.context.in_actions {
            to_stderr(&command::group(&foreign::line("", title.as_bytes())));
            body();
            to_stderr(command::END_GROUP);
        } else {
            self.status(title);
            body();
        }
    }

    /// Registers masks, before anything that could show the values. Outside Actions no program reads them, so nothing is written.
    pub fn mask(&self, values: &[String]) {
        if self.context.in_actions {
            let lines: Vec<String> = values.iter().filter_map(|value| command::add_mask(value)).collect();
            if !lines.is_empty() {
                to_stderr(&lines.join("\n"));
            }
        }
    }

    /// Prints annotations, the most useful first. Outside Actions it does nothing: the status lines are enough.
    ///
    /// GitHub shows ten of a level for a whole step; the last that fits counts those that are not shown.
    pub fn annotate(&self, annotations: &[Annotation]) {
        self.annotate_some(annotations, |_| 0);
    }

    /// As [`Self::annotate`], for annotations beside which there are `hidden` more of each level.
    pub fn annotate_some(&self, annotations: &[Annotation], hidden: impl Fn(Level) -> u64) {
        if self.context.in_actions {
            for line in within_budget(annotations, hidden, &self.tool) {
                to_stderr(&line);
            }
        }
    }

    /// Writes this tool's section of the job summary, if there is one to write. `render` gets the most bytes it may take.
    ///
    /// A summary that cannot be written is a warning: it changes nothing of what was done, nor its exit code.
    pub fn summary(&self, shared: &Shared, render: impl FnOnce(usize) -> String) {
        let Some(path) = self.context.step_summary.as_deref().filter(|_| !shared.no_summary) else { return };
        let room = file::summary_room(path);
        let markdown = render(room);
        if markdown.len() > room {
            self.warn("the job summary has no room left: this section is not in it");
        } else if let Err(fault) = file::append_summary(path, &markdown) {
            self.warn(&format!(
                "this section is not in the job summary: {}: {}",
                fault.message,
                fault.causes.join(": ")
            ));
        }
    }

    /// Hands values to later steps. Masks must have been registered before.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] outside Actions, for a value that [`handoff::check_all`] refuses, or when the runner's file cannot be
    /// written. Nothing is written then.
    pub fn export(&self, to: StepFile, pairs: &[(String, String)]) -> Result<()> {
        let path = self.step_file(to)?;
        handoff::check_all(pairs, to)?;
        file::append_pairs(path, pairs)
    }

    /// Refuses to hand a secret to later steps where that would leave it on the disk.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for variables inside a stage of `stage-run`.
    pub fn check_secret(&self, to: StepFile, name: &str) -> Result<()> {
        if to != StepFile::Env || !self.context.in_stage {
            return Ok(());
        }
        Err(Fault::usage(format!("`{name}` is a secret, and is not handed to later stages"))
            .cause("the file of STAGE_RUN_ENV stays on the disk, for runs that are resumed")
            .help("read it in the stage that needs it"))
    }

    /// The path of the runner's file: for a tool that wants to know before it begins whether it can write there.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] outside Actions.
    pub fn step_file(&self, to: StepFile) -> Result<&Path> {
        let (path, flag) = match to {
            StepFile::Env => (&self.context.env_file, "env"),
            StepFile::Output => (&self.context.output_file, "output"),
        };
        path.as_deref().ok_or_else(|| {
            Fault::usage(format!("`--to {flag}` has nowhere to write: {} is not set", to.variable()))
                .help("use it in a step of a workflow, or leave it out to print to stdout")
        })
    }

    /// The one error of a failed run.
    pub(crate) fn fail(&self, text: &str) {
        if self.context.in_actions {
            to_stderr(&command::annotation(&Annotation::new(Level::Error, &self.tool, text)));
        } else {
            to_stderr(&format!("error: {text}"));
        }
    }
}

/// The commands for `annotations`: of each level as many as GitHub shows, the last replaced by a count if there are more.
#[must_use]
pub fn within_budget(annotations: &[Annotation], hidden: impl Fn(Level) -> u64, tool: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let all: Vec<_> = annotations.iter().filter(|annotation| annotation.level == level).collect();
        let total = all.len() as u64 + hidden(level);
        let shown = if total > ANNOTATIONS as u64 { all.len().min(ANNOTATIONS - 1) } else { all.len() };
        lines.extend(all[..shown].iter().copied().map(command::annotation));
        let rest = total - shown as u64;
        if rest > 0 {
            let rest = format!("{rest} more are not shown here: see the log and the job summary");
            lines.push(command::annotation(&Annotation::new(level, tool, rest)));
        }
    }
    lines
}

/// One write a line or block, so that lines of several threads do not mix.
fn to_stderr(text: &str) {
    let mut line = String::with_capacity(text.len() + 1);
    // Writing to a String cannot fail. If stderr is gone, there is no other place for the message.
    let _ = writeln!(line, "{text}");
    let _ = io::stderr().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use runner::command::{Annotation, Level};

    use super::within_budget;

    #[test]
    fn the_last_annotation_that_fits_counts_the_others() {
        let errors = vec![Annotation::new(Level::Error, "a", "b"); 12];
        let lines = within_budget(&errors, |_| 0, "tool");
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[8], "::error title=tool::4 more are not shown here: see the log and the job summary");
        assert_eq!(within_budget(&errors[..9], |_| 0, "tool").len(), 9);
        let lines = within_budget(&errors[..2], |level| u64::from(level == Level::Error) * 5, "tool");
        assert!(lines.len() == 3 && lines[2].contains("::5 more are not shown here"), "{lines:?}");
    }
}

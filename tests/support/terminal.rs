//! Programs on a terminal, which `terminal.py` plays, and the person before it.

use serde_json::{Value, json};

use super::{Step, peer};

/// What a person on the terminal saw.
pub(crate) struct Watched {
    /// Everything written, as the terminal got it.
    pub(crate) raw: String,
    /// The same with the line ends of a file.
    pub(crate) text: String,
    /// How the command ended, as the shell has it.
    pub(crate) code: i64,
    /// How often it stopped.
    pub(crate) stops: i64,
    /// Whether the terminal had its modes back at each stop and at the end.
    pub(crate) restored: bool,
    /// What the step left.
    pub(crate) seen: super::Seen,
}

impl Step {
    /// A step that runs the shell's `command` on a terminal of `rows` and `columns` while a person does as `steps` say (see `terminal.py`);
    /// `with` completes it. `None` without Python.
    pub(crate) fn watch(
        with: impl FnOnce(Self) -> Self,
        (rows, columns): (usize, usize),
        steps: &Value,
        command: &str,
    ) -> Option<Watched> {
        let python = peer("python3")?;
        let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/terminal.py");
        let step = with(Self::script("exec \"$0\" \"$@\"").arg(python)).plain().env("TERM", "xterm-256color");
        let (rows, columns, steps) = (rows.to_string(), columns.to_string(), steps.to_string());
        let seen = step.args([driver, &rows, &columns, &steps, "sh", "-c", command]).run().exits(0);
        let told = seen.json();
        assert_eq!(told["undone"], json!([]), "{told:#}");
        let raw = told["seen"].as_str().unwrap().to_owned();
        Some(Watched {
            text: raw.replace("\r\n", "\n"),
            raw,
            code: told["code"].as_i64().unwrap(),
            stops: told["stops"].as_i64().unwrap(),
            restored: told["restored"].as_bool().unwrap(),
            seen,
        })
    }
}

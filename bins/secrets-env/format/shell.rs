//! POSIX shell: single quotes take everything but a single quote, which steps outside (`'\''`).

use fault::Result;

use super::{cannot_hold, check_name};

/// `export NAME='value'`.
pub(super) fn line(name: &str, value: &str) -> Result<String> {
    check_name(name, "shell")?;
    if value.contains('\0') {
        return Err(cannot_hold(name, "shell", "it holds a NUL, which no variable can", "--format json"));
    }
    Ok(format!("export {name}='{}'\n", value.replace('\'', r"'\''")))
}

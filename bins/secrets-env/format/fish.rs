//! fish: in single quotes, `\\` and `\'` are the only escapes.

use super::{Unfit, unfit};

/// `set -gx NAME 'value'`.
pub(super) fn line(name: &str, value: &str) -> Result<String, Unfit> {
    if value.contains('\0') {
        return unfit("it holds a NUL, which no variable can", "json");
    }
    Ok(format!("set -gx {name} '{}'\n", value.replace('\\', r"\\").replace('\'', r"\'")))
}

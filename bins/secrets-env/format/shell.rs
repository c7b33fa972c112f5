//! POSIX shells: single quotes take everything but a single quote, which steps outside (`'\''`).

use super::{Unfit, unfit};

/// `export NAME='value'`.
pub(super) fn line(name: &str, value: &str) -> Result<String, Unfit> {
    if value.contains('\0') {
        return unfit("it holds a NUL, which no variable can", "json");
    }
    Ok(format!("export {name}='{}'\n", value.replace('\'', r"'\''")))
}

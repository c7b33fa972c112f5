//! The builtins: their names, and their keys beside those of every check.

use fault::{Result, nearest};

use super::command::command;
use super::model::{Builtin, NAMES};
use crate::{Located, Section, bytes};

/// Reads the builtin that a check names, and its keys.
pub(super) fn builtin(name: &Located<String>, check: &mut Section<'_>) -> Result<Builtin> {
    let source = check.source();
    Ok(match name.value.as_str() {
        "untracked" => Builtin::Untracked { paths: list(check, "paths")? },
        "clean-after" => {
            let Some(run) = command(check)? else {
                return Err(check.fault("`clean-after` needs `run`: the command that generates the files"));
            };
            Builtin::CleanAfter { run, paths: optional(check, "paths")? }
        }
        "image-tag" => Builtin::ImageTag {
            files: list(check, "files")?,
            keys: Some(optional(check, "keys")?).filter(|keys| !keys.is_empty()).unwrap_or(vec!["image".to_owned()]),
            repository: check.text("repository")?.map(|text| text.value),
            allow: optional(check, "allow")?,
        },
        "secrets" => Builtin::Secrets { names: list(check, "names")? },
        "disk" => {
            let path = check.text("path")?.map_or_else(|| ".".to_owned(), |text| text.value);
            let free = check.required("free")?;
            Builtin::Disk { path, free: source.at(free.at, bytes(&free.value))? }
        }
        other => {
            let fault = source.fault(name.at, &format!("there is no builtin `{other}`"));
            return Err(match nearest(other, NAMES) {
                Some(near) => fault.help(format!("write `{near}`")),
                None => fault.help(format!("use one of {}", NAMES.join(", "))),
            });
        }
    })
}

fn optional(check: &mut Section<'_>, key: &'static str) -> Result<Vec<String>> {
    let texts = check.texts(key)?.unwrap_or_default();
    Ok(texts.into_iter().map(|text| text.value).collect())
}

fn list(check: &mut Section<'_>, key: &'static str) -> Result<Vec<String>> {
    let found = optional(check, key)?;
    if found.is_empty() { Err(check.fault(&format!("the builtin needs `{key}`"))) } else { Ok(found) }
}

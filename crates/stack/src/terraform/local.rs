//! Terraform's local state: the file of each workspace.

use std::path::{Path, PathBuf};

use fault::{Fault, Result};

use crate::files;

/// The workspace that is selected in `data_dir` (`.terraform`), else `default`; `variable` is `TF_WORKSPACE`.
///
/// # Errors
/// [`fault::Kind::Usage`] if the selection cannot be read: the state of another workspace would be the wrong one.
pub fn workspace(variable: Option<&str>, data_dir: &Path) -> Result<String> {
    let selected = || {
        let file = data_dir.join("environment");
        match files::read_text(&file) {
            Ok(name) => Ok(name.trim_start_matches('\u{feff}').to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Fault::usage(format!("cannot read the selected workspace in {}", file.display()))
                .cause(error.to_string())
                .help("add --stack, set TF_WORKSPACE, or run `terraform workspace select`")),
        }
    };
    let name = variable.map_or_else(selected, |name| Ok(name.to_owned()))?;
    let name = name.trim();
    Ok(if name.is_empty() { "default".to_owned() } else { name.to_owned() })
}

/// The state file of a workspace without a backend block.
#[must_use]
pub fn state(directory: &Path, workspace: &str) -> PathBuf {
    if workspace == "default" {
        directory.join("terraform.tfstate")
    } else {
        directory.join("terraform.tfstate.d").join(workspace).join("terraform.tfstate")
    }
}

/// Whether `directory` belongs to Terraform: it contains a state or configuration, or was initialised.
#[must_use]
pub fn is_here(directory: &Path, data_dir: &Path) -> bool {
    let configuration = || {
        std::fs::read_dir(directory).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                [".tf", ".tf.json", ".tofu", ".tofu.json"].iter().any(|suffix| name.ends_with(suffix))
            })
        })
    };
    directory.join("terraform.tfstate").is_file()
        || directory.join("terraform.tfstate.d").is_dir()
        || data_dir.join("terraform.tfstate").is_file()
        || configuration()
}

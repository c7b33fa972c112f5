//! Terraform's local state: the file of each workspace.

use std::path::{Path, PathBuf};

/// The workspace that is selected in `data_dir` (`.terraform`), else `default`; `variable` is `TF_WORKSPACE`.
#[must_use]
pub fn workspace(variable: Option<&str>, data_dir: &Path) -> String {
    let selected = || std::fs::read_to_string(data_dir.join("environment")).ok();
    let name = variable.map(str::to_owned).or_else(selected).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "default".to_owned() } else { name.to_owned() }
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

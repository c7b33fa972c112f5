//! Names in a site's output that are not published: those that wrangler leaves out, and those of files that hold credentials.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

/// How many left-out files are named.
const NAMED: usize = 3;

/// How many entries of left-out folders are looked at: a `node_modules` may hold any number.
const LOOKED_AT: usize = 100_000;

/// Beginnings of names that frameworks and wrangler use for variables and secrets, in lower case.
const VARIABLES: [&str; 2] = [".env", ".dev.vars"];

/// Names of files and directories in which programs keep credentials, in lower case.
const CREDENTIALS: [&str; 26] = [
    ".aws",
    ".boto",
    ".docker",
    ".dockercfg",
    ".dockerconfigjson",
    ".git-credentials",
    ".gnupg",
    ".htpasswd",
    ".kube",
    ".my.cnf",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".s3cfg",
    ".ssh",
    ".vault-token",
    ".yarnrc.yml",
    "id_dsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_rsa",
    "terraform.tfstate",
];

/// Whether a file of this name usually holds secrets.
pub(crate) fn is_credential(name: &str) -> bool {
    let begins_with = |start: &str| name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    VARIABLES.iter().any(|start| begins_with(start)) || CREDENTIALS.iter().any(|one| name.eq_ignore_ascii_case(one))
}

/// Files that are not uploaded because of their names, as in wrangler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many there are; counting stops at 100,000.
    pub count: usize,
    /// The first three paths, relative to the site's root.
    pub first: Vec<String>,
}

impl LeftOut {
    /// Adds the file `source`, or every file in that folder. What cannot be read is not counted.
    pub(crate) fn add(&mut self, source: &Path, path: &str, about: &Metadata) {
        let mut found = Vec::new();
        if about.is_dir() {
            files_below(source, path, &mut found);
        } else {
            found.push(path.to_owned());
        }
        self.count += found.len();
        self.first.append(&mut found);
        self.first.sort_unstable();
        self.first.truncate(NAMED);
    }
}

fn files_below(folder: &Path, path: &str, found: &mut Vec<String>) {
    let mut folders: Vec<(PathBuf, String)> = vec![(folder.to_owned(), path.to_owned())];
    while let Some((folder, path)) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if found.len() + folders.len() >= LOOKED_AT {
                return;
            }
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            // Links are not followed: pnpm's lead in circles.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push((entry.path(), path));
            } else {
                found.push(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_credential;

    #[test]
    fn variables_and_keys_are_told_from_other_files() {
        for name in [
            ".env",
            ".env.local",
            ".ENV.production",
            ".envrc",
            ".dev.vars",
            ".dev.vars.staging",
            ".npmrc",
            "id_rsa",
            ".aws",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["env", "index.env", "environment.js", ".well-known", ".nojekyll", "id_rsa.pub", "dev.vars.html"] {
            assert!(!is_credential(name), "{name}");
        }
    }
}

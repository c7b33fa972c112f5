//! Finds the command's program before anything starts, so that 126 and 127 mean the same in every way of running it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// The program that `name` means: a path when it holds a slash, else the first executable file of that name in `path`.
///
/// # Errors
/// `NotFound` (127) or `PermissionDenied` (126: a directory, or a file that may not be executed).
pub(super) fn program(name: &OsStr, path: Option<&str>) -> io::Result<PathBuf> {
    if !cfg!(unix) {
        return Ok(PathBuf::from(name));
    }
    let nowhere = || io::Error::new(io::ErrorKind::NotFound, "no program of that name in PATH");
    if name.is_empty() {
        return Err(nowhere());
    }
    if Path::new(name).components().count() > 1 || name.as_encoded_bytes().contains(&b'/') {
        return executable(Path::new(name).to_path_buf());
    }
    // As the C library has it where PATH is missing.
    let mut outcome = Err(nowhere());
    for directory in std::env::split_paths(path.unwrap_or("/bin:/usr/bin")) {
        match executable(directory.join(name)) {
            Ok(program) => return Ok(program),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => outcome = Err(error),
            Err(_) => {}
        }
    }
    outcome
}

#[cfg(unix)]
fn executable(path: PathBuf) -> io::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = path.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        Ok(path)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is a directory, or may not be executed"))
    }
}

#[cfg(not(unix))]
fn executable(path: PathBuf) -> io::Result<PathBuf> {
    Ok(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::ErrorKind;

    use super::program;

    #[test]
    fn a_program_is_found_in_the_path_and_a_directory_is_not_executable() {
        assert_eq!(program("sh".as_ref(), Some("/nonexistent:/bin")).unwrap().to_str(), Some("/bin/sh"));
        assert_eq!(program("sh".as_ref(), Some("/nonexistent")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(program("/".as_ref(), None).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(program("/nonexistent".as_ref(), None).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(program("".as_ref(), None).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

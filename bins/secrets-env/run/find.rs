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
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is a directory, or may not be executed"));
    }
    missing_interpreter(&path).map_or(Ok(path), Err)
}

/// The system only answers that there is no such file, which sounds as if the script itself were missing.
#[cfg(unix)]
fn missing_interpreter(script: &Path) -> Option<io::Error> {
    use std::io::Read as _;
    /// What Linux reads of the first line.
    const LINE: u64 = 256;
    let mut start = Vec::new();
    std::fs::File::open(script).ok()?.take(LINE).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let interpreter = line.trim_start_matches([' ', '\t']).split([' ', '\t']).next()?;
    if !interpreter.starts_with('/') || Path::new(interpreter).exists() {
        return None;
    }
    let cause = interpreter.strip_suffix('\r').map_or_else(
        || format!("its first line names `{interpreter}`, which does not exist"),
        |name| {
            format!("its lines end with CRLF, so its first line names `{name}` and a carriage return: save it with LF")
        },
    );
    Some(io::Error::new(io::ErrorKind::NotFound, cause))
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

    #[test]
    fn a_script_whose_interpreter_is_missing_is_named_with_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            program(path.as_os_str(), None)
        };
        for (text, cause) in [("#!/no/such/sh -e\n", "names `/no/such/sh`"), ("#!/bin/sh\r\necho\r\n", "CRLF")] {
            let error = script("broken", text).unwrap_err();
            assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains(cause), "{error}");
        }
        for text in ["#!/bin/sh\n", "#! /usr/bin/env -S sh -e\n", "echo\n", "\x7fELF", ""] {
            assert!(script("fine", text).is_ok(), "{text}");
        }
    }
}

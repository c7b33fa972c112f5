//! Whether our standard output and standard error are one stream, as after `2>&1`.
//!
//! If they are, the command gets one pipe for both: two pipes would be copied independently, and lines would change their order.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FileType, fstat};

/// Whether what is written to both arrives in one order.
pub(super) fn are_one() -> bool {
    is_one(io::stdout(), io::stderr())
}

/// One open file description, or two of the same pipe, socket or terminal. Not two of the same file: each has its own offset, and they
/// overwrite each other.
pub(super) fn is_one(one: impl AsFd, other: impl AsFd) -> bool {
    if inherit::is_same_description(&one, &other) == Some(true) {
        return true;
    }
    let (Ok(first), Ok(second)) = (fstat(&one), fstat(&other)) else { return false };
    let is_same_inode = (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino);
    match FileType::from_raw_mode(first.st_mode) {
        FileType::Fifo | FileType::Socket => is_same_inode,
        FileType::CharacterDevice => is_same_inode && rustix::termios::isatty(&one),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io;

    use super::is_one;

    #[test]
    fn ends_of_one_pipe_are_one_and_two_opens_of_a_file_are_not() {
        let (_reader, writer) = io::pipe().unwrap();
        assert!(is_one(&writer, writer.try_clone().unwrap()));
        assert!(!is_one(&writer, io::pipe().unwrap().1));
        let log = tempfile::NamedTempFile::new().unwrap();
        let open = || OpenOptions::new().append(true).open(log.path()).unwrap();
        assert!(!is_one(open(), open()));
        let null = || File::open("/dev/null").unwrap();
        assert!(!is_one(null(), null()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_copy_of_a_files_descriptor_is_one_with_it() {
        let log = tempfile::tempfile().unwrap();
        // Unless a sandbox refuses to compare.
        let copy = log.try_clone().unwrap();
        assert_eq!(is_one(&log, &copy), inherit::is_same_description(&log, &copy) == Some(true));
    }
}

//! Open descriptors: whether two are the same, which to close, and how to own one that was passed by number.

use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Whether two descriptors share one open file description, as after `2>&1`: one offset, one order of writes. `None` if the system does
/// not answer: only Linux has a call for it (`kcmp(2)`), and sandboxes may refuse it.
pub fn is_same_description(one: impl AsFd, other: impl AsFd) -> Option<bool> {
    compare(one.as_fd().as_raw_fd(), other.as_fd().as_raw_fd()).map(|order| order == 0)
}

/// `kcmp`'s answer: 0 for the same description, an order of different ones otherwise.
#[cfg(target_os = "linux")]
fn compare(one: RawFd, other: RawFd) -> Option<libc::c_long> {
    /// `KCMP_FILE` of `linux/kcmp.h`.
    const KCMP_FILE: libc::c_long = 0;
    let process = libc::c_long::from(std::process::id().cast_signed());
    let (one, other) = (libc::c_long::from(one), libc::c_long::from(other));
    #[expect(unsafe_code, reason = "no library wraps this call")]
    // SAFETY: the call takes numbers and compares; it changes nothing.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, process, process, KCMP_FILE, one, other) };
    (order >= 0).then_some(order)
}

#[cfg(not(target_os = "linux"))]
fn compare(_: RawFd, _: RawFd) -> Option<libc::c_long> {
    None
}

/// Closes every descriptor but the first three and those in `keep`. For a process that goes on in the background: an inherited pipe that
/// it kept open would look to others as if the pipe were still in use.
///
/// Call it before anything is opened: a value that owns a closed descriptor would later close another's.
#[cfg(target_os = "linux")]
pub fn close_all_but(keep: &[RawFd]) {
    let mut keep: Vec<u32> =
        keep.iter().filter_map(|&number| u32::try_from(number).ok()).filter(|&it| it > 2).collect();
    keep.sort_unstable();
    let mut from = 3;
    for end in keep.into_iter().chain([u32::MAX]) {
        if from < end {
            let last = if end == u32::MAX { end } else { end - 1 };
            #[expect(unsafe_code, reason = "no library closes a range of descriptors")]
            // SAFETY: the call takes numbers; that no value owns any of them is the caller's part, see above. An old kernel without the
            // call closes nothing.
            unsafe {
                libc::syscall(libc::SYS_close_range, from, last, 0)
            };
        }
        from = end.saturating_add(1);
    }
}

/// Leaves the descriptors `numbers` open in the program that `command` starts, under the same numbers. They must stay open here until
/// then.
pub fn leave_open(command: &mut Command, numbers: Vec<RawFd>) {
    let keep = move || {
        for number in &numbers {
            #[expect(unsafe_code, reason = "the flag must be cleared in the child alone")]
            // SAFETY: fcntl is async-signal-safe, and takes numbers. One that is not open is an error.
            if unsafe { libc::fcntl(*number, libc::F_SETFD, 0) } < 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: the closure makes system calls, and neither allocates nor locks.
    unsafe {
        command.pre_exec(keep)
    };
}

/// Takes ownership of the descriptor `number`, which the parent left open for us. `None` if it is not open.
///
/// Call it once per number, before anything is opened.
#[must_use]
pub fn take(number: RawFd) -> Option<OwnedFd> {
    #[expect(unsafe_code, reason = "a query of a number, which is all that the parent can pass")]
    // SAFETY: F_GETFD only reads a flag.
    let is_open = unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    #[expect(unsafe_code, reason = "the parent passed the number for us to own")]
    // SAFETY: it is open, and no other value owns it, see above.
    is_open.then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::AsFd as _;

    use super::is_same_description;

    #[test]
    fn a_copy_of_a_descriptor_is_the_same_and_a_second_open_of_the_file_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let copy = file.as_file().try_clone().unwrap();
        let second = std::fs::File::open(file.path()).unwrap();
        // A sandbox may refuse to compare.
        assert_ne!(is_same_description(file.as_file(), &copy), Some(false));
        assert_ne!(is_same_description(file.as_file(), second.as_fd()), Some(true));
    }
}

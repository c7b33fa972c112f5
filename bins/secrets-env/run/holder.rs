//! The process that holds secrets which the command reads as files (Linux).
//!
//! A descriptor that the command inherits is not enough: Python, Node, sudo and ssh close descriptors in the processes they start. So the
//! variable holds `/proc/<id>/fd/<number>` of this process, which opens in every process of the same user. The files are anonymous and in
//! memory (`memfd`), sealed against change, and only their owner may open them. The process has nothing else: no token, no environment,
//! no other descriptor. It ends when the command has ended and no process is left that inherited its pipe.

use std::io::{self, Read, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::ExitCode;

use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use rustix::io::dup2;
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Resource, Rlimit, getppid, pidfd_open, set_dumpable_behavior, setrlimit, setsid,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use secrecy::zeroize::Zeroizing;

/// More than any secret; a length above it is not one of ours.
const LARGEST: u64 = 1 << 30;

/// Holds files for the command until it ends. Reads them from standard input and answers with their descriptors, a line each.
pub(super) fn run(parent: Pid) -> ExitCode {
    inherit::close_all_but(&[]);
    // Before anything can end the parent: the command of an `exec` keeps this process id.
    let Ok(command) = pidfd_open(parent, PidfdFlags::empty()) else { return ExitCode::FAILURE };
    if getppid() != Some(parent) {
        return ExitCode::FAILURE;
    }
    isolate();
    let mut files = Vec::new();
    // A frame that is cut off or makes no sense does not come from us: the command wrote into the pipe. The files stay.
    while let Ok(contents) = frame(&mut io::stdin()) {
        if replace(&mut files, &contents).and_then(|()| answer(&files)).is_err() {
            return ExitCode::FAILURE;
        }
    }
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    wait_for_end(&command);
    ExitCode::SUCCESS
}

/// Opens this process to readers, and to nothing else.
fn isolate() {
    // Not reached by signals of the command's terminal.
    let _ = setsid();
    // Only a dumpable process lets others of the same user open its descriptors.
    let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // The system compares capabilities: with none here, a reader that dropped some (a container's root, for example) may still open.
    let none = CapabilitySet::empty();
    let _ = set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none });
}

/// Reads the contents of all files: their number, then a length and the bytes of each.
fn frame(from: &mut impl Read) -> io::Result<Vec<Zeroizing<Vec<u8>>>> {
    let count = number(from)?;
    let mut contents = Vec::new();
    for _ in 0..count {
        let length = number(from)?;
        if length > LARGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut content = Zeroizing::new(Vec::new());
        from.take(length).read_to_end(&mut content)?;
        if content.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        contents.push(content);
    }
    Ok(contents)
}

fn number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The bytes that [`frame`] reads.
pub(super) fn framed(contents: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let size = contents.iter().map(|content| content.len() + 8).sum::<usize>() + 8;
    // All at once: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    bytes.extend((contents.len() as u64).to_le_bytes());
    for content in contents {
        bytes.extend((content.len() as u64).to_le_bytes());
        bytes.extend_from_slice(content);
    }
    bytes
}

/// Makes the files, or new ones in their places, so that a path opens the new content from then on.
fn replace(files: &mut Vec<OwnedFd>, contents: &[Zeroizing<Vec<u8>>]) -> io::Result<()> {
    for (at, content) in contents.iter().enumerate() {
        let file = sealed(content)?;
        match files.get_mut(at) {
            Some(place) => dup2(&file, place)?,
            None => files.push(file),
        }
    }
    Ok(())
}

fn sealed(content: &[u8]) -> io::Result<OwnedFd> {
    let file = memfd_create("secret", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)?;
    // 0777 by default, and ssh refuses a key that others may read.
    fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    let mut file = std::fs::File::from(file);
    file.write_all(content)?;
    fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file.into())
}

fn answer(files: &[OwnedFd]) -> io::Result<()> {
    let mut out = io::stdout();
    // The parent of the first answer is gone after an `exec`, and then there is no second one.
    for file in files {
        writeln!(out, "{}", file.as_raw_fd())?;
    }
    out.flush()
}

/// Waits until the command has ended: sudo and others close the pipe while they run.
fn wait_for_end(command: &OwnedFd) {
    use rustix::event::{PollFd, PollFlags, poll};
    while let Ok(0) | Err(rustix::io::Errno::INTR) = poll(&mut [PollFd::new(command, PollFlags::IN)], None) {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{frame, framed};

    proptest! {
        #[test]
        fn what_is_framed_is_read_back_and_a_part_of_it_is_refused(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4),
            cut in 1usize..20,
        ) {
            let slices: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
            let bytes = framed(&slices);
            let read: Vec<Vec<u8>> = frame(&mut &bytes[..]).unwrap().into_iter().map(|content| content.to_vec()).collect();
            prop_assert_eq!(read, contents);
            prop_assert!(frame(&mut &bytes[..bytes.len().saturating_sub(cut)]).is_err());
        }
    }
}

//! What is sent to every host: a file, or a folder as a tar stream, read and hashed once.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use crate::fragment::hexadecimal;
use fault::{Fault, Result};

/// Something to send, complete and checked.
#[derive(Debug)]
pub struct Payload {
    /// What it is.
    pub kind: PayloadKind,
    /// The size of what is sent.
    pub size: u64,
    /// The SHA-256 of what is sent.
    pub sum: String,
    /// What equal content has in common: names, modes and bytes, and no times.
    pub digest: String,
    /// The permission bits of a file.
    pub mode: u32,
    content: Content,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// One file.
    File,
    /// A folder, as a tar stream.
    Folder,
}

#[derive(Debug)]
enum Content {
    Path(PathBuf),
    /// A file without a name: it ends with us, however we end.
    Packed(File),
}

/// One host's reader of a packed folder.
struct Packed<'a> {
    file: &'a File,
    at: u64,
}

impl Read for Packed<'_> {
    fn read(&mut self, chunk: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(chunk, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Payload {
    /// Reads `source`, a file or a folder.
    ///
    /// # Errors
    /// A usage fault for a source that is missing or empty, and for one with a link that leaves it or a file that is no file.
    pub fn read(source: &Path) -> Result<Self> {
        let failed =
            |error: std::io::Error| Fault::usage(format!("cannot read {}", source.display())).cause(error.to_string());
        if source.as_os_str().is_empty() {
            return Err(Fault::usage("the source of an upload is empty"));
        }
        let metadata = fs::metadata(source).map_err(failed)?;
        if metadata.is_dir() {
            return Self::pack(source);
        }
        if !metadata.is_file() {
            return Err(Fault::usage(format!("{} is neither a file nor a folder", source.display())));
        }
        let (size, sum) = summed(&mut File::open(source).map_err(failed)?).map_err(failed)?;
        Ok(Self {
            kind: PayloadKind::File,
            size,
            digest: sum.clone(),
            sum,
            mode: mode(&metadata),
            content: Content::Path(source.to_owned()),
        })
    }

    /// A reader from the start, for one host.
    ///
    /// # Errors
    /// The file cannot be opened any more.
    pub fn open(&self) -> std::io::Result<Box<dyn Read + Send + '_>> {
        Ok(match &self.content {
            Content::Path(path) => Box::new(File::open(path)?),
            Content::Packed(file) => Box::new(Packed { file, at: 0 }),
        })
    }

    fn pack(folder: &Path) -> Result<Self> {
        let failed =
            |error: std::io::Error| Fault::usage(format!("cannot pack {}", folder.display())).cause(error.to_string());
        let entries = entries(folder)?;
        if entries.is_empty() {
            return Err(Fault::usage(format!("the folder {} is empty", folder.display())));
        }
        let packed = tempfile::tempfile().map_err(failed)?;
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        {
            let mut archive = tar::Builder::new(&packed);
            for entry in &entries {
                append(&mut archive, folder, entry).map_err(failed)?;
                digest.update(described(folder, entry).map_err(failed)?.as_bytes());
            }
            archive.finish().map_err(failed)?;
        }
        let (size, sum) = summed(&mut Packed { file: &packed, at: 0 }).map_err(failed)?;
        let digest = hexadecimal(digest.finish().as_ref());
        Ok(Self { kind: PayloadKind::Folder, size, sum, digest, mode: 0o755, content: Content::Packed(packed) })
    }
}

/// Adds an entry without its owner: on a host it belongs to the user that unpacks it.
fn append(archive: &mut tar::Builder<&File>, folder: &Path, entry: &Path) -> std::io::Result<()> {
    let path = folder.join(entry);
    let metadata = fs::symlink_metadata(&path)?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&metadata);
    header.set_uid(0);
    header.set_gid(0);
    if metadata.is_symlink() {
        archive.append_link(&mut header, entry, fs::read_link(&path)?)
    } else if metadata.is_dir() {
        archive.append_data(&mut header, entry, std::io::empty())
    } else {
        archive.append_data(&mut header, entry, File::open(&path)?)
    }
}

/// The files, folders and links below `folder`, in one order, each checked.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let path = folder.join(&below);
        let failed =
            |error: std::io::Error| Fault::usage(format!("cannot read {}", path.display())).cause(error.to_string());
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = below.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_symlink() {
                check_link(&name, &fs::read_link(entry.path()).map_err(failed)?)?;
            } else if kind.is_dir() {
                open.push(name.clone());
            } else if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
                return Err(Fault::usage(format!("{} is no file, folder or link", entry.path().display())));
            }
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// A link must stay inside of what is sent: on a host it would lead anywhere.
fn check_link(name: &Path, target: &Path) -> Result<()> {
    let mut depth = name.components().count().saturating_sub(1);
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(Fault::usage(format!(
                    "the link {} leads out of what is sent, to {}",
                    name.display(),
                    target.display()
                )));
            }
        }
    }
    Ok(())
}

/// One line about an entry: its name, mode and content.
fn described(folder: &Path, entry: &Path) -> std::io::Result<String> {
    let path = folder.join(entry);
    let metadata = fs::symlink_metadata(&path)?;
    let content = if metadata.is_symlink() {
        fs::read_link(&path)?.display().to_string()
    } else if metadata.is_file() {
        summed(&mut File::open(&path)?)?.1
    } else {
        String::new()
    };
    Ok(format!("{}\0{:o}\0{content}\n", entry.display(), mode(&metadata)))
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o777
}

/// The size and SHA-256 of what `reader` gives.
fn summed(reader: &mut impl Read) -> std::io::Result<(u64, String)> {
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut chunk = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let count = reader.read(&mut chunk)?;
        if count == 0 {
            return Ok((size, hexadecimal(digest.finish().as_ref())));
        }
        digest.update(&chunk[..count]);
        size += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::{Payload, PayloadKind};

    #[test]
    fn equal_content_has_one_digest_whatever_its_times() {
        let folder = || {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("a")).unwrap();
            fs::write(folder.path().join("a/b"), "text").unwrap();
            symlink("a/b", folder.path().join("link")).unwrap();
            folder
        };
        let (one, other) = (folder(), folder());
        fs::File::options()
            .write(true)
            .open(other.path().join("a/b"))
            .unwrap()
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        let [one, other] = [&one, &other].map(|folder| Payload::read(folder.path()).unwrap());
        assert_eq!((one.kind, &one.digest), (PayloadKind::Folder, &other.digest));
        assert_ne!(one.sum, other.sum);
    }

    #[test]
    fn links_that_leave_the_folder_empty_sources_and_pipes_are_refused() {
        let refused = |build: &dyn Fn(&Path)| {
            let folder = tempfile::tempdir().unwrap();
            build(folder.path());
            Payload::read(folder.path()).unwrap_err().message
        };
        assert!(refused(&|_| {}).contains("is empty"));
        assert!(refused(&|folder| symlink("/etc/passwd", folder.join("x")).unwrap()).contains("leads out"));
        assert!(refused(&|folder| symlink("../x", folder.join("x")).unwrap()).contains("leads out"));
        assert!(
            refused(&|folder| drop(std::os::unix::net::UnixListener::bind(folder.join("x")).unwrap()))
                .contains("no file")
        );
        assert!(Payload::read(Path::new("")).is_err() && Payload::read(Path::new("/not/there")).is_err());
    }
}

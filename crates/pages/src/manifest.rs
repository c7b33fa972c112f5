//! The manifest of a site: its paths with their hashes, computed on all cores.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use fault::{Fault, Result};
use serde::Serializer as _;

use crate::hash::{AssetHash, extension};
use crate::hash_cache::HashCache;
use crate::mime::content_type;
use crate::tree::File;

/// How many files a thread takes at once.
const HANDFUL: usize = 16;

/// A file with its hash and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The file.
    pub file: File,
    /// Its key in the asset store.
    pub hash: AssetHash,
    /// The content type it is served with.
    pub content_type: &'static str,
}

/// The assets of one site, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    assets: Vec<Asset>,
}

impl Manifest {
    /// A manifest of these assets, sorted by path.
    #[must_use]
    pub fn new(assets: Vec<Asset>) -> Self {
        Self { assets }
    }

    /// Every asset, sorted by path.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// Every hash once, in the order of the paths.
    #[must_use]
    pub fn hashes(&self) -> Vec<AssetHash> {
        let mut seen = std::collections::HashSet::new();
        self.assets.iter().map(|asset| asset.hash).filter(|hash| seen.insert(*hash)).collect()
    }

    /// One asset for each of `hashes`: the first by path. Unknown hashes are left out.
    #[must_use]
    pub fn holding(&self, hashes: &[AssetHash]) -> Vec<&Asset> {
        let mut first = HashMap::new();
        for asset in self.assets.iter().rev() {
            first.insert(asset.hash, asset);
        }
        hashes.iter().filter_map(|hash| first.remove(hash)).collect()
    }

    /// The bytes of all assets.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.assets.iter().map(|asset| asset.file.size).sum()
    }

    /// The form field `manifest`: `{"/path":"hash"}`, sorted, names as they are on disk.
    #[must_use]
    pub fn json(&self) -> String {
        let pairs = self.assets.iter().map(|asset| (format!("/{}", asset.file.path), asset.hash));
        let mut json = Vec::new();
        // Strings as keys and values, into memory: writing it cannot fail.
        let _ = serde_json::Serializer::new(&mut json).collect_map(pairs);
        String::from_utf8(json).unwrap_or_default()
    }
}

/// Hashes sites on several threads. Files that sites share are read once.
#[derive(Debug)]
pub struct Hasher {
    threads: usize,
    shared: HashCache,
}

impl Hasher {
    /// A hasher that reads each site on `threads` threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self { threads, shared: HashCache::default() }
    }

    /// The manifest of a site with these files, sorted by path.
    ///
    /// # Errors
    /// The first file by path that cannot be read.
    pub fn manifest(&self, files: Vec<File>) -> Result<Manifest> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(files.len()));
        let work = || {
            let mut own = Vec::new();
            loop {
                // Several at a time, so that threads do not contend for the counter on small files.
                let from = next.fetch_add(HANDFUL, Ordering::Relaxed);
                if from >= files.len() {
                    break;
                }
                let to = (from + HANDFUL).min(files.len());
                own.extend((from..to).map(|at| (at, self.hash(&files[at]))));
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
        };
        thread::scope(|scope| {
            for _ in 1..self.threads.clamp(1, files.len().div_ceil(HANDFUL).max(1)) {
                scope.spawn(work);
            }
            work();
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(at, _)| *at);
        let asset = |(file, (_, hash)): (File, (usize, Result<AssetHash>))| {
            let content_type = content_type(&file.path);
            hash.map(|hash| Asset { file, hash, content_type })
        };
        files.into_iter().zip(done).map(asset).collect::<Result<_>>().map(Manifest::new)
    }

    fn hash(&self, file: &File) -> Result<AssetHash> {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let extension = extension(name);
        let read = || AssetHash::read(fs::File::open(&file.source)?, file.size, extension);
        match file.shared {
            Some(identity) => self.shared.hash(identity, extension, read),
            None => read(),
        }
        .map_err(|error| Fault::failed(format!("cannot read `{}`", file.source.display())).cause(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Hasher, Manifest};
    use crate::tree::{Links, walk};

    fn manifest(root: &Path) -> Manifest {
        Hasher::new(2).manifest(walk(root, Links::Anywhere, &[]).unwrap().files).unwrap()
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.html", "b.html", "c.html"] {
            fs::write(root.path().join(name), "hi\n").unwrap();
        }
        let files = walk(root.path(), Links::Anywhere, &[]).unwrap().files;
        fs::remove_file(root.path().join("b.html")).unwrap();
        let fault = Hasher::new(3).manifest(files).unwrap_err();
        assert!(fault.message.contains("b.html"), "{fault:?}");
    }

    #[test]
    fn a_file_that_becomes_shorter_is_not_taken_for_whole() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.html"), "long").unwrap();
        let files = walk(root.path(), Links::Anywhere, &[]).unwrap().files;
        fs::write(root.path().join("a.html"), "l").unwrap();
        let fault = Hasher::new(1).manifest(files).unwrap_err();
        assert_eq!(fault.causes, ["it became shorter while it was read"]);
    }

    #[test]
    fn the_form_field_is_sorted_and_escaped() {
        let root = tempfile::tempdir().unwrap();
        for name in ["index.html", "a\"b.html", "\u{e9}\n.html"] {
            fs::write(root.path().join(name), "hi\n").unwrap();
        }
        let hash = "2de2d7c4f699c05945c1f7897816dc30";
        let expected = format!(r#"{{"/a\"b.html":"{hash}","/index.html":"{hash}","/é\n.html":"{hash}"}}"#);
        assert_eq!(manifest(root.path()).json(), expected);
    }

    #[test]
    fn equal_files_are_one_hash_and_one_upload() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.txt", "c.html"] {
            fs::write(root.path().join(name), "same").unwrap();
        }
        let manifest = manifest(root.path());
        assert_eq!(manifest.assets().len(), 3);
        let hashes = manifest.hashes();
        assert_eq!(hashes.len(), 2);
        let paths: Vec<&str> = manifest.holding(&hashes).iter().map(|asset| asset.file.path.as_str()).collect();
        assert_eq!(paths, ["a.txt", "c.html"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_two_sites_share_is_read_once() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(one.path().join("a.css"), "shared").unwrap();
        fs::hard_link(one.path().join("a.css"), other.path().join("b.css")).unwrap();
        fs::hard_link(one.path().join("a.css"), other.path().join("b.txt")).unwrap();
        let walked = |root: &Path| walk(root, Links::Anywhere, &[]).unwrap().files;
        let (first, mut second) = (walked(one.path()), walked(other.path()));
        let hasher = Hasher::new(1);
        let first = hasher.manifest(first).unwrap();
        // If it were read again, it would not be found.
        fs::remove_file(other.path().join("b.css")).unwrap();
        let text = second.split_off(1);
        assert_eq!(hasher.manifest(second).unwrap().hashes(), first.hashes());
        // Under another extension it is another key.
        assert_ne!(hasher.manifest(text).unwrap().hashes(), first.hashes());
    }
}

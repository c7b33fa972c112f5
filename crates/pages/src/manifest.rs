//! What a site is made of: its paths with their hashes, computed on all cores, and the digest that says whether two sites are alike.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use fault::{Fault, Result};

use crate::hash::{AssetHash, extension};
use crate::mime::content_type;
use crate::tree::File;

/// A file with its hash and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The file.
    pub file: File,
    /// Its key in the asset store.
    pub hash: AssetHash,
    /// What it is served as.
    pub content_type: &'static str,
}

/// The assets of one site, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    assets: Vec<Asset>,
}

impl Manifest {
    /// A manifest of these assets.
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

    /// One asset for each of `hashes`: the first by path. Hashes of no asset are left out.
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
        let pairs: BTreeMap<String, String> =
            self.assets.iter().map(|asset| (format!("/{}", asset.file.path), asset.hash.to_string())).collect();
        // Strings as keys and values: writing it cannot fail.
        serde_json::to_string(&pairs).unwrap_or_default()
    }
}

/// Hashes the files of all sites on `threads` threads; the answers are in the order of `trees`.
#[must_use]
pub fn hash_all(trees: Vec<Vec<File>>, threads: usize) -> Vec<Result<Manifest>> {
    let files: Vec<(usize, &File)> =
        trees.iter().enumerate().flat_map(|(site, files)| files.iter().map(move |file| (site, file))).collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<AssetHash>)>> = Mutex::new(Vec::with_capacity(files.len()));
    let work = || {
        let mut own = Vec::new();
        loop {
            // A handful at a time, so that small files do not fight for the counter.
            let from = next.fetch_add(16, Ordering::Relaxed);
            if from >= files.len() {
                break;
            }
            let to = (from + 16).min(files.len());
            own.extend((from..to).map(|at| (at, hash(files[at].1))));
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
    };
    thread::scope(|scope| {
        for _ in 1..threads.clamp(1, files.len().div_ceil(16).max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    let mut hashes = done.into_iter().map(|(_, hash)| hash);
    trees.into_iter().map(|files| manifest(files, &mut hashes)).collect()
}

/// Takes one hash for each file, all of them, whatever fails.
fn manifest(files: Vec<File>, hashes: &mut impl Iterator<Item = Result<AssetHash>>) -> Result<Manifest> {
    let assets: Vec<Result<Asset>> = files
        .into_iter()
        .zip(hashes)
        .map(|(file, hash)| {
            let content_type = content_type(&file.path);
            hash.map(|hash| Asset { file, hash, content_type })
        })
        .collect();
    assets.into_iter().collect::<Result<_>>().map(Manifest::new)
}

fn hash(file: &File) -> Result<AssetHash> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let content = fs::File::open(&file.source);
    content
        .and_then(|content| AssetHash::of(content, extension(name)))
        .map_err(|error| Fault::no(format!("cannot read `{}`", file.source.display())).cause(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::hash_all;
    use crate::tree::{Links, walk};

    #[test]
    fn two_sites_with_one_unreadable_file_fail_apart() {
        let (good, bad) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(good.path().join("index.html"), "hi\n").unwrap();
        fs::write(bad.path().join("a.html"), "hi\n").unwrap();
        fs::write(bad.path().join("b.html"), "hi\n").unwrap();
        let trees: Vec<_> =
            [bad.path(), good.path()].map(|root| walk(root, Links::Anywhere).unwrap()).into_iter().collect();
        fs::remove_file(bad.path().join("a.html")).unwrap();
        let seen = hash_all(trees, 3);
        assert!(seen[0].as_ref().unwrap_err().message.contains("a.html"));
        let good = seen[1].as_ref().unwrap();
        assert_eq!(good.json(), r#"{"/index.html":"2de2d7c4f699c05945c1f7897816dc30"}"#);
    }

    #[test]
    fn equal_files_are_one_hash_and_one_upload() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.txt", "c.html"] {
            fs::write(root.path().join(name), "same").unwrap();
        }
        let manifest = hash_all(vec![walk(root.path(), Links::Anywhere).unwrap()], 2).remove(0).unwrap();
        assert_eq!(manifest.assets().len(), 3);
        let hashes = manifest.hashes();
        assert_eq!(hashes.len(), 2);
        let paths: Vec<&str> = manifest.holding(&hashes).iter().map(|asset| asset.file.path.as_str()).collect();
        assert_eq!(paths, ["a.txt", "c.html"]);
    }
}

//! Groups assets into upload requests, whose bodies are read from disk while they are sent.
//!
//! The limits are wrangler's: 40 MiB of content and 2,000 files; more has made gateways fail (workers-sdk PR 5813).

use std::fs;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::base64_stream::{PIECE, encode};
use crate::buffer_pool::BufferPool;
use crate::manifest::Asset;

const CONTENT_LIMIT: u64 = 40 * 1024 * 1024;
const FILES_LIMIT: usize = 2000;

/// So little content is not worth a second request.
const WORTHWHILE: u64 = 4 * 1024 * 1024;

/// How many requests a large upload begins with, as in wrangler.
const SPREAD: u64 = 3;

/// Bytes handed to the connection at once, and the memory for them with what a last piece adds.
const CHUNK: usize = 256 * 1024;
const ROOM: usize = CHUNK + 2 * PIECE;

/// The assets of one upload.
#[derive(Clone, Debug)]
pub struct UploadBatch {
    assets: Arc<Vec<Asset>>,
    content: u64,
}

impl UploadBatch {
    /// The assets in it.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// The bytes of its files.
    #[must_use]
    pub fn content(&self) -> u64 {
        self.content
    }

    /// The length of the request's body.
    #[must_use]
    pub fn length(&self) -> u64 {
        let items: u64 =
            self.assets.iter().map(|asset| (before(asset).len() + after(asset).len()) as u64 + text(asset)).sum();
        // The brackets, and a comma between two.
        items + 2 + (self.assets.len() as u64).saturating_sub(1)
    }

    /// The request's body: `[{"key","value","metadata":{"contentType"},"base64":true},…]`, exactly [`UploadBatch::length`] bytes. If a
    /// file changed since it was hashed, the body ends with an error, so that no wrong content is stored under a right key.
    #[must_use]
    pub fn body(&self) -> api::Body {
        let assets = Arc::clone(&self.assets);
        let (send, receive) = mpsc::channel::<io::Result<Bytes>>(2);
        tokio::task::spawn_blocking(move || {
            let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
            let end = write(&assets, |chunk| send.blocking_send(Ok(chunk)).map_err(|_gone| gone()));
            if let Err(error) = end {
                // The receiver may be gone already; that is not an error here.
                let _ = send.blocking_send(Err(error));
            }
        });
        api::Body::wrap_stream(stream::unfold(receive, async |mut receive| {
            let chunk = receive.recv().await?;
            Some((chunk, receive))
        }))
    }
}

/// Deals `missing` into batches in turn, the largest first, as wrangler does; but little content stays one request.
#[must_use]
pub fn deal(missing: &[&Asset]) -> Vec<UploadBatch> {
    let mut sorted = missing.to_vec();
    sorted.sort_by(|one, other| other.file.size.cmp(&one.file.size).then_with(|| one.file.path.cmp(&other.file.path)));
    let content: u64 = sorted.iter().map(|asset| asset.file.size).sum();
    let spread = usize::try_from(content.div_ceil(WORTHWHILE).clamp(1, SPREAD)).unwrap_or(1);
    let mut batches: Vec<(Vec<Asset>, u64)> = vec![(Vec::new(), 0); spread];
    for (turn, &asset) in sorted.iter().enumerate() {
        let count = batches.len();
        let fits = (0..count).map(|step| (turn + step) % count).find(|&at| {
            let (files, content) = &batches[at];
            content + asset.file.size <= CONTENT_LIMIT && files.len() < FILES_LIMIT
        });
        let at = fits.unwrap_or_else(|| {
            batches.push((Vec::new(), 0));
            count
        });
        batches[at].0.push(asset.clone());
        batches[at].1 += asset.file.size;
    }
    let full = batches.into_iter().filter(|(assets, _)| !assets.is_empty());
    full.map(|(assets, content)| UploadBatch { assets: Arc::new(assets), content }).collect()
}

/// Makes the body of `assets` and hands it to `send` a chunk at a time.
fn write(assets: &[Asset], send: impl Fn(Bytes) -> io::Result<()>) -> io::Result<()> {
    let chunks = BufferPool::new(ROOM);
    let mut chunk = chunks.empty();
    let send_full = |chunk: &mut Vec<u8>| {
        if chunk.len() < CHUNK {
            return Ok(());
        }
        send(chunks.lend(std::mem::replace(chunk, chunks.empty())))
    };
    chunk.push(b'[');
    for (at, asset) in assets.iter().enumerate() {
        if at > 0 {
            chunk.push(b',');
        }
        chunk.extend_from_slice(before(asset).as_bytes());
        encode(open_unchanged(asset)?, asset.file.size, &mut chunk, send_full)?;
        chunk.extend_from_slice(after(asset).as_bytes());
    }
    chunk.push(b']');
    send(chunks.lend(chunk))
}

fn open_unchanged(asset: &Asset) -> io::Result<fs::File> {
    let content = fs::File::open(&asset.file.source)?;
    let about = content.metadata()?;
    if about.len() != asset.file.size || about.modified().ok() != asset.file.modified {
        return Err(io::Error::other(format!("`{}` changed while it was deployed", asset.file.source.display())));
    }
    Ok(content)
}

fn before(asset: &Asset) -> String {
    format!(r#"{{"key":"{}","value":""#, asset.hash)
}

fn after(asset: &Asset) -> String {
    // The types come from our own table and need no escaping.
    format!(r#"","metadata":{{"contentType":"{}"}},"base64":true}}"#, asset.content_type)
}

/// The length of its content's base64 text.
fn text(asset: &Asset) -> u64 {
    asset.file.size.div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs;
    use std::path::PathBuf;

    use super::{CONTENT_LIMIT, FILES_LIMIT, deal, write};
    use crate::hash::AssetHash;
    use crate::manifest::{Asset, Hasher};
    use crate::tree::{File, Links, walk};
    use proptest::prelude::*;

    fn asset(path: String, size: u64) -> Asset {
        let hash = AssetHash::of(path.as_bytes(), "");
        let file = File { path, source: PathBuf::new(), size, modified: None, shared: None };
        Asset { file, hash, content_type: "text/plain" }
    }

    #[test]
    fn little_content_is_one_request() {
        let assets: Vec<Asset> = (0..50).map(|at| asset(at.to_string(), 20_000)).collect();
        assert_eq!(deal(&assets.iter().collect::<Vec<_>>()).len(), 1);
        assert!(deal(&[]).is_empty());
    }

    #[test]
    fn the_body_has_the_length_that_was_announced_and_wranglers_shape() {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in [("a.txt", "same bytes\n"), ("b", ""), ("c.html", "xy")] {
            fs::write(root.path().join(name), content).unwrap();
        }
        let manifest = Hasher::new(1).manifest(walk(root.path(), Links::Anywhere, &[]).unwrap().files).unwrap();
        let batch = deal(&manifest.holding(&manifest.hashes())).remove(0);
        let body = body(batch.assets()).unwrap();
        assert_eq!(body.len() as u64, batch.length());
        let items: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(items[0]["value"], "c2FtZSBieXRlcwo=");
        assert_eq!(
            items[2],
            serde_json::json!({"key": "af1349b9f5f9a1a6a0404dea36dcc949", "value": "", "metadata": {"contentType": "application/octet-stream"}, "base64": true})
        );
    }

    #[test]
    fn a_file_that_changed_since_it_was_hashed_is_not_sent() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.txt"), "old").unwrap();
        let manifest = Hasher::new(1).manifest(walk(root.path(), Links::Anywhere, &[]).unwrap().files).unwrap();
        fs::write(root.path().join("a.txt"), "newer").unwrap();
        let error = body(manifest.assets()).unwrap_err();
        assert!(error.to_string().contains("a.txt` changed"), "{error}");
    }

    fn body(assets: &[Asset]) -> std::io::Result<Vec<u8>> {
        let body = RefCell::default();
        write(assets, |chunk| {
            Vec::extend(&mut body.borrow_mut(), chunk);
            Ok(())
        })?;
        Ok(body.into_inner())
    }

    proptest! {
        #[test]
        fn every_asset_is_in_one_batch_and_no_batch_is_over_the_limits(sizes in proptest::collection::vec(0u64..26_214_400, 0..3000)) {
            let assets: Vec<Asset> = sizes.iter().enumerate().map(|(at, size)| asset(at.to_string(), *size)).collect();
            let batches = deal(&assets.iter().collect::<Vec<_>>());
            let mut seen: Vec<&str> = batches.iter().flat_map(super::UploadBatch::assets).map(|asset| asset.file.path.as_str()).collect();
            seen.sort_unstable();
            let mut all: Vec<&str> = assets.iter().map(|asset| asset.file.path.as_str()).collect();
            all.sort_unstable();
            prop_assert_eq!(seen, all);
            for batch in &batches {
                prop_assert!(batch.content() <= CONTENT_LIMIT && batch.assets().len() <= FILES_LIMIT && !batch.assets().is_empty());
            }
        }
    }
}

//! The asset store of a project: asks what is missing, uploads it, and marks it as in use. One token serves all calls and is renewed
//! once for all of them.

use std::time::Duration;

use api::Repeat;
use fault::{Fault, Result};
use futures_util::stream::{self, TryStreamExt as _};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::answer::{Ignored, advise, is_expired};
use crate::client::PagesClient;
use crate::hash::AssetHash;
use crate::manifest::{Asset, Manifest};
use crate::token::UploadToken;
use crate::upload_batch::{UploadBatch, deal};

/// Uploads of one site at once, as in wrangler; the rate limit bounds all sites together.
const AT_ONCE: usize = 3;

/// How long marking files as in use may take: a deployment needs no mark, and should not wait long for one.
const MARKING: Duration = Duration::from_secs(20);

/// How often one call may renew its token: a token that is refused when it is new stays refused.
const RENEWALS: u32 = 2;

/// What was uploaded of a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Distinct files that the store did not have.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// The asset store of one project.
#[derive(Debug)]
pub struct Assets<'a> {
    client: &'a PagesClient,
    project: &'a str,
    token: Mutex<UploadToken>,
}

impl<'a> Assets<'a> {
    /// The store of `project`, opened with a fresh token.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
    pub async fn open(client: &'a PagesClient, project: &'a str) -> Result<Self> {
        Ok(Self { client, project, token: Mutex::new(client.upload_token(project).await?) })
    }

    /// The most files a deployment of this project may have.
    pub async fn files_limit(&self) -> u64 {
        self.token.lock().await.files_limit()
    }

    /// The assets of `manifest` that the store does not have, one for each hash.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
    pub async fn missing<'m>(&self, manifest: &'m Manifest) -> Result<Vec<&'m Asset>> {
        let body = hashes(&manifest.hashes());
        let answer: Vec<String> = self
            .call(self.client, "/pages/assets/check-missing", |request| request.body("application/json", body.clone()))
            .await?;
        let missing = answer.iter().map(|hash| hash.parse()).collect::<Result<Vec<AssetHash>>>()?;
        Ok(manifest.holding(&missing))
    }

    /// Sends `missing`, three requests at once; `progress` gets the content's bytes of each that was stored.
    ///
    /// # Errors
    /// The service refuses, or is unreachable; a file changed meanwhile.
    pub async fn upload(&self, missing: &[&Asset], progress: impl Fn(u64)) -> Result<Sent> {
        let batches = deal(missing);
        let sent = Sent { files: missing.len(), bytes: missing.iter().map(|asset| asset.file.size).sum() };
        stream::iter(batches.into_iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |batch| {
                let progress = &progress;
                async move {
                    self.send(&batch).await?;
                    progress(batch.content());
                    Ok::<(), Fault>(())
                }
            })
            .await?;
        Ok(sent)
    }

    /// Marks all of `manifest` as in use.
    ///
    /// # Errors
    /// The service refuses, or is unreachable.
    pub async fn keep(&self, manifest: &Manifest) -> Result<()> {
        let body = hashes(&manifest.hashes());
        let client = self.client.within(MARKING);
        let fill = |request: api::Request| request.body("application/json", body.clone());
        self.call::<Ignored>(&client, "/pages/assets/upsert-hashes", fill).await.map(|_| ())
    }

    async fn send(&self, batch: &UploadBatch) -> Result<()> {
        let length = batch.length();
        let call = self.call::<Ignored>(self.client, "/pages/assets/upload", |request| {
            let batch = batch.clone();
            request.stream("application/json", length, move || batch.body())
        });
        call.await.map(|_| ())
    }

    /// All asset calls may be repeated: content is stored under its hash.
    async fn call<T: serde::de::DeserializeOwned>(
        &self,
        client: &PagesClient,
        path: &str,
        fill: impl Fn(api::Request) -> api::Request,
    ) -> Result<T> {
        let mut renewals = 0;
        loop {
            let token = self.fresh().await?;
            let outcome = client.call(Repeat::Harmless, || fill(client.asset_call(path, &token))).await;
            match outcome {
                Err(api::Error::Refused(refusal)) if is_expired(&refusal) && renewals < RENEWALS => {
                    renewals += 1;
                    self.renew(&token).await?;
                }
                outcome => return outcome.map_err(|error| advise(error, self.project)),
            }
        }
    }

    async fn fresh(&self) -> Result<UploadToken> {
        let mut token = self.token.lock().await;
        if token.is_due(jiff::Timestamp::now().as_second()) {
            *token = self.client.upload_token(self.project).await?;
        }
        Ok(token.clone())
    }

    /// Replaces `refused`, unless another call has done so meanwhile.
    async fn renew(&self, refused: &UploadToken) -> Result<()> {
        let mut token = self.token.lock().await;
        if token.is(refused) {
            *token = self.client.upload_token(self.project).await?;
        }
        Ok(())
    }
}

fn hashes(hashes: &[AssetHash]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        hashes: &'a [AssetHash],
    }
    // Into memory: writing it cannot fail.
    serde_json::to_vec(&Body { hashes }).unwrap_or_default()
}

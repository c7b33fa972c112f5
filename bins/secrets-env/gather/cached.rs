//! Reads a config through the job's cache: one full read, then conditional requests.
//!
//! The list of secrets returns their visibility along with everything else. Revalidating needs an `ETag`. Doppler documents one for the
//! download of the values, not for the list. If the list has none, the second read of a job is a download, and its `ETag` revalidates the
//! same values from then on.

use api::Deadline;
use doppler::{ConfigRef, Doppler, Failure, Fetched, Query};
use fault::Fault;
use secrets::Secret;

use crate::cache::{CacheEntry, CachedResponse, Tag};

/// The secrets of `place`, all of them.
pub(super) async fn read(
    doppler: &Doppler,
    place: &ConfigRef,
    entry: &CacheEntry,
    deadline: Deadline,
) -> Result<Vec<Secret>, Failure> {
    if let Some(known) = entry.load() {
        return confirmed(doppler, place, entry, known).await;
    }
    // Of steps that run at the same time, one fetches; the others then revalidate what it stored.
    let lock = entry.lock(deadline).await;
    let Some(known) = entry.load() else { return listed(doppler, place, entry, None).await };
    drop(lock);
    confirmed(doppler, place, entry, known).await
}

/// Revalidates the cached response, or replaces it.
async fn confirmed(
    doppler: &Doppler,
    place: &ConfigRef,
    entry: &CacheEntry,
    known: CachedResponse,
) -> Result<Vec<Secret>, Failure> {
    let etag = match &known.tag {
        Some(Tag::List(_)) => return listed(doppler, place, entry, Some(known)).await,
        Some(Tag::Download(etag)) => Some(etag.clone()),
        None => None,
    };
    match doppler.download(place, &Query { known: etag, ..Query::default() }).await? {
        Fetched::Unchanged => Ok(known.secrets()),
        Fetched::New { secrets, etag } if known.matches(&secrets) => {
            let secrets = known.secrets();
            entry.store(etag.map(Tag::Download), &secrets);
            Ok(secrets)
        }
        Fetched::New { .. } => listed(doppler, place, entry, None).await,
    }
}

/// Fetches the list, or returns the cached response if the list has not changed.
async fn listed(
    doppler: &Doppler,
    place: &ConfigRef,
    entry: &CacheEntry,
    known: Option<CachedResponse>,
) -> Result<Vec<Secret>, Failure> {
    let etag = known.as_ref().and_then(|known| match &known.tag {
        Some(Tag::List(etag)) => Some(etag.clone()),
        _ => None,
    });
    match (doppler.list(place, &Query { known: etag, ..Query::default() }).await?, known) {
        (Fetched::Unchanged, Some(known)) => Ok(known.secrets()),
        (Fetched::New { secrets, etag }, _) => {
            entry.store(etag.map(Tag::List), &secrets);
            Ok(secrets)
        }
        (unchanged, None) => unconditional(unchanged),
    }
}

/// The secrets of a response to a request that named no known copy.
pub(super) fn unconditional(fetched: Fetched) -> Result<Vec<Secret>, Failure> {
    match fetched {
        Fetched::New { secrets, .. } => Ok(secrets),
        Fetched::Unchanged => {
            let fault = Fault::temporary("Doppler answered 304 to a request without If-None-Match");
            Err(Failure { fault, is_outage: false })
        }
    }
}

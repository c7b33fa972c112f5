//! Reads a config that the job may remember: one full read, then questions whether it still holds.
//!
//! The list of secrets tells their visibility, and everything else too. What makes the next question a small one is its `ETag`. That the
//! list has one is not documented, that the download of the values has one is: where the list has none, the second read of a job is a
//! download, whose `ETag` vouches for the same values from then on.

use api::Deadline;
use doppler::{Doppler, Failure, Fetched, Place, Query};
use secrets::Secret;

use super::unconditional;
use crate::cache::{Answer, Slot, Tag};

/// The secrets of `place`, all of them.
pub(super) async fn read(
    doppler: &Doppler,
    place: &Place,
    slot: &Slot,
    deadline: Deadline,
) -> Result<Vec<Secret>, Failure> {
    if let Some(known) = slot.recall() {
        return confirmed(doppler, place, slot, known).await;
    }
    // Of steps that run at once one reads, the others then ask whether it still holds.
    let turn = slot.turn(deadline).await;
    let Some(known) = slot.recall() else { return listed(doppler, place, slot, None).await };
    drop(turn);
    confirmed(doppler, place, slot, known).await
}

/// What is known, or what has taken its place.
async fn confirmed(doppler: &Doppler, place: &Place, slot: &Slot, known: Answer) -> Result<Vec<Secret>, Failure> {
    let etag = match &known.tag {
        Some(Tag::List(_)) => return listed(doppler, place, slot, Some(known)).await,
        Some(Tag::Download(etag)) => Some(etag.clone()),
        None => None,
    };
    match doppler.download(place, &Query { known: etag, ..Query::default() }).await? {
        Fetched::Unchanged => Ok(known.secrets()),
        Fetched::New { secrets, etag } if known.holds(&secrets) => {
            let secrets = known.secrets();
            slot.keep(etag.map(Tag::Download), &secrets);
            Ok(secrets)
        }
        Fetched::New { .. } => listed(doppler, place, slot, None).await,
    }
}

/// The list, or what is known if that is what the list still says.
async fn listed(doppler: &Doppler, place: &Place, slot: &Slot, known: Option<Answer>) -> Result<Vec<Secret>, Failure> {
    let etag = known.as_ref().and_then(|known| match &known.tag {
        Some(Tag::List(etag)) => Some(etag.clone()),
        _ => None,
    });
    match (doppler.list(place, &Query { known: etag, ..Query::default() }).await?, known) {
        (Fetched::Unchanged, Some(known)) => Ok(known.secrets()),
        (Fetched::New { secrets, etag }, _) => {
            slot.keep(etag.map(Tag::List), &secrets);
            Ok(secrets)
        }
        (unchanged, None) => unconditional(unchanged),
    }
}

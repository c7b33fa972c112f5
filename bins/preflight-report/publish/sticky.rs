//! Keeps the sticky comment: reads, decides, writes, and reads back, because another job may write at the same time.

use std::time::Duration;

use github::{Comment, Error, GitHub};

use super::comment::{Decision, Leave, Ours, Plan, decide, holds};

/// How often a write is repeated because our part is gone.
const REPEATS: u32 = 3;
/// Before the comment is read back, so that a job that read it before our write has written too.
const SETTLE: Duration = Duration::from_millis(400);

/// How it ended.
#[derive(Debug)]
pub(super) enum Kept {
    /// The comment holds our part.
    At(String),
    /// It was left as it is.
    Left(Leave, Option<String>),
    /// Other jobs replaced our part each time.
    Overwritten(String),
}

/// Brings the comment of pull request `pull` up to date.
///
/// # Errors
/// A call failed, and looking again did not help.
pub(super) async fn keep(github: &GitHub, pull: u64, ours: &Ours<'_>) -> Result<Kept, Error> {
    let login = github.login().await?;
    let mut comments = github.comments(pull).await?;
    let mut lost = None;
    let mut url = String::new();
    for repeat in 0..=REPEATS {
        let plan = decide(&comments, &login, ours, &random());
        let written = match &plan.decision {
            Decision::Leave(Leave::Done) if plan.extra.is_empty() => return Ok(Kept::At(plan.url.unwrap_or(url))),
            Decision::Leave(leave) if plan.extra.is_empty() => return Ok(Kept::Left(leave.clone(), plan.url)),
            Decision::Leave(_) => None,
            Decision::Create(body) => Some(github.create_comment(pull, body).await),
            Decision::Edit(id, body) => Some(github.update_comment(*id, body).await),
        };
        match written {
            Some(Ok(comment)) => {
                url = comment.url;
                lost = None;
            }
            // It may be there all the same, or the comment was removed meanwhile: the next look tells.
            Some(Err(error @ Error::Lost(_))) => lost = Some(error),
            Some(Err(error)) if error.is_gone() && matches!(plan.decision, Decision::Edit(..)) => lost = Some(error),
            Some(Err(error)) => return Err(error),
            None => {}
        }
        if lost.is_none() {
            remove(github, &plan).await?;
        }
        tokio::time::sleep(SETTLE.mul_f64(1.0 + api::backoff::jitter())).await;
        comments = github.comments(pull).await?;
        if let Some(kept) = seen(&comments, &login, ours, &plan, &url) {
            return Ok(kept);
        }
        if repeat == REPEATS {
            break;
        }
    }
    match lost {
        Some(error) => Err(error),
        None => Ok(Kept::Overwritten(url)),
    }
}

/// How it ended, judged by what is there; `None` if there is still something to do.
fn seen(comments: &[Comment], login: &str, ours: &Ours<'_>, plan: &Plan, last: &str) -> Option<Kept> {
    let now = decide(comments, login, ours, &random());
    if !now.extra.is_empty() {
        return None;
    }
    if let (Decision::Leave(leave @ (Leave::Older(_) | Leave::Taken(_))), Decision::Leave(_)) =
        (&now.decision, &plan.decision)
    {
        return Some(Kept::Left(leave.clone(), now.url));
    }
    holds(comments, login, ours).then(|| Kept::At(now.url.unwrap_or_else(|| last.to_owned())))
}

/// Removes the comments that are too many, now that their parts are in the one that stays.
async fn remove(github: &GitHub, plan: &Plan) -> Result<(), Error> {
    for id in &plan.extra {
        match github.delete_comment(*id).await {
            Err(error) if !error.is_gone() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A word that occurs in nothing that was written before.
pub(super) fn random() -> String {
    let mut bytes = [0; 8];
    // Without random numbers the process and the time still make it rare.
    if ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).is_err() {
        let now = jiff::Timestamp::now().as_nanosecond() ^ i128::from(std::process::id());
        bytes.copy_from_slice(&now.to_le_bytes()[..8]);
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

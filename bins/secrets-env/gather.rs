//! Reads the secrets: signs in, asks once, signs out.

use api::Deadline;
use cli::Console;
use doppler::{Doppler, Failure, Fetched, Place, Query, Secret};
use fault::{Fault, Kind, Result};

use crate::args::{Args, Destination};
use crate::format::Format;
use crate::settings;

/// What was read.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The secrets, sorted by name.
    pub(crate) secrets: Vec<Secret>,
}

/// The secrets that the arguments ask for, before selection.
pub(crate) fn secrets(args: &Args, console: &Console) -> anyhow::Result<Gathered> {
    let place = settings::place(&args.source, console.environment());
    let deadline = Deadline::after(args.source.deadline);
    Ok(cli::block_on(fetch(args, &place, deadline, console))??)
}

async fn fetch(args: &Args, place: &Place, deadline: Deadline, console: &Console) -> Result<Gathered> {
    let Some(session) = credentials::sign_in(console.environment(), deadline).await? else {
        return Err(Fault::permission(format!("cannot read the secrets of {place}: DOPPLER_TOKEN is missing"))
            .cause("no variable DOPPLER_TOKEN, and no DOPPLER_IDENTITY_ID to sign in with")
            .help("set DOPPLER_TOKEN (in Actions: `env:` with `${{ secrets.DOPPLER_TOKEN }}`)"));
    };
    let query = Query { names: asked_for(args), ..Query::default() };
    let answer = if needs_visibility(args, console) {
        session.doppler().list(place, &query).await
    } else {
        session.doppler().download(place, &query).await
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return Err(with_nearest(failure, session.doppler(), place).await),
    };
    session.end().await;
    match answer {
        Fetched::New { secrets, .. } => Ok(Gathered { secrets }),
        Fetched::Unchanged => Err(Fault::temporary("Doppler answered 304 to an unconditional read")),
    }
}

/// The names to ask Doppler for; all when empty.
fn asked_for(args: &Args) -> Vec<String> {
    args.selection.only.clone()
}

/// Only the list call tells which values are secrets. It is needed wherever something is masked, redacted or described.
fn needs_visibility(args: &Args, console: &Console) -> bool {
    let describes = args.command.is_empty() && args.format == Format::Text;
    console.context().in_actions || args.running.redact || describes || args.to != Destination::Stdout
}

/// An unknown config is told with the name that comes nearest, where the token may list them.
async fn with_nearest(failure: Failure, doppler: &Doppler, place: &Place) -> Fault {
    let (Kind::Usage, Some(config)) = (failure.fault.kind, &place.config) else { return failure.fault };
    let Ok(configs) = doppler.configs(place).await else { return failure.fault };
    match nearest(config, &configs) {
        Some(near) => failure.fault.help(format!("did you mean --config {near}?")),
        None => failure.fault,
    }
}

/// The candidate with the fewest edits, if they are fewer than half of the name.
fn nearest<'a>(name: &str, candidates: &'a [String]) -> Option<&'a str> {
    let (edits, near) = candidates
        .iter()
        .map(|candidate| (edits(name, candidate), candidate.as_str()))
        .min_by_key(|(edits, _)| *edits)?;
    (edits * 2 <= name.len().max(2)).then_some(near)
}

/// Levenshtein's distance.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, to) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_config_is_offered_and_a_far_one_is_not() {
        let configs = ["dev", "stg", "prd"].map(str::to_owned);
        assert_eq!(nearest("prod", &configs), Some("prd"));
        assert_eq!(nearest("staging", &configs), None);
    }
}

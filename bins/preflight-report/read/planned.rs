//! A check of a plan: its command as evidence, and what the program found itself.

use std::sync::atomic::AtomicUsize;

use fault::Result;
use formats::Kept;
use report::{Event, Evidence, Judgement, Record};

use super::assemble::{Groups, Piece};
use super::command;
use super::reading::Reading;
use super::setting::Setting;
use crate::gather::{Input, Name, Ran};

/// What a check of a plan amounts to.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Its findings and its evidence.
    pub(crate) events: Vec<Event>,
    pub(crate) judgement: Judgement,
    /// Records of other checks, which its command printed.
    pub(crate) others: Vec<Record>,
    /// Remarks, such as reports that were left out.
    pub(crate) notes: Vec<String>,
}

/// Judges a check by its command, if it had one, and by what else was found. `foreign` counts the documents about other checks in
/// all output of the run.
///
/// # Errors
/// What the command printed cannot be read.
pub(crate) fn planned(
    check: &str,
    ran: Option<Ran>,
    found: Vec<(Evidence, Vec<Kept>)>,
    foreign: &AtomicUsize,
    setting: &Setting,
) -> Result<Judged> {
    let mut reading = Reading { keeps_records: true, ..Reading::default() };
    let (mut groups, mut unknown, mut no_report) = (Groups::default(), Vec::new(), 0);
    if let Some(ran) = ran {
        let reports: Vec<Input> = ran.reports.files.iter().map(|path| command::input(&ran, path)).collect();
        for input in reports {
            super::one(&input, setting, foreign, &mut reading, &mut groups, &mut unknown, &mut no_report);
        }
        command::add(ran, setting, foreign, &mut reading, &mut groups)?;
    }
    super::add_unknown(unknown, &mut groups);
    let this = Input { name: Some(Name { check: check.to_owned(), leg: None }), path: None, is_incidental: false };
    for (evidence, kept) in found {
        groups.add(Piece::new(&this, evidence, kept));
    }
    let (events, judgement) = groups.of_one_check(check, setting);
    Ok(Judged { events, judgement, others: reading.records, notes: [reading.notes, reading.gaps].concat() })
}

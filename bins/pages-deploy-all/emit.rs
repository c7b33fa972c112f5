//! Prints the result: on stdout, as outputs of the step, and as wrangler's line.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use cli::Console;
use fault::{Fault, Result};
use report::{Report, Status};
use runner::foreign;
use runner::handoff::StepFile;
use serde_json::{Map, Value, json};

use crate::args::{Args, Format, Target};
use crate::outcome::Outcome;
use crate::prepare::Ready;
use crate::words::{files, previews, sites, size};

/// Prints the result on stdout.
pub(crate) fn result(outcomes: &[Outcome], report: &Report, args: &Args, console: &Console) {
    let text = match args.format {
        // The records have been printed already.
        Format::Jsonl => return,
        Format::Text => text(outcomes),
        // `matrix` is refused at the start unless it is for a list.
        Format::Json | Format::Matrix => format!("{}\n", document(outcomes, report, args, console.tool())),
    };
    let _ = console.print_or_warn(text);
}

/// Prints what a dry run found, and which sites it would skip.
pub(crate) fn rehearsal(sites: &[Ready], skipped: &[Outcome], args: &Args, console: &Console) -> Result<()> {
    let text = match args.format {
        Format::Jsonl => return Ok(()),
        Format::Text => {
            let sites = sites.iter().map(|ready| would_deploy(ready, &args.target));
            let skipped = skipped.iter().map(|one| format!("{}: would skip it, {}\n", one.site, words(one)));
            sites.chain(skipped).collect()
        }
        Format::Json | Format::Matrix => {
            let sites = sites.iter().map(|ready| rehearsed(ready, &args.target));
            let sites: Vec<Value> = sites.chain(skipped.iter().map(Outcome::json)).collect();
            format!(
                "{}\n",
                json!({ "schema_version": 1, "tool": console.tool(), "dry_run": true, "sites": sites, "error": null })
            )
        }
    };
    console.print(text)
}

fn would_deploy(ready: &Ready, target: &Target) -> String {
    let stats = ready.stats;
    let new = match stats.uploaded {
        0 => "nothing new".to_owned(),
        new => format!("{new} new ({})", size(stats.uploaded_bytes)),
    };
    let what = format!("{} ({})", files(stats.files), size(stats.size_bytes));
    let project = format!("`{}` ({})", ready.site.project, ready.environment(target));
    format!("{}: would deploy {what} to {project}, {new}\n", ready.site.name)
}

fn rehearsed(ready: &Ready, target: &Target) -> Value {
    let manifest: Value = ready
        .manifest
        .assets()
        .iter()
        .map(|asset| (format!("/{}", asset.file.path), Value::from(asset.hash.to_string())))
        .collect::<Map<_, _>>()
        .into();
    json!({
        "site": ready.site.name, "project": ready.site.project, "branch": ready.release.origin.branch,
        "environment": ready.environment(target), "manifest": manifest,
        "files": ready.stats.files, "size_bytes": ready.stats.size_bytes,
        "new": ready.stats.uploaded, "new_bytes": ready.stats.uploaded_bytes,
    })
}

/// Hands the addresses to later steps: `urls` and `aliases` as JSON objects, `NAME_url` and `NAME_alias` for each site.
pub(crate) fn outputs(outcomes: &[Outcome], file: StepFile, console: &Console) -> Result<()> {
    let live = outcomes.iter().filter(|one| matches!(one.status, Status::Passed | Status::Skipped));
    let live: Vec<&Outcome> = live.filter(|one| one.url().is_some()).collect();
    let object = |address: &dyn Fn(&Outcome) -> Option<String>| -> Value {
        live.iter().filter_map(|one| Some((one.site.clone(), Value::from(address(one)?)))).collect::<Map<_, _>>().into()
    };
    let alias = |one: &Outcome| one.alias().map(str::to_owned);
    let mut pairs = vec![
        ("urls".to_owned(), object(&Outcome::url).to_string()),
        ("aliases".to_owned(), object(&alias).to_string()),
    ];
    let name = |one: &Outcome| one.site.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-', "_");
    let mut count: HashMap<String, usize> = HashMap::new();
    for one in &live {
        *count.entry(name(one)).or_default() += 1;
    }
    for one in live {
        let name = name(one);
        if count[&name] > 1 {
            console.warn(&format!(
                "`{name}_url` would be the output of more than one site: `urls` has the address of `{}`",
                one.site
            ));
            continue;
        }
        pairs.extend(one.url().map(|url| (format!("{name}_url"), url)));
        pairs.extend(alias(one).map(|alias| (format!("{name}_alias"), alias)));
    }
    console.export(file, &pairs)
}

fn text(outcomes: &[Outcome]) -> String {
    let width = outcomes.iter().map(|one| one.site.chars().count()).max().unwrap_or_default();
    outcomes.iter().fold(String::new(), |mut text, one| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:9}  {:width$}  {}",
            one.status.name(),
            one.site,
            foreign::line("", words(one).as_bytes())
        );
        text
    })
}

/// Its environment, its addresses, and either its numbers or its reason.
fn words(one: &Outcome) -> String {
    let reason = one.reason.as_ref().map(|reason| reason.text.clone());
    let stats = (one.status == Status::Passed).then(|| match &one.deleted {
        Some(deleted) => format!("{} deleted", previews(deleted.len())),
        None => {
            format!("{}, {} uploaded, {:.1} s", files(one.stats.files), one.stats.uploaded, one.times.total())
        }
    });
    let deployment = one.deployment.as_ref();
    let environment = deployment.map(|deployment| deployment.environment.clone());
    let alias = deployment.filter(|_| one.status == Status::Passed).and_then(|deployment| deployment.alias());
    let alias = alias.map(str::to_owned);
    let words = [environment, one.url(), alias, reason, stats].into_iter().flatten();
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ")
}

fn document(outcomes: &[Outcome], report: &Report, args: &Args, tool: &str) -> Value {
    let sites: Vec<Value> = outcomes.iter().map(Outcome::json).collect();
    let error = failure(outcomes, args).map(|fault| cli::error_document(&fault));
    json!({
        "schema_version": 1, "tool": tool, "result": report.result(), "duration_seconds": report.duration_seconds,
        "sites": sites, "error": error,
    })
}

/// The run's failure as one fault, if it failed.
fn failure(outcomes: &[Outcome], args: &Args) -> Option<Fault> {
    let troubled: Vec<&Outcome> =
        outcomes.iter().filter(|one| one.status != Status::Passed && one.status != Status::Skipped).collect();
    let first = troubled.iter().find_map(|one| one.error.as_ref());
    let what =
        if args.target.delete_previews { "the previews are not all deleted" } else { "not deployed as asked for" };
    let message = format!("{what}: {} of {}", troubled.len(), sites(outcomes.len()));
    (!troubled.is_empty()).then(|| {
        let fault = Fault::failed(message);
        let fault = first.into_iter().fold(fault, |fault, error| fault.cause(error.fault.message.clone()));
        match first.and_then(|error| error.fault.help.clone()) {
            Some(help) => fault.help(help),
            None => fault,
        }
    })
}

/// Appends wrangler's line for each deployed site to `path`, for what reads wrangler's output.
pub(crate) fn wrangler_lines(outcomes: &[Outcome], path: &Path) -> Result<()> {
    let mut lines = String::new();
    // As in wrangler, a failed deployment gets no line.
    let deployed = outcomes.iter().filter(|one| matches!(one.status, Status::Passed | Status::Skipped));
    for (one, deployment) in deployed.filter_map(|one| Some((one, one.deployment.as_ref()?))) {
        let commit = deployment.commit();
        let mut line = json!({
            "version": 1, "type": "pages-deploy-detailed", "pages_project": one.project, "deployment_id": deployment.id,
            "url": deployment.url, "environment": deployment.environment,
            "production_branch": deployment.production_branch,
            "deployment_trigger": { "metadata": { "commit_hash": commit.commit_hash } },
            "timestamp": format!("{:.3}", jiff::Timestamp::now()),
        });
        // Programs that read the line reject a null.
        if let Some(alias) = one.alias() {
            line["alias"] = json!(alias);
        }
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{line}");
    }
    let append = || std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(lines.as_bytes());
    append().map_err(|error| Fault::usage(format!("cannot write `{}`", path.display())).cause(error.to_string()))
}

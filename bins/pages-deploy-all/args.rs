//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Parser, ValueEnum};
use cli::{Deadline, Destination, Shard, Shared, Tool};

/// The directory if none is given.
const SITES: &str = "sites";

const AFTER_HELP: &str = "\
What it does:
  Phase 1 builds, hashes and uploads every site; nothing is visible yet, and any failure stops the
  run. Phase 2 creates all deployments, waits until each is live, and requests a few of its paths.

Environment:
  CLOUDFLARE_API_TOKEN   with the permission \"Cloudflare Pages: Edit\"; read from Doppler if unset
  CLOUDFLARE_ACCOUNT_ID  the account; read from Doppler if unset
  DOPPLER_TOKEN          reads the two from Doppler, by name
  CLOUDFLARE_API_BASE_URL
                         another base URL of Cloudflare's API (https, or http to loopback)
  WRANGLER_OUTPUT_FILE_PATH
                         file to append wrangler's `pages-deploy-detailed` line to, for each site

Exit codes:
  0 every site is live · 1 a site failed · 2 wrong usage, or a configuration not understood
  3 a deployment or the run did not finish in time · 75 try again later · 77 not permitted
  130, 143 interrupted

Examples:
  pages-deploy-all sites
  pages-deploy-all sites --only docs --dry-run
  pages-deploy-all sites --build 'pnpm build' --output dist --project-name 'acme-{site}'";

/// Build and deploy every site in a directory to Cloudflare Pages, all of them or none
///
/// Each subdirectory of DIR with a package.json, a wrangler file or an output directory is a site; names that begin with `_` or
/// `.` are not. A site is built by the `build` script of its package.json, without any token in its environment, and deployed to
/// the Pages project that its wrangler file names, or else to the project with the directory's name.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// Directories that hold the sites, or that are sites
    #[arg(value_name = "DIR", default_value = SITES, value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) dirs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) building: Building,

    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) running: Running,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,

    /// Destination of the result: stdout, or the step's outputs `urls`, `aliases`, `NAME_url`, `NAME_alias`
    #[arg(long, value_parser = cli::stdout_or_output(), default_value = "stdout", value_name = "WHERE", help_heading = "Output", hide_short_help = true)]
    pub(crate) to: Destination,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// Which sites.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sites")]
pub(crate) struct Selection {
    /// Deploy only these sites
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Leave these sites out
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    pub(crate) except: Vec<String>,

    /// Deploy the sites named in FILE, one per line; `-` is stdin
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) sites: Option<PathBuf>,

    /// Deploy only sites that changed since this branch left COMMIT
    #[arg(long, value_name = "COMMIT", hide_short_help = true)]
    pub(crate) changed_since: Option<String>,

    /// With --changed-since, glob of shared files (from the repository root): a match deploys every site
    #[arg(long, value_name = "GLOB", hide_short_help = true)]
    pub(crate) watch: Vec<String>,

    /// Deploy only part I of N of the sites, for a matrix of jobs: `2/8`
    #[arg(long, value_name = "I/N", hide_short_help = true)]
    pub(crate) shard: Option<Shard>,

    /// Skip directories that hold a Worker instead of failing
    #[arg(long, hide_short_help = true)]
    pub(crate) skip_workers: bool,

    /// Skip sites without an output directory instead of failing
    #[arg(long, hide_short_help = true)]
    pub(crate) allow_missing_output: bool,

    /// Print the sites and stop; `--format matrix` is for strategy.matrix
    #[arg(long, hide_short_help = true)]
    pub(crate) list: bool,
}

/// How they are built.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sites")]
pub(crate) struct Building {
    /// Run this command in each site instead of its `build` script
    #[arg(long, value_name = "COMMAND", conflicts_with = "no_build")]
    pub(crate) build: Option<String>,

    /// Deploy the output that exists, without a build
    #[arg(long, hide_short_help = true)]
    pub(crate) no_build: bool,

    /// The directory that a build writes [default: the wrangler file's, else dist]
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<String>,

    /// Pass these variables to builds, besides PATH, HOME, locale and CI
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    pub(crate) build_env: Vec<String>,

    /// Builds that run at once [default: one per core]
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Follow symlinks that leave the site directory
    #[arg(long, hide_short_help = true)]
    pub(crate) follow_outside: bool,

    /// Publish these files although their names are usual for secrets, such as .env.example
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    pub(crate) allow_file: Vec<String>,
}

/// The projects and branch they go to.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct Target {
    /// The Pages project of each site; `{site}` and `{env}` are filled in
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) project_name: Option<String>,

    /// The value of `{env}`
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) env: Option<String>,

    /// The branch to deploy [default: the workflow's, else git's]
    #[arg(long, value_name = "BRANCH")]
    pub(crate) branch: Option<String>,

    /// The commit message of the deployments [default: the commit's]
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    pub(crate) commit_message: Option<String>,

    /// Create projects that do not exist
    #[arg(long)]
    pub(crate) create: bool,

    /// The production branch of created projects
    #[arg(long, value_name = "BRANCH", default_value = "main", hide_short_help = true)]
    pub(crate) production_branch: String,

    /// Delete the preview deployments of --branch instead of deploying; never production's
    #[arg(long, requires = "branch", conflicts_with_all = ["list", "atomic", "create", "skip_unchanged"], hide_short_help = true)]
    pub(crate) delete_previews: bool,
}

/// How they go live.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct Running {
    /// Print what would be uploaded, without changing anything
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Skip sites whose content is live already; marks deployments for that
    #[arg(long, hide_short_help = true)]
    pub(crate) skip_unchanged: bool,

    /// If one site fails, roll back the others
    #[arg(long, hide_short_help = true)]
    pub(crate) atomic: bool,

    /// Request this many paths of each deployed site
    #[arg(long, value_name = "N", default_value_t = 2, hide_short_help = true)]
    pub(crate) probe: usize,

    /// Request this path of each deployed site too
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub(crate) probe_path: Vec<String>,

    /// Time limit for all uploads, and again for all deployments
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = cli::time, hide_short_help = true)]
    pub(crate) timeout: Duration,

    /// Time limit for the whole run, builds included [default: none]
    #[arg(long, value_name = "TIME", hide_short_help = true)]
    pub(crate) deadline: Option<Deadline>,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One line per site, for people
    Text,
    /// One document
    Json,
    /// One record per line, as it happens
    Jsonl,
    /// The value of strategy.matrix, with --list
    Matrix,
}

impl Args {
    /// The same without blank directories and blank names in lists: an empty expression of a workflow leaves them.
    pub(crate) fn without_blanks(mut self) -> Self {
        self.dirs.retain(|dir| dir.to_str().is_none_or(|dir| !dir.trim().is_empty()));
        if self.dirs.is_empty() {
            self.dirs.push(SITES.into());
        }
        let (selection, building) = (&mut self.selection, &mut self.building);
        for list in [&mut selection.only, &mut selection.except, &mut building.build_env, &mut building.allow_file] {
            let names = list.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
            *list = names.collect();
        }
        self
    }
}

impl Tool for Args {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn prints_json(&self) -> bool {
        self.format == Format::Json
    }

    /// No option has a use for an empty value, which is what an empty expression of a workflow leaves.
    fn drops_blank(_option: &str) -> bool {
        true
    }
}

//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use cli::{Deadline, Destination, Shard, Shared, Tool};

const AFTER_HELP: &str = "\
What it does:
  First, for all sites: build, hash, upload what Cloudflare does not have. No visitor sees anything
  of that, and one failure ends it there. Then all deployments are created together, waited for, and
  looked at over HTTP.

Environment:
  CLOUDFLARE_API_TOKEN   with the permission \"Cloudflare Pages: Edit\"; else read from Doppler
  CLOUDFLARE_ACCOUNT_ID  the account; else read from Doppler
  DOPPLER_TOKEN          where the two are read from, by name
  CLOUDFLARE_API_BASE_URL
                         another address of Cloudflare's API (https, or http to loopback)
  WRANGLER_OUTPUT_FILE_PATH
                         a file that gets wrangler's line `pages-deploy-detailed` for each site

Exit codes:
  0 every site is live · 1 a site failed · 2 wrong usage, or a configuration not understood
  3 a deployment or the run did not come to its end · 75 try again later · 77 not permitted
  130, 143 interrupted

Examples:
  pages-deploy-all sites
  pages-deploy-all sites --only docs --dry-run
  pages-deploy-all sites --build 'pnpm build' --output dist --project-name 'acme-{site}'";

/// Build and deploy every site of a folder to Cloudflare Pages, all of them or none
///
/// Each folder in DIR with a package.json, a wrangler file or an output folder is a site; names that begin with `_` or `.` are
/// not. A site is built by the `build` script of its package.json, with no token in its environment, and goes to the Pages
/// project that its wrangler file names, or else to the one with its folder's name.
#[derive(Clone, Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, after_long_help = AFTER_HELP, next_display_order = None)]
pub(crate) struct Args {
    /// The folder that holds the sites
    #[arg(value_name = "DIR", default_value = "sites")]
    pub(crate) dir: PathBuf,

    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) building: Building,

    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) running: Running,

    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,

    /// Where the result goes: to stdout, or to the step's outputs `urls` and `NAME_url` for each site
    #[arg(long, value_parser = cli::stdout_or_output(), default_value = "stdout", value_name = "WHERE", help_heading = "Output", hide_short_help = true)]
    pub(crate) to: Destination,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// Which sites.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sites")]
pub(crate) struct Selection {
    /// Deploy these sites only
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Leave these sites out
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    pub(crate) except: Vec<String>,

    /// Deploy the sites named in FILE, one a line; `-` is stdin
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) sites: Option<PathBuf>,

    /// Deploy only what changed since this branch left COMMIT
    #[arg(long, value_name = "COMMIT", hide_short_help = true)]
    pub(crate) changed_since: Option<String>,

    /// Files that all sites share, seen from the repository's root
    #[arg(long, value_name = "GLOB", requires = "changed_since", hide_short_help = true)]
    pub(crate) watch: Vec<String>,

    /// Deploy only part I of N of the sites, for a matrix of jobs: `2/8`
    #[arg(long, value_name = "I/N", hide_short_help = true)]
    pub(crate) shard: Option<Shard>,

    /// Print the sites and do nothing; `--format matrix` is for strategy.matrix
    #[arg(long, hide_short_help = true)]
    pub(crate) list: bool,
}

/// How they are built.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sites")]
pub(crate) struct Building {
    /// Run this in each site instead of its `build` script
    #[arg(long, value_name = "COMMAND", conflicts_with = "no_build")]
    pub(crate) build: Option<String>,

    /// Deploy what is there
    #[arg(long, hide_short_help = true)]
    pub(crate) no_build: bool,

    /// The folder that a build writes [default: the wrangler file's, else dist]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) output: Option<String>,

    /// Give builds these variables, beside PATH, HOME, locale and CI
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    pub(crate) build_env: Vec<String>,

    /// Builds at once [default: one a core]
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Publish what links lead to outside their site
    #[arg(long, hide_short_help = true)]
    pub(crate) follow_outside: bool,
}

/// Where they go.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct Target {
    /// The Pages project of each site; `{site}` and `{env}` are filled in
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) project_name: Option<String>,

    /// What `{env}` stands for
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) env: Option<String>,

    /// The branch to deploy for [default: the workflow's, else git's]
    #[arg(long, value_name = "BRANCH")]
    pub(crate) branch: Option<String>,

    /// Create projects that do not exist
    #[arg(long)]
    pub(crate) create: bool,

    /// The production branch of created projects
    #[arg(long, value_name = "BRANCH", default_value = "main", hide_short_help = true)]
    pub(crate) production_branch: String,
}

/// How they go live.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct Running {
    /// Say what would be uploaded, change nothing at Cloudflare
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Leave out sites whose content is live already; marks deployments for that
    #[arg(long, hide_short_help = true)]
    pub(crate) skip_unchanged: bool,

    /// Where one site fails, put the others back
    #[arg(long, hide_short_help = true)]
    pub(crate) atomic: bool,

    /// Look at this many paths of each deployed site
    #[arg(long, value_name = "N", default_value_t = 2, hide_short_help = true)]
    pub(crate) probe: usize,

    /// Look at this path of each deployed site too
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
    /// A line a site, for people
    Text,
    /// One document
    Json,
    /// A record a line, as it happens
    Jsonl,
    /// What strategy.matrix takes, with --list
    Matrix,
}

impl Tool for Args {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn prints_json(&self) -> bool {
        self.format == Format::Json
    }
}

//! `live-wait http`.

use clap::ArgGroup;
use live::Revision;
use live::http::{JsonPath, expression};
use regex::Regex;

use super::{pair, some};

/// Wait until every address of a URL's name answers with a revision
///
/// Each round looks the name up and asks every address on a new connection, as users do: GET, the plain URL. An old answer, another
/// status or a TLS error begins the count again.
#[derive(Clone, Debug, clap::Args)]
#[command(group = ArgGroup::new("place").required(true).args(["json", "from_header", "text"]))]
pub(crate) struct HttpArgs {
    /// The URLs
    #[arg(value_name = "URL", required = true, value_parser = some)]
    pub(crate) url: Vec<String>,

    /// The revision to wait for; a hash of 7 or more digits equals the whole one
    #[arg(long, value_name = "REV")]
    pub(crate) revision: Revision,

    /// It is in the JSON answer, at this path (`.build.commit`)
    #[arg(long, value_name = "PATH")]
    pub(crate) json: Option<JsonPath>,

    /// It is in this header of the answer
    #[arg(long, value_name = "NAME", value_parser = some)]
    pub(crate) from_header: Option<String>,

    /// It is what the one group of this regular expression matches in the answer
    #[arg(long, value_name = "REGEX", value_parser = expression)]
    pub(crate) text: Option<Regex>,

    /// Ask IPv4 addresses only
    #[arg(short = '4', long, conflicts_with = "ipv6", hide_short_help = true)]
    pub(crate) ipv4: bool,

    /// Ask IPv6 addresses only
    #[arg(short = '6', long, hide_short_help = true)]
    pub(crate) ipv6: bool,

    /// Ask with a query that no cache knows: users may still get what caches have
    #[arg(long, hide_short_help = true)]
    pub(crate) bypass_cache: bool,

    /// Send a variable's value as this header, to the URL's own host only
    #[arg(long, value_name = "NAME=VARIABLE", value_parser = pair, hide_short_help = true)]
    pub(crate) send_header: Vec<(String, String)>,
}

//! An address on the web: every address of its name, on new connections, must answer with the revision, at a named place.
//!
//! One connection, one address or one entry of a cache can hide an old version for as long as one looks. So each round looks the
//! name up again, opens a connection per address, and asks as users do: GET, the plain URL, no conditional headers.

mod answer;
mod ask;
mod place;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use fault::{Fault, Result};
use futures_util::StreamExt as _;
use secrecy::SecretString;
use url::Url;

pub(crate) use ask::reason;
pub use place::{JsonPath, Place, expression};

use crate::look::{Look, Patience};
use crate::revision::Revision;
use crate::watch::{Looking, Target};
use answer::{Answer, Asked};
use ask::{Client, Reply, host};

/// How many redirects are followed.
const HOPS: usize = 5;
/// How many requests run at the same time, and the most in a round.
const PARALLEL: usize = 16;
const MOST: usize = 256;

/// Which addresses of a name are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// All.
    #[default]
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn takes(self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
        }
    }
}

/// How to ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The revision that is waited for.
    pub revision: Revision,
    /// Where it is in an answer.
    pub place: Place,
    /// Which addresses are asked.
    pub family: Family,
    /// Whether each request has a query that no cache has an answer for.
    pub bypass_cache: bool,
    /// Headers that are sent to the address itself and to no other host.
    pub headers: Vec<(String, SecretString)>,
    /// Decides which URLs are reached through a proxy.
    pub proxies: std::sync::Arc<hyper_util::client::proxy::matcher::Matcher>,
}

/// An address that is waited for.
#[derive(Debug)]
pub struct Http {
    url: Url,
    settings: Settings,
    clients: HashMap<Option<SocketAddr>, Client>,
    rounds: u64,
}

/// One request to make: a URL, and the address to ask; `None` is the proxy's choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Visit {
    url: Url,
    address: Option<IpAddr>,
    hops: Vec<String>,
}

impl Http {
    /// The address `text`.
    ///
    /// # Errors
    /// A usage fault for anything but an `http` or `https` URL without user name and password, and for headers over plain http.
    pub fn new(text: &str, settings: Settings) -> Result<Self> {
        let refuse = |why: &str| Fault::usage(format!("`{}` cannot be asked", shown_text(text))).cause(why.to_owned());
        let url = Url::parse(text.trim()).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(refuse("only http and https are spoken"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a user name or a password").help("send them with --send-header NAME=VARIABLE"));
        }
        if !settings.headers.is_empty() && url.scheme() == "http" && !is_loopback(&url) {
            return Err(refuse("headers would be readable on the way").help("use https with --send-header"));
        }
        Ok(Self { url, settings, clients: HashMap::new(), rounds: 0 })
    }

    async fn round(&mut self) -> Look {
        self.rounds += 1;
        let mut first = self.url.clone();
        if self.settings.bypass_cache {
            // Containers give every run the same process id; a cache must not know the query of another run.
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let unique = format!("{:x}-{}", now.as_nanos(), self.rounds);
            first.query_pairs_mut().append_pair("live-wait", &unique);
        }
        let mut level = match self.visits(&first, &[]).await {
            Ok(visits) => visits,
            Err(why) => return Look::unreachable(Patience::Grace, "no_such_name", why),
        };
        let mut round: Vec<Asked> = Vec::new();
        for hop in 0..=HOPS {
            level.truncate(MOST.saturating_sub(round.len()));
            let mut next: Vec<Visit> = Vec::new();
            for (visit, reply) in self.ask_all(level).await {
                match reply {
                    Reply::Answered(answer, cache) => round.push(asked(&visit, answer, cache)),
                    Reply::Moved(status, to) if hop < HOPS => {
                        let mut hops = visit.hops.clone();
                        hops.push(format!("{status} → {}", shown(&to)));
                        match self.follow(&visit, &to, &hops).await {
                            Ok(visits) => {
                                let new: Vec<Visit> = visits.into_iter().filter(|new| !next.contains(new)).collect();
                                next.extend(new);
                            }
                            Err(why) => round.push(asked(&Visit { hops, ..visit }, Answer::Failed(why), Vec::new())),
                        }
                    }
                    Reply::Moved(..) => {
                        let text = format!("more than {HOPS} redirects");
                        round.push(asked(&visit, Answer::Redirect(text), Vec::new()));
                    }
                }
            }
            level = next;
            if level.is_empty() {
                break;
            }
        }
        let mut look = answer::assess(&round, &self.settings.revision);
        if self.settings.bypass_cache {
            look.evidence
                .push("asked past caches, with a query of its own: what caches serve was not looked at".to_owned());
        }
        look
    }

    /// A redirect to the same host keeps its address; one to another host is looked up.
    async fn follow(&self, visit: &Visit, to: &Url, hops: &[String]) -> Result<Vec<Visit>, String> {
        if to.host() == visit.url.host() && visit.address.is_some() {
            return Ok(vec![Visit { url: to.clone(), address: visit.address, hops: hops.to_vec() }]);
        }
        self.visits(to, hops).await
    }

    /// The requests that ask every address of a URL's host.
    async fn visits(&self, url: &Url, hops: &[String]) -> Result<Vec<Visit>, String> {
        let visit = |address| Visit { url: url.clone(), address, hops: hops.to_vec() };
        if ask::proxy(&self.settings.proxies, url).is_some() {
            return Ok(vec![visit(None)]);
        }
        let host = host(url);
        let found = crate::names::lookup(&host).await;
        let mut all = found.map_err(|error| format!("`{host}` does not resolve: {error}"))?;
        all.retain(|ip| self.settings.family.takes(*ip));
        if all.is_empty() {
            Err(format!("`{host}` has no address of that kind"))
        } else {
            Ok(all.into_iter().map(|ip| visit(Some(ip))).collect())
        }
    }

    async fn ask_all(&mut self, visits: Vec<Visit>) -> Vec<(Visit, Reply)> {
        let mut requests = Vec::new();
        for visit in visits {
            let port = visit.url.port_or_known_default().unwrap_or(443);
            let key = visit.address.map(|ip| SocketAddr::new(ip, port));
            let is_known = self.clients.get(&key).is_some_and(|client| client.serves(&visit.url));
            if !is_known {
                match Client::new(&visit.url, key, &self.settings.proxies) {
                    Ok(client) => {
                        self.clients.insert(key, client);
                    }
                    Err(why) => {
                        requests.push((visit, Err(Reply::Answered(Answer::Failed(why), Vec::new()))));
                        continue;
                    }
                }
            }
            let client = self.clients.get(&key).cloned();
            requests.push((
                visit,
                client.ok_or_else(|| Reply::Answered(Answer::NoRoute("no client".to_owned()), Vec::new())),
            ));
        }
        // The names of a service change now and then; a day of waiting must not keep a client for each.
        if self.clients.len() > MOST {
            self.clients.clear();
        }
        let settings = &self.settings;
        let own = self.url.origin();
        let own = &own;
        let asking = requests.into_iter().map(|(visit, client)| async move {
            let is_own = visit.url.origin() == *own;
            let headers = if is_own { &settings.headers[..] } else { &[] };
            let reply = match client {
                Ok(client) => client.get(&visit.url, headers, &settings.place).await,
                Err(reply) => reply,
            };
            (visit, reply)
        });
        futures_util::stream::iter(asking).buffered(PARALLEL).collect().await
    }
}

impl Target for Http {
    fn names(&self) -> Vec<String> {
        vec![shown(&self.url)]
    }

    fn look(&mut self) -> Looking<'_> {
        Box::pin(async move { vec![self.round().await] })
    }
}

fn asked(visit: &Visit, answer: Answer, cache: Vec<String>) -> Asked {
    let base = match visit.address {
        Some(ip) => Asked::at(ip, answer),
        None => Asked {
            address: "through the proxy".to_owned(),
            loopback: false,
            hops: Vec::new(),
            cache: Vec::new(),
            answer,
        },
    };
    Asked { hops: visit.hops.clone(), cache, ..base }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => crate::names::is_localhost(name),
        None => false,
    }
}

/// A URL without what may hold a secret: its user, its query.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only a URL that cannot have one refuses.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

fn shown_text(text: &str) -> &str {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    text[..end].rfind('@').map_or(&text[..end], |at| &text[at + 1..end])
}

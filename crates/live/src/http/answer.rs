//! What one address answered, and what a round of them proves: pure.

use std::net::IpAddr;

use crate::look::{Look, Patience, State};
use crate::revision::Revision;

/// What asking one address came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This revision is at the named place.
    Revision(String),
    /// A 2xx without a revision at the named place, and what is there instead.
    NoRevision(String),
    /// Another status.
    Status(u16),
    /// More redirects than are followed, or one that cannot be.
    Redirect(String),
    /// No program listens there.
    Refused,
    /// This machine has no route to it.
    NoRoute(String),
    /// No TLS connection: a certificate that is not valid, or no TLS at all.
    Tls(String),
    /// Anything else: no answer in time, a broken connection.
    Failed(String),
}

/// One address and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The address, or how it was reached if it is not known: through a proxy.
    pub(crate) address: String,
    /// Whether the name that was asked for is this machine's own.
    pub(crate) loopback: bool,
    /// The redirects that led there, each as `301 → URL`.
    pub(crate) hops: Vec<String>,
    /// `age: 27`, `x-cache: HIT`: why an answer may be old.
    pub(crate) cache: Vec<String>,
    /// What it answered.
    pub(crate) answer: Answer,
}

impl Asked {
    pub(crate) fn at(ip: IpAddr, answer: Answer) -> Self {
        Self { address: ip.to_string(), loopback: ip.is_loopback(), hops: Vec::new(), cache: Vec::new(), answer }
    }

    /// One line of evidence.
    fn line(&self, wanted: &Revision) -> String {
        let what = match &self.answer {
            Answer::Revision(found) if wanted.is(found) => format!("NEW {}", shortened(found)),
            Answer::Revision(found) => format!("OLD {}", shortened(found)),
            Answer::Status(status) => format!("status {status}"),
            Answer::Refused => "connection refused".to_owned(),
            Answer::NoRoute(why) => format!("not seen from here: {why}"),
            Answer::Tls(why) => format!("no TLS: {why}"),
            Answer::NoRevision(why) | Answer::Redirect(why) | Answer::Failed(why) => why.clone(),
        };
        let mut line = format!("{}: {what}", self.address);
        for note in self.hops.iter().chain(&self.cache) {
            line.push_str(" · ");
            line.push_str(note);
        }
        line
    }
}

/// What a round of answers, one per address, proves of `wanted`.
pub(crate) fn assess(round: &[Asked], wanted: &Revision) -> Look {
    let answers = round.iter().any(|one| !matches!(one.answer, Answer::Refused | Answer::NoRoute(_)));
    // A name of this machine's own has an address per protocol, and most servers listen on one of them.
    let is_judged = |one: &&Asked| match one.answer {
        Answer::NoRoute(_) => false,
        Answer::Refused => !(one.loopback && answers),
        _ => true,
    };
    let judged: Vec<&Asked> = round.iter().filter(is_judged).collect();
    let lines = round.iter().map(|one| one.line(wanted));
    let is_new = |one: &&&Asked| matches!(&one.answer, Answer::Revision(found) if wanted.is(found));
    let new = judged.iter().filter(is_new).count();
    let look = if judged.is_empty() {
        Look::unreachable(Patience::Grace, "no_route", "no address of it can be reached from this machine")
    } else if new == judged.len() {
        let what = if new == 1 { "its address answers".to_owned() } else { format!("all {new} addresses answer") };
        let unseen: Vec<&str> = round
            .iter()
            .filter(|one| matches!(one.answer, Answer::NoRoute(_)))
            .map(|one| one.address.as_str())
            .collect();
        let unseen = if unseen.is_empty() { String::new() } else { format!("; not seen: {}", unseen.join(", ")) };
        Look::live(format!("{what} with {wanted}, seen from this machine{unseen}"))
    } else {
        let worst = judged.iter().filter(|one| !is_new(one)).max_by_key(|one| weight(&one.answer));
        missing(worst.copied(), new, judged.len(), wanted)
    };
    look.evidence(lines)
}

/// Which of several answers that are not ours is quoted.
fn weight(answer: &Answer) -> u8 {
    match answer {
        Answer::Status(401 | 403) => 7,
        Answer::Revision(_) => 6,
        Answer::NoRevision(_) => 5,
        Answer::Status(_) => 4,
        Answer::Redirect(_) => 3,
        Answer::Tls(_) => 2,
        Answer::Failed(_) => 1,
        Answer::Refused | Answer::NoRoute(_) => 0,
    }
}

fn missing(worst: Option<&Asked>, new: usize, judged: usize, wanted: &Revision) -> Look {
    let Some(worst) = worst else { return Look::not_yet("no_answer", "nothing answered") };
    let line = worst.line(wanted);
    let rest = if judged > 1 { format!(" ({new} of {judged} addresses answer with it)") } else { String::new() };
    let text = format!("{line}{rest}");
    match &worst.answer {
        Answer::Revision(_) => Look::new(State::Other(None), "old_revision", text),
        Answer::Status(401 | 403) => Look::denied(Patience::Deadline, "not_permitted", text),
        Answer::NoRevision(_) => Look::not_yet("no_revision", text),
        Answer::Status(_) => Look::not_yet("status", text),
        Answer::Redirect(_) => Look::not_yet("redirect", text),
        Answer::Tls(_) => Look::not_yet("tls", text),
        // Another address answers, so the service is there.
        Answer::Failed(_) | Answer::Refused if new > 0 => Look::not_yet("address_silent", text),
        Answer::Refused => Look::unreachable(Patience::Grace, "refused", text),
        Answer::Failed(_) | Answer::NoRoute(_) => Look::unreachable(Patience::Deadline, "no_answer", text),
    }
}

/// The longest text of a server that is quoted.
const QUOTED: usize = 80;

/// The beginning of a server's text, for people.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}

/// The headers that say why an answer may be old.
pub(crate) const CACHE_HEADERS: [&str; 5] = ["age", "x-cache", "x-cache-status", "cf-cache-status", "via"];

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Answer, Asked, assess};
    use crate::look::{End, Look, Patience, State};

    fn round(answers: &[(&str, Answer)]) -> Look {
        let round: Vec<Asked> =
            answers.iter().map(|(ip, answer)| Asked::at(ip.parse::<IpAddr>().unwrap(), answer.clone())).collect();
        assess(&round, &"abc1234".parse().unwrap())
    }

    fn new() -> Answer {
        Answer::Revision("abc1234".to_owned())
    }

    fn old() -> Answer {
        Answer::Revision("0000000".to_owned())
    }

    #[test]
    fn one_old_address_of_several_is_named() {
        let look = round(&[("203.0.113.6", new()), ("203.0.113.7", old()), ("203.0.113.8", new())]);
        assert_eq!((look.state, look.code), (State::Other(None), "old_revision"));
        assert_eq!(look.what, "203.0.113.7: OLD 0000000 (2 of 3 addresses answer with it)");
        assert_eq!(look.evidence.len(), 3);
    }

    #[test]
    fn an_address_without_a_route_is_named_and_not_judged() {
        let no_route = || Answer::NoRoute("Network is unreachable".to_owned());
        let look = round(&[("203.0.113.6", new()), ("2001:db8::1", no_route())]);
        assert_eq!(look.state, State::Live);
        assert!(look.evidence[1].contains("2001:db8::1: not seen from here"), "{look:?}");
        assert!(look.what.ends_with("; not seen: 2001:db8::1"), "{look:?}");
        let look = round(&[("2001:db8::1", no_route())]);
        assert_eq!(look.state, State::Trouble(End::Unreachable, Patience::Grace));
    }

    #[test]
    fn a_refused_address_of_a_loopback_name_is_told_when_another_answers() {
        assert_eq!(round(&[("127.0.0.1", new()), ("::1", Answer::Refused)]).state, State::Live);
        assert_eq!(round(&[("203.0.113.6", new()), ("203.0.113.7", Answer::Refused)]).code, "address_silent");
        assert_eq!(round(&[("127.0.0.1", Answer::Refused), ("::1", Answer::Refused)]).code, "refused");
    }

    #[test]
    fn a_refused_login_counts_as_an_old_answer_that_is_77_at_the_end() {
        let look = round(&[("203.0.113.6", new()), ("203.0.113.7", Answer::Status(401))]);
        assert_eq!(look.state, State::Trouble(End::Denied, Patience::Deadline));
        assert_eq!(round(&[("203.0.113.7", Answer::Status(503))]).state, State::NotYet);
    }

    #[test]
    fn a_long_revision_is_compared_whole_and_shown_short() {
        let long = format!("registry.example.com/acme/web@sha256:{}", "a".repeat(64));
        let answer = |text: &str| [Asked::at("203.0.113.7".parse().unwrap(), Answer::Revision(text.to_owned()))];
        let look = assess(&answer(&long), &long.parse().unwrap());
        assert_eq!(look.state, State::Live);
        let other = format!("{}b", &long[..long.len() - 1]);
        let look = assess(&answer(&other), &long.parse().unwrap());
        assert_eq!(look.state, State::Other(None));
        assert!(look.what.len() < 110, "{}", look.what);
    }

    #[test]
    fn the_cache_is_quoted_as_the_reason() {
        let cached = Asked {
            cache: vec!["age: 27".to_owned(), "cf-cache-status: HIT".to_owned()],
            ..Asked::at("203.0.113.7".parse().unwrap(), old())
        };
        let look = assess(&[cached], &"abc1234".parse().unwrap());
        assert_eq!(look.what, "203.0.113.7: OLD 0000000 · age: 27 · cf-cache-status: HIT");
    }
}

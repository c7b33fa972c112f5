use std::collections::BTreeMap;

use super::{Content, Reading, Refusal, Wanted, assess};
use crate::look::{End, Look, Patience, State};

fn digest(letter: &str) -> String {
    format!("sha256:{}", letter.repeat(64))
}

fn wanted() -> Wanted {
    Wanted {
        reference: "ghcr.io/acme/app:sha-1".parse().unwrap(),
        also: vec!["latest".to_owned()],
        platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
        digest: None,
        labels: vec![("rev".to_owned(), "abc1234".to_owned())],
    }
}

fn content() -> Content {
    let labels = BTreeMap::from([("rev".to_owned(), "abc1234".to_owned())]);
    Content {
        is_index: true,
        platforms: vec![("linux/amd64".to_owned(), labels.clone()), ("linux/arm64/v8".to_owned(), labels)],
        manifests: vec![digest("b"), digest("c")],
        absent: Vec::new(),
    }
}

fn look(wanted: &Wanted, main: Result<Content, Refusal>, latest: Result<String, Refusal>) -> Look {
    let main = main.map(|content| (digest("a"), content));
    assess(wanted, &Reading { main, also: vec![("latest".to_owned(), latest)], has_login: false })
}

#[test]
fn everything_that_was_asked_for_is_proved() {
    let found = look(&wanted(), Ok(content()), Ok(digest("a")));
    assert_eq!(found.state, State::Live, "{found:?}");
    assert_eq!(found.result, Some(format!("ghcr.io/acme/app@{}", digest("a"))));
}

#[test]
fn a_tag_that_is_not_there_is_not_yet_and_a_refused_one_is_77_after_three_looks() {
    let found = look(&wanted(), Err(Refusal::Absent("404".to_owned())), Ok(digest("a")));
    assert_eq!((found.state, found.code), (State::NotYet, "absent"));
    let found = look(&wanted(), Err(Refusal::Denied("401".to_owned())), Ok(digest("a")));
    assert_eq!(found.state, State::Trouble(End::Denied, Patience::Looks(3)));
    assert!(found.what.contains("absent, or it is private and there is no login"), "{}", found.what);
}

#[test]
fn what_is_there_but_not_ours_is_named() {
    let found = look(&wanted(), Ok(content()), Ok(digest("d")));
    assert_eq!(
        (found.state, found.what),
        (State::Other(None), format!("`latest` is {}, not {}", digest("d"), digest("a")))
    );
    let found = look(&wanted(), Ok(Content { platforms: Vec::new(), ..content() }), Ok(digest("a")));
    assert_eq!(found.code, "empty_index");
    let mut one = content();
    one.platforms.pop();
    let found = look(&wanted(), Ok(one), Ok(digest("a")));
    assert!(found.what.ends_with("not for linux/arm64; it has linux/amd64"), "{}", found.what);
    let other = Wanted { labels: vec![("rev".to_owned(), "0000000".to_owned())], ..wanted() };
    let found = look(&other, Ok(content()), Ok(digest("a")));
    assert!(found.what.contains("is `abc1234`, not `0000000`"), "{}", found.what);
    let other = Wanted { digest: Some(digest("e")), ..wanted() };
    assert_eq!(look(&other, Ok(content()), Ok(digest("a"))).code, "other_digest");
}

#[test]
fn a_platform_that_is_listed_without_its_manifest_and_a_label_without_a_config_prove_nothing() {
    let listed = Content { absent: vec!["linux/amd64".to_owned()], ..content() };
    let found = look(&wanted(), Ok(listed), Ok(digest("a")));
    assert_eq!((found.state, found.code), (State::NotYet, "platform_missing"));
    let label = Wanted { platforms: Vec::new(), ..wanted() };
    let found = look(&label, Ok(Content::default()), Ok(digest("a")));
    assert_eq!(found.state, State::Other(None));
    assert!(found.what.contains("has no config"), "{}", found.what);
}

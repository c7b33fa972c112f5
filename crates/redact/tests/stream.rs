//! The redactor on a stream: whatever the chunks and pauses, the same is hidden.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use redact::Plan;

fn plan() -> Plan {
    let mut plan = Plan::new();
    plan.add("PASSWORD", "hunter2-SECRET");
    plan.add("PIN", "9x7q");
    plan.add("URL", "postgres://shop:Tr0ub4dor&3@db.internal/shop");
    plan
}

fn whole(plan: &Plan, text: &[u8]) -> Vec<u8> {
    let mut redactor = plan.redactor();
    let mut out = redactor.push(text);
    out.extend(redactor.finish());
    out
}

fn text(plan: &Plan, text: &str) -> String {
    String::from_utf8(whole(plan, text.as_bytes())).unwrap()
}

#[test]
fn a_suspended_filter_goes_on_in_another_as_if_nothing_had_happened() {
    let text = b"the password is hunter2-SECRET, a pin 9x7q, postgres://shop:Tr0ub4dor&3@db.internal/shop and more";
    for cut in 0..text.len() {
        let rest = |mut redactor: redact::Redactor| [redactor.push(&text[cut..]), redactor.finish()].concat();
        let mut redactor = plan().redactor();
        let _ = redactor.push(&text[..cut]);
        if cut % 2 == 0 {
            let _ = redactor.release();
        }
        let expected = rest(redactor.clone());
        assert_eq!(rest(plan().redactor().resume(&redactor.suspend())), expected, "{cut}");
    }
}

#[test]
fn a_secret_split_over_chunks_is_hidden() {
    let mut redactor = plan().redactor();
    let mut out = redactor.push(b"the password is hunter2");
    out.extend(redactor.push(b"-SECRET, twice\n"));
    assert_eq!(out, b"the password is ***, twice\n");
}

#[test]
fn pieces_of_eight_bytes_are_hidden_and_shorter_ones_are_not() {
    assert_eq!(text(&plan(), "nter2-SEC and hunter"), "*** and hunter");
    assert_eq!(text(&plan(), "pin 9x7q!"), "pin ***!");
}

#[test]
fn a_finished_line_is_never_held_back() {
    assert_eq!(plan().redactor().push(b"hunter\nand "), b"hunter\n");
}

#[test]
fn a_prompt_is_released_and_what_follows_it_is_still_hidden() {
    let mut redactor = plan().redactor();
    let prompt = b"Are you sure that you want to go on? [y/N] ";
    let shown = redactor.push(prompt);
    assert_eq!([shown, redactor.release()].concat(), prompt);
    assert_eq!(redactor.push(b"hunt"), b"");
    assert_eq!(redactor.release(), b"", "four bytes of a secret stay");
    assert_eq!(redactor.push(b"er2-SECRET\n"), b"***\n");
    assert_eq!(redactor.push(b"hun"), b"");
    assert_eq!(redactor.release(), b"hun");
    assert_eq!(redactor.push(b"ter2-SECRET\n"), b"***\n");
}

#[test]
fn an_empty_plan_changes_and_delays_nothing() {
    assert_eq!(Plan::new().redactor().push(b"hunter2-SECRET"), b"hunter2-SECRET");
}

/// Pieces of secrets in many encodings, cut where a stream may cut them, and what is around them in logs.
fn pieces() -> impl Strategy<Value = Vec<&'static str>> {
    let piece = prop::sample::select(vec![
        "hunter2-SECRET",
        "hunter2-SE",
        "CRET",
        "9x7q",
        "9x",
        "aHVudGVyMi1TRUNSRVQ",
        "YUhWdWRHVnlNaTFUUlVOU1JWUT0=",
        "aAB1AG4AdABlAHIAMgAtAFMARQBDAFIARQBUAA==",
        "Tr0ub4dor&3",
        "postgres://shop:Tr0ub4d",
        "or&3@db.internal/shop",
        "\n",
        "text ",
        "104, 117, 110, 116, 101, ",
        "114, 50, 45, 83, 69, 67, 82, 69, 84]",
        "[104,117,110,116,101,114,50,45,83,69,67,82,69,84]",
        "104 117 11",
        "68756e746572322d534543524554",
        "6875 6e74 6572",
        " 322d 5345 4352 4554",
        "0x68, 0x75, 0x6e, 0x74, 0x65, 0x72, 0x32, 0x2d",
        r"\150\165\156\164\145\162\062\055\123\105\103\122\105\124",
        "%68%75%6e%74%65%72",
        "%32%2d%53%45%43%52%45%54",
        "2026-11-21 05:12:33",
        "0",
        " ",
        ",",
        "a",
        "      ",
    ]);
    prop::collection::vec(piece, 0..14)
}

fn cuts(cuts: &[prop::sample::Index], length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).chain([0, length]).collect();
    cuts.sort_unstable();
    cuts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_split_gives_the_same_bytes_as_the_whole(
        pieces in pieces(), at in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let plan = plan();
        let text = pieces.concat().into_bytes();
        let mut redactor = plan.redactor();
        let mut out = Vec::new();
        for cut in cuts(&at, text.len()).windows(2) {
            out.extend(redactor.push(&text[cut[0]..cut[1]]));
        }
        out.extend(redactor.finish());
        prop_assert_eq!(String::from_utf8(out), String::from_utf8(whole(&plan, &text)));
    }

    #[test]
    fn a_pause_after_every_chunk_shows_no_more_than_three_bytes_of_a_secret_split_over_them(
        before in "[a-z \n]{0,20}", after in "[a-z \n]{0,20}", at in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let secret = "hunter2-SECRET";
        let plan = plan();
        let text = format!("{before}{secret}{after}").into_bytes();
        let mut redactor = plan.redactor();
        let mut out = Vec::new();
        for cut in cuts(&at, text.len()).windows(2) {
            out.extend(redactor.push(&text[cut[0]..cut[1]]));
            out.extend(redactor.release());
            out.extend(redactor.release());
        }
        out.extend(redactor.finish());
        let shown = String::from_utf8(out).unwrap();
        prop_assert!(secret.as_bytes().windows(4).all(|run| !shown.as_bytes().windows(4).any(|window| window == run)), "{}", shown);
        prop_assert_eq!(shown.matches("***").count(), 1);
    }

    #[test]
    fn a_pause_shows_everything_before_what_may_be_a_secret(before in "[b-d f-g]{0,40}") {
        let mut redactor = plan().redactor();
        let shown = [redactor.push(format!("{before}x hunt").as_bytes()), redactor.release()].concat();
        // Seven bytes are held back: a run of eight that ends with the next byte begins there.
        prop_assert_eq!(&shown[..], &before.as_bytes()[..before.len().saturating_sub(1)]);
        let rest = redactor.push(b"er2-SECRET\n");
        prop_assert_eq!(String::from_utf8([shown, rest].concat()).unwrap(), format!("{before}x ***\n"));
    }
}

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

proptest! {
    #[test]
    fn any_split_gives_the_same_bytes_as_the_whole(
        pieces in prop::collection::vec(prop_oneof![
            Just("hunter2-SECRET"), Just("hunter2-SE"), Just("CRET"), Just("9x7q"), Just("9x"), Just("aHVudGVyMi1TRUNSRVQ"),
            Just("Tr0ub4dor&3"), Just("postgres://shop:Tr0ub4d"), Just("or&3@db.internal/shop"), Just("\n"), Just("text "),
            Just("68756e746572322d534543524554"),
        ], 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let plan = plan();
        let text = pieces.concat().into_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut redactor = plan.redactor();
        let mut out = Vec::new();
        for cut in cuts.windows(2) {
            out.extend(redactor.push(&text[cut[0]..cut[1]]));
        }
        out.extend(redactor.finish());
        prop_assert_eq!(String::from_utf8(out), String::from_utf8(whole(&plan, &text)));
    }
}

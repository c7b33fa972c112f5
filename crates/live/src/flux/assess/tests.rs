use serde_json::{Value, json};

use super::{Step, kustomization, release, source};
use crate::flux::model::{Kind, Located};
use crate::kubernetes::Object;
use crate::look::{End, Look, Lost, Patience, State};

const NEW: &str = "main@sha1:8f4e2a91c0de8f4e2a91c0de8f4e2a91c0de8f4e";
const OLD: &str = "main@sha1:0000000000000000000000000000000000000000";

fn located(kind: Kind) -> Located {
    Located { kind, namespace: "flux-system".to_owned(), name: "apps".to_owned() }
}

#[expect(clippy::needless_pass_by_value, reason = "cases are written in place")]
fn object(spec: Value, status: Value) -> Object {
    serde_json::from_value(json!({"metadata": {"uid": "u", "generation": 2}, "spec": spec, "status": status})).unwrap()
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "why"})
}

fn status(applied: &str, attempted: &str, conditions: &[Value]) -> Value {
    json!({"observedGeneration": 2, "lastAppliedRevision": applied, "lastAttemptedRevision": attempted, "conditions": conditions})
}

#[expect(clippy::result_large_err, reason = "a look is what a case asks for")]
fn look(spec: Value, status: Value) -> Result<String, Look> {
    match kustomization(&located(Kind::Kustomization), &object(spec, status), &"8f4e2a9".parse().unwrap(), false, None)
    {
        Step::Holds(revision, _) => Ok(revision),
        Step::Stop(look) => Err(look),
    }
}

fn ready() -> Value {
    condition("Ready", "True", "ReconciliationSucceeded")
}

#[test]
fn ready_and_the_applied_revision_must_agree() {
    assert_eq!(look(json!({}), status(NEW, NEW, &[ready()])).unwrap(), NEW);
    let torn = look(json!({}), status(OLD, NEW, &[ready()])).unwrap_err();
    assert_eq!(torn.state, State::Other(None), "Ready is written before the revision");
    let begun =
        look(json!({}), status(NEW, NEW, &[ready(), condition("Reconciling", "True", "Progressing")])).unwrap_err();
    assert_eq!(begun.code, "reconciling");
    let mut behind = status(NEW, NEW, &[ready()]);
    behind["observedGeneration"] = json!(1);
    assert_eq!(look(json!({}), behind).unwrap_err().code, "reconciling");
}

#[test]
fn a_failure_of_ours_is_the_answer_also_while_it_is_tried_again() {
    for reason in ["BuildFailed", "ReconciliationFailed", "PruneFailed", "HealthCheckFailed"] {
        let found = look(json!({}), status(OLD, NEW, &[condition("Ready", "False", reason)])).unwrap_err();
        assert_eq!(found.state, State::Trouble(End::Failed, Patience::Grace), "{reason}");
    }
    let again = [condition("Ready", "Unknown", "Progressing"), condition("Healthy", "False", "HealthCheckFailed")];
    assert_eq!(look(json!({}), status(OLD, NEW, &again)).unwrap_err().code, "flux_failed");
    // While it is tried again, the real Flux has both conditions unknown; the history has the end of the attempt before.
    let again = [condition("Ready", "Unknown", "Progressing"), condition("Healthy", "Unknown", "Progressing")];
    let mut begun = status(OLD, NEW, &again);
    assert_eq!(look(json!({}), begun.clone()).unwrap_err().code, "reconciling");
    begun["history"] = json!([{"metadata": {"revision": NEW}, "lastReconciledStatus": "HealthCheckFailed", "lastReconciledDuration": "30.46s"}]);
    let found = look(json!({}), begun).unwrap_err();
    assert_eq!(found.code, "flux_failed");
    assert!(found.what.ends_with("HealthCheckFailed after 30 s, and it is tried again"), "{}", found.what);
    // An old revision's failure says nothing of ours.
    let other = look(json!({}), status(OLD, OLD, &[condition("Ready", "False", "BuildFailed")])).unwrap_err();
    assert_eq!(other.state, State::Other(None));
}

#[test]
fn what_holds_it_up_is_waited_for() {
    for (reason, code) in [("DependencyNotReady", "dependency"), ("ArtifactFailed", "artifact")] {
        let found = look(json!({}), status(OLD, OLD, &[condition("Ready", "False", reason)])).unwrap_err();
        assert_eq!((found.state, found.code), (State::NotYet, code));
    }
}

#[test]
fn suspended_is_over_while_ours_is_not_applied() {
    let found = look(json!({"suspend": true}), status(OLD, OLD, &[ready()])).unwrap_err();
    assert_eq!((found.state, found.code), (State::Trouble(End::Failed, Patience::Looks(1)), "suspended"));
    assert!(look(json!({"suspend": true}), status(NEW, NEW, &[ready()])).is_ok());
}

#[test]
fn stalled_counts_at_this_generation_only() {
    let stalled = [ready(), condition("Stalled", "True", "InvalidCELExpression")];
    assert_eq!(look(json!({}), status(OLD, NEW, &stalled)).unwrap_err().code, "stalled");
    let mut old = status(OLD, OLD, &stalled);
    old["observedGeneration"] = json!(1);
    assert_ne!(look(json!({}), old).unwrap_err().code, "stalled");
}

#[test]
fn the_history_proves_that_ours_was_superseded() {
    let mut passed = status(OLD, OLD, &[ready()]);
    passed["history"] = json!([{"metadata": {"revision": NEW}, "lastReconciledStatus": "ReconciliationSucceeded"}]);
    assert_eq!(look(json!({}), passed).unwrap_err().state, State::Other(Some(Lost::Superseded)));
}

#[test]
fn a_reconciliation_at_its_interval_does_not_undo_what_was_proved() {
    let again = status(
        NEW,
        NEW,
        &[condition("Ready", "Unknown", "Progressing"), condition("Reconciling", "True", "Progressing")],
    );
    let latch = (2, NEW.to_owned());
    let step = kustomization(
        &located(Kind::Kustomization),
        &object(json!({}), again),
        &"8f4e2a9".parse().unwrap(),
        false,
        Some(&latch),
    );
    assert!(matches!(step, Step::Holds(..)));
}

#[test]
fn an_artifact_of_oci_names_the_commit_that_it_was_made_of() {
    let artifact = json!({"revision": "latest@sha256:1", "metadata": {"org.opencontainers.image.revision": NEW}});
    let has = object(json!({}), json!({"artifact": artifact}));
    assert_eq!(source(&located(Kind::OciRepository), &has, &NEW.parse().unwrap(), false, false), None);
}

#[test]
fn a_source_that_is_behind_is_waited_for_and_a_later_one_supersedes() {
    let broken =
        json!({"artifact": {"revision": OLD}, "conditions": [condition("Ready", "False", "GitOperationFailed")]});
    let at = |newer, or_newer| {
        source(
            &located(Kind::GitRepository),
            &object(json!({}), broken.clone()),
            &NEW.parse().unwrap(),
            newer,
            or_newer,
        )
    };
    let behind = at(false, false).unwrap();
    assert_eq!((behind.state, behind.code), (State::NotYet, "source_behind"));
    assert!(behind.what.contains("GitOperationFailed: why"), "{}", behind.what);
    assert_eq!(at(true, false).unwrap().state, State::Other(Some(Lost::Superseded)));
    assert_eq!(at(true, true), None);
}

#[test]
fn a_remediated_release_is_a_failure_and_one_that_retries_is_not() {
    let at = |reason: &str, extra: &[Value]| {
        let conditions = [vec![condition("Ready", "False", reason)], extra.to_vec()].concat();
        let status = json!({"observedGeneration": 2, "history": [{"chartVersion": "1.2.3", "status": "deployed"}], "conditions": conditions});
        match release(&located(Kind::HelmRelease), &object(json!({}), status), None) {
            Step::Holds(..) => "holds",
            Step::Stop(look) => look.code,
        }
    };
    for reason in ["RollbackSucceeded", "UninstallSucceeded", "RetriesExceeded"] {
        assert_eq!(at(reason, &[]), "remediated");
    }
    assert_eq!(at("UpgradeFailed", &[condition("Reconciling", "True", "ProgressingWithRetry")]), "reconciling");
}

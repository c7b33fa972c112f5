//! Why a host does not take a release, in words.

/// What is wrong with a release, and what to do about it.
pub(crate) fn refusal(base: &str, id: &str, why: &str) -> (String, Option<String>) {
    if let Some(path) = why.strip_prefix("missing ") {
        return (format!("the shared file {path} does not exist"), Some("create it on the host".to_owned()));
    }
    let (text, help) = match why {
        "current_no_link" => {
            (format!("{base}/current is not a link"), "move it away once; releases live in BASE/releases")
        }
        "current_elsewhere" => {
            (format!("{base}/current does not lead into {base}/releases"), "point it to a release, or remove it")
        }
        "read_only" => (format!("{base} cannot be written"), "create it, and give it to the login user"),
        "no_rename" => {
            (format!("nothing on the host replaces a link in {base} by a rename"), "install GNU coreutils or perl")
        }
        "differs" => (format!("the hosts would go back to different releases: {id}"), "name one with --rollback-to ID"),
        "no_previous" => {
            (format!("there is no earlier good release in {base}"), "name one that is there: ls BASE/releases")
        }
        "not_good" => (
            format!("the release {id} in {base} did not pass its checks, or is not ours"),
            "name one whose checks passed: its .ssh-deploy-release has status=good",
        ),
        "absent" => (format!("there is no release {id} in {base}"), "name one that is there: ls BASE/releases"),
        _ => (format!("the release could not be written to {base}"), "look at the host's disk"),
    };
    (text, Some(help.to_owned()))
}

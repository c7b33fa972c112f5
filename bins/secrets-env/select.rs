//! Selects, renames and checks the secrets: pure, and every problem is found before anything is handed on.

use std::collections::BTreeMap;

use doppler::MANAGED;
use fault::{Fault, Result};
use secrecy::ExposeSecret as _;
use secrets::Secret;

use crate::args::Selection;
use crate::chosen::Chosen;

/// Merges the secrets of several configs; if two have the same name, the later one wins.
///
/// # Errors
/// [`fault::Kind::Usage`] with the names if `strict` and two configs share a name.
pub(crate) fn merge(configs: Vec<Vec<Secret>>, strict: bool) -> Result<Vec<Secret>> {
    let mut merged: BTreeMap<String, Secret> = BTreeMap::new();
    let mut collisions = Vec::new();
    for secret in configs.into_iter().flatten() {
        let is_managed = MANAGED.contains(&secret.name.as_str());
        if let Some(earlier) = merged.insert(secret.name.clone(), secret)
            && !is_managed
        {
            collisions.push(earlier.name);
        }
    }
    if strict && !collisions.is_empty() {
        return Err(Fault::usage(format!("in more than one config: {}", collisions.join(", ")))
            .help("leave them out of one, or drop --strict so that the later config wins"));
    }
    Ok(merged.into_values().collect())
}

/// Applies `selection`: which secrets, under which names, sorted by their new names.
///
/// # Errors
/// A requested name that does not exist ([`fault::Kind::Failed`]), a value that Doppler withholds ([`fault::Kind::Permission`]), two secrets
/// with the same new name ([`fault::Kind::Usage`]).
pub(crate) fn apply(secrets: Vec<Secret>, selection: &Selection) -> Result<Vec<Chosen>> {
    let given = |list: &[String]| list.iter().filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>();
    let (only, except, require) = (given(&selection.only), given(&selection.except), given(&selection.require));
    let renamed: Vec<String> = selection.rename.iter().map(|rename| rename.old.clone()).collect();
    required(&secrets, &require)?;
    let is_kept = |secret: &Secret| (only.is_empty() || only.contains(&secret.name)) && !except.contains(&secret.name);
    let kept: Vec<Secret> = secrets.into_iter().filter(is_kept).collect();
    absent(&kept, &only, "--only")?;
    absent(&kept, &renamed, "--rename")?;
    if !selection.allow_empty
        && kept.iter().all(|secret| MANAGED.contains(&secret.name.as_str()) && !only.contains(&secret.name))
    {
        return Err(Fault::failed("there are no secrets to hand on")
            .help("check --config, --only and --except, or give --allow-empty"));
    }
    let chosen = kept.into_iter().map(|secret| chosen(secret, selection)).collect::<Result<Vec<_>>>()?;
    by_name(chosen)
}

/// Checks that each of `names` has a value that has been filled in.
fn required(secrets: &[Secret], names: &[String]) -> Result<()> {
    let problem = |name: &String| {
        let Some(secret) = secrets.iter().find(|secret| secret.name == *name) else {
            return Some(format!("{name} is missing"));
        };
        match &secret.value {
            None => Some(format!("{name} is withheld from this token")),
            // Exposed to judge whether it was filled in.
            Some(value) if value.expose_secret().trim().is_empty() => Some(format!("{name} is empty")),
            Some(value) if is_placeholder(value.expose_secret()) => Some(format!("{name} is a placeholder")),
            Some(_) => None,
        }
    };
    let problems: Vec<String> = names.iter().filter_map(problem).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(Fault::failed(format!("not all required secrets are there: {}", problems.join(", ")))
        .help("set them in Doppler"))
}

/// Whether `value` is a placeholder that was meant to be replaced.
fn is_placeholder(value: &str) -> bool {
    let letters: String = value.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let words = [
        "changeme",
        "replaceme",
        "placeholder",
        "todo",
        "tbd",
        "fixme",
        "fillmein",
        "setme",
        "xxx",
        "xxxx",
        "yoursecrethere",
    ];
    let trimmed = value.trim();
    words.contains(&letters.as_str())
        || (trimmed.starts_with('<') && trimmed.ends_with('>') && !trimmed.contains("</"))
        || (letters.starts_with("your") && letters.ends_with("here"))
        || (letters.len() > 3 && letters.bytes().all(|byte| byte == b'x'))
}

fn absent(secrets: &[Secret], wanted: &[String], option: &str) -> Result<()> {
    let missing: Vec<&str> =
        wanted.iter().filter(|name| !secrets.iter().any(|secret| secret.name == **name)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Fault::failed(format!("not among the secrets: {}", missing.join(", ")))
        .help(format!("check {option} against `secrets-env --format names`")))
}

fn chosen(secret: Secret, selection: &Selection) -> Result<Chosen> {
    let Secret { name: origin, value, visibility } = secret;
    let Some(value) = value else {
        return Err(Fault::permission(format!("Doppler does not show the value of {origin} to this token"))
            .cause("its visibility is restricted, and only service tokens and service accounts get such values")
            .help(format!("use one of those in DOPPLER_TOKEN, or leave it out with --except {origin}")));
    };
    let renamed = selection.rename.iter().find(|rename| rename.old == origin).map(|rename| rename.new.clone());
    let name = renamed.unwrap_or_else(|| {
        let shaped = selection.transform.map_or_else(|| origin.clone(), |transform| transform.apply(&origin));
        format!("{}{shaped}", selection.prefix)
    });
    Ok(Chosen { origin, name, value, visibility })
}

/// Sorts by name and refuses two secrets with the same name.
fn by_name(mut chosen: Vec<Chosen>) -> Result<Vec<Chosen>> {
    chosen.sort_by(|left, right| left.name.cmp(&right.name));
    for pair in chosen.windows(2) {
        if pair[0].name == pair[1].name {
            let (left, right, name) = (&pair[0].origin, &pair[1].origin, &pair[0].name);
            return Err(Fault::usage(format!("{left} and {right} would both be called {name}"))
                .help("change --rename, --transform or --prefix, or leave one out with --except"));
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use fault::Kind;
    use secrecy::ExposeSecret as _;
    use secrets::Secret;

    use super::{apply, is_placeholder, merge};
    use crate::args::Selection;
    use crate::name::Transform;

    fn secret(name: &str, value: &str) -> Secret {
        Secret::masked(name, value)
    }

    fn names(secrets: &[Secret], selection: &Selection) -> Result<Vec<String>, fault::Fault> {
        Ok(apply(secrets.to_vec(), selection)?.into_iter().map(|chosen| chosen.name).collect())
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn of_several_configs_the_later_one_wins_and_strict_names_what_collides() {
        let configs =
            || vec![vec![secret("A", "1"), secret("B", "1")], vec![secret("B", "2"), secret("DOPPLER_CONFIG", "x")]];
        let merged = merge(configs(), false).unwrap();
        assert_eq!(merged[1].value.as_ref().unwrap().expose_secret(), "2");
        assert_eq!(merge(configs(), true).unwrap_err().message, "in more than one config: B");
    }

    #[test]
    fn names_are_chosen_renamed_transformed_and_prefixed() {
        let secrets = [secret("API_KEY", "x"), secret("DB_URL", "y"), secret("NOISE", "z")];
        let selection = Selection {
            except: list(&["NOISE"]),
            rename: vec!["DB_URL=database".parse().unwrap()],
            transform: Some(Transform::LowerSnake),
            prefix: "app_".to_owned(),
            ..Selection::default()
        };
        assert_eq!(names(&secrets, &selection).unwrap(), ["app_api_key", "database"]);
    }

    #[test]
    fn two_secrets_under_one_name_are_refused_with_both_names() {
        let selection = Selection { rename: vec!["A=B".parse().unwrap()], ..Selection::default() };
        let fault = names(&[secret("A", "1"), secret("B", "2")], &selection).unwrap_err();
        assert_eq!(fault.message, "A and B would both be called B");
    }

    #[test]
    fn a_name_that_is_asked_for_and_absent_is_an_answer_of_no() {
        let secrets = [secret("A", "1")];
        let fault = names(&secrets, &Selection { only: list(&["A", "B"]), ..Selection::default() }).unwrap_err();
        assert_eq!((fault.kind, fault.message.as_str()), (Kind::Failed, "not among the secrets: B"));
    }

    #[test]
    fn required_secrets_are_there_filled_in_and_visible() {
        let mut secrets = vec![secret("EMPTY", " "), secret("LATER", "<your key here>"), secret("SET", "s3cr3t")];
        secrets.push(Secret { value: None, ..secret("HIDDEN", "") });
        let selection =
            Selection { require: list(&["EMPTY", "LATER", "SET", "HIDDEN", "GONE"]), ..Selection::default() };
        let fault = names(&secrets, &selection).unwrap_err();
        assert_eq!(
            fault.message,
            "not all required secrets are there: EMPTY is empty, LATER is a placeholder, HIDDEN is withheld from this token, GONE is missing"
        );
    }

    #[test]
    fn a_withheld_value_is_a_permission_fault_unless_it_is_left_out() {
        let secrets = [Secret { value: None, ..secret("HIDDEN", "") }, secret("A", "1")];
        let fault = names(&secrets, &Selection::default()).unwrap_err();
        assert_eq!(fault.kind, Kind::Permission);
        assert!(fault.message.contains("HIDDEN"));
        assert!(names(&secrets, &Selection { except: list(&["HIDDEN"]), ..Selection::default() }).is_ok());
    }

    #[test]
    fn an_empty_config_is_an_answer_of_no_unless_it_is_allowed() {
        let secrets = [secret("DOPPLER_CONFIG", "dev")];
        assert_eq!(names(&secrets, &Selection::default()).unwrap_err().kind, Kind::Failed);
        assert!(names(&secrets, &Selection { allow_empty: true, ..Selection::default() }).is_ok());
        assert!(names(&secrets, &Selection { only: list(&["DOPPLER_CONFIG"]), ..Selection::default() }).is_ok());
    }

    #[test]
    fn placeholders_are_told_from_values() {
        for value in ["CHANGE_ME", "changeme", "<token>", "TODO", "xxxxxxxx", "your-api-key-here", "REPLACE ME"] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in ["s3cr3t", "<a>b</a>", "true", "x9", "todo-list-4711"] {
            assert!(!is_placeholder(value), "{value}");
        }
    }
}

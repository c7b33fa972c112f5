//! AWS's shared files, `~/.aws/credentials` and `~/.aws/config`: keys that stand in them, and regions.

use std::collections::BTreeMap;

use super::AccessKey;

/// What the files say about one profile.
#[derive(Clone, Debug, Default)]
pub struct Profile(BTreeMap<String, String>);

impl Profile {
    /// The profile `name` in the texts of both files; what stands in the first counts.
    #[must_use]
    pub fn read(name: &str, credentials: &str, config: &str) -> Self {
        let titled = format!("profile {name}");
        let mut settings = section(config, &[name, &titled]);
        settings.extend(section(credentials, &[name]));
        Self(settings)
    }

    /// The access key, where it stands in the files.
    #[must_use]
    pub fn key(&self) -> Option<AccessKey> {
        let setting = |name: &str| self.0.get(name).filter(|value| !value.is_empty()).cloned();
        Some(AccessKey {
            id: setting("aws_access_key_id")?,
            secret: setting("aws_secret_access_key")?.into(),
            session: setting("aws_session_token").map(Into::into),
        })
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.0.get("region").map(String::as_str)
    }
}

fn section(text: &str, names: &[&str]) -> BTreeMap<String, String> {
    let mut inside = false;
    let mut settings = BTreeMap::new();
    for line in text.lines() {
        if let Some(title) = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            inside = names.contains(&title.0.trim());
        } else if inside
            && !line.starts_with([' ', '\t', '#', ';'])
            && let Some((name, value)) = line.split_once('=')
        {
            settings.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::Profile;

    #[test]
    fn a_profile_is_read_from_both_files() {
        let credentials =
            "[default]\naws_access_key_id = A\n[ci]\naws_access_key_id=B\naws_secret_access_key=s\n# x=y\n";
        let config = "[profile ci]\nregion = eu-west-1\ns3 =\n  max = 1\n[default]\nregion=us-west-2\n";
        let profile = Profile::read("ci", credentials, config);
        assert_eq!(profile.key().unwrap().id, "B");
        assert_eq!(profile.region(), Some("eu-west-1"));
        assert!(Profile::read("default", credentials, config).key().is_none());
    }
}

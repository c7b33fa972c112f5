//! AWS's shared files, `~/.aws/credentials` and `~/.aws/config`: their keys, roles and regions.

use std::collections::BTreeMap;

use super::AccessKey;
use super::sts::Role;

/// Both files.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The text of `credentials`, which takes precedence.
    pub credentials: String,
    /// The text of `config`.
    pub config: String,
}

/// The settings of one profile.
#[derive(Clone, Debug, Default)]
pub struct Profile(BTreeMap<String, String>);

impl Files {
    /// The profile of that name, empty when there is none.
    #[must_use]
    pub fn profile(&self, name: &str) -> Profile {
        let titled = format!("profile {name}");
        let mut settings = section(&self.config, &[name, &titled]);
        settings.extend(section(&self.credentials, &[name]));
        Profile(settings)
    }
}

impl Profile {
    /// A setting that is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The access key, if the files hold one.
    #[must_use]
    pub fn key(&self) -> Option<AccessKey> {
        Some(AccessKey {
            id: self.get("aws_access_key_id")?.to_owned(),
            secret: self.get("aws_secret_access_key")?.into(),
            session: self.get("aws_session_token").map(Into::into),
            origin: "AWS's files".to_owned(),
        })
    }

    /// The role that the profile assumes.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        let text = |name: &str| self.get(name).map(str::to_owned);
        Some(Role {
            arn: text("role_arn")?,
            session: text("role_session_name"),
            external_id: text("external_id"),
            duration_seconds: text("duration_seconds"),
            policy: None,
        })
    }

    /// The setting that only AWS's own program supports: single sign-on, a credential process, a typed MFA code.
    #[must_use]
    pub fn beyond(&self) -> Option<&'static str> {
        ["sso_session", "sso_start_url", "login_session", "credential_process", "mfa_serial"]
            .into_iter()
            .find(|name| self.get(name).is_some())
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
    use super::Files;

    #[test]
    fn a_profile_is_read_from_both_files() {
        let credentials =
            "[default]\naws_access_key_id = A\n[ci]\naws_access_key_id=B\naws_secret_access_key=s\n# x=y\n".to_owned();
        let config = "[profile ci]\nregion = eu-west-1\ns3 =\n  max = 1\n[default]\nregion=us-west-2\nsso_session = x\n[profile r]\nrole_arn = arn:r\nsource_profile = ci\n";
        let files = Files { credentials, config: config.to_owned() };
        let profile = files.profile("ci");
        assert_eq!(profile.key().unwrap().id, "B");
        assert_eq!(profile.get("region"), Some("eu-west-1"));
        assert!(files.profile("default").key().is_none());
        assert_eq!(files.profile("default").beyond(), Some("sso_session"));
        assert_eq!(files.profile("r").role().unwrap().arn, "arn:r");
        assert_eq!(files.profile("nosuch").get("region"), None);
    }
}

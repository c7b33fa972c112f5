//! How OpenSSH's client is called: a configuration that every hop obeys, and one fixed argument vector a host.
//!
//! The configuration comes before the user's own, and ssh takes the first value it finds: nothing in `~/.ssh/config` can
//! weaken it, while aliases, bastions, certificates and hardware keys keep working. It is a file and not a list of `-o`
//! because ssh passes `-F`, but no `-o`, on to the jump hosts' own clients.

use std::path::Path;

use crate::evidence::CERTIFICATE;
use crate::{HostKey, Target};

/// What the configuration depends on.
#[derive(Clone, Copy)]
pub(crate) struct Policy<'a> {
    /// The only file of known hosts beside the system's; the user's own where it is `None`.
    pub(crate) known_hosts: Option<&'a Path>,
    /// The agent's socket and the public half of the only key to offer.
    pub(crate) key: Option<(&'a Path, &'a Path)>,
    /// How long a connection may take.
    pub(crate) connect_seconds: u64,
    /// What becomes of a server whose key is not known.
    pub(crate) unknown: UnknownHosts,
    /// How keys are agreed on; ssh's own default if `None`.
    pub(crate) key_exchange: Option<KeyExchange>,
    /// The user's configuration; `~/.ssh/config` if `None`.
    pub(crate) user_configuration: Option<&'a Path>,
    /// The client's version: an option that it does not know is an error to it.
    pub(crate) version: (u32, u32),
}

/// How a connection's keys are agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    /// curve25519 alone: where the default is post-quantum and several times dearer.
    Fast,
}

/// What becomes of a server whose key is not known; a changed key is always refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownHosts {
    /// It is refused.
    Refuse,
    /// Its key is taken for its own from then on.
    Accept,
}

/// ssh's own default.
const GLOBAL_KNOWN_HOSTS: &str = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2";

/// The text of the configuration file.
pub(crate) fn configuration(policy: &Policy<'_>) -> String {
    // The system's own files, and no program: the user's configuration must not add a place to look for keys.
    let command = if policy.version >= (8, 5) { "KnownHostsCommand none\n" } else { "" };
    let known_hosts = policy.known_hosts.map(|file| {
        format!("UserKnownHostsFile {}\nGlobalKnownHostsFile {GLOBAL_KNOWN_HOSTS}\n{command}", quoted(file))
    });
    let session =
        if policy.version >= (8, 7) { "SessionType default\nStdinNull no\nForkAfterAuthentication no\n" } else { "" };
    // Only this key: an agent with more than five dies of MaxAuthTries.
    let key = policy.key.map(|(socket, public_key)| {
        format!("IdentityAgent {}\nIdentityFile {}\nIdentitiesOnly yes\n", quoted(socket), quoted(public_key))
    });
    let strict = match policy.unknown {
        UnknownHosts::Refuse => "yes",
        UnknownHosts::Accept => "accept-new",
    };
    format!(
        "Host *\n\
         BatchMode yes\nStrictHostKeyChecking {strict}\nUpdateHostKeys no\nHashKnownHosts no\nVisualHostKey no\nLogLevel ERROR\n\
         ConnectTimeout {}\nServerAliveInterval 5\nServerAliveCountMax 4\n\
         ForwardAgent no\nForwardX11 no\nClearAllForwardings yes\n\
         PermitLocalCommand no\nRemoteCommand none\nRequestTTY no\nEscapeChar none\n\
         NoHostAuthenticationForLocalhost no\nVerifyHostKeyDNS no\n\
         ControlMaster no\nControlPath none\n\
         {session}{}{}{}Include {}\nInclude /etc/ssh/ssh_config\n",
        policy.connect_seconds,
        known_hosts.unwrap_or_default(),
        key.unwrap_or_default(),
        if policy.key_exchange.is_some() {
            "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org\n"
        } else {
            ""
        },
        policy.user_configuration.map_or_else(|| "~/.ssh/config".to_owned(), quoted),
    )
}

/// A path as a value of ssh's configuration: in quotes, its `%` no token.
pub(crate) fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

/// Where a connection's files are.
pub(crate) struct Files<'a> {
    /// The configuration.
    pub(crate) configuration: &'a Path,
    /// Where the client's own messages go, apart from the server's.
    pub(crate) log: &'a Path,
    /// The known-hosts file of a server whose keys came with its address.
    pub(crate) pins: &'a Path,
    /// The program that compares fingerprints.
    pub(crate) fingerprints: &'a Path,
    /// Types of host keys that are not to be asked for.
    pub(crate) unwanted: &'a [String],
    /// Options of this host, before all others.
    pub(crate) options: &'a [String],
}

/// The arguments after `ssh`. No secret, no text of the user's but the checked address.
pub(crate) fn arguments(target: &Target, files: &Files<'_>, command_line: &str) -> Vec<String> {
    let mut words = vec!["-F".to_owned(), files.configuration.display().to_string()];
    words.extend(["-E".to_owned(), files.log.display().to_string()]);
    // The log is where causes are read from; the offered keys and the server's fingerprint are at this level.
    words.extend(["-o", "LogLevel=DEBUG1", "-T", "-x", "-a"].map(str::to_owned));
    words.extend(files.options.iter().cloned());
    if !target.host_keys.is_empty() {
        words.extend(["-o", "StrictHostKeyChecking=yes"].map(str::to_owned));
        words.extend(["-o".to_owned(), format!("HostKeyAlias={ALIAS}")]);
        words.extend(["-o".to_owned(), format!("UserKnownHostsFile={}", quoted(files.pins))]);
        let fingerprints: Vec<String> = target
            .host_keys
            .iter()
            .filter(|key| matches!(key, HostKey::Fingerprint(_)))
            .map(HostKey::fingerprint)
            .collect();
        if !fingerprints.is_empty() {
            let program = format!("/bin/sh {} %f %H %t %K {}", quoted(files.fingerprints), fingerprints.join(" "));
            words.extend(["-o".to_owned(), format!("KnownHostsCommand={program}")]);
        }
    }
    if !files.unwanted.is_empty() {
        words.extend(["-o".to_owned(), format!("HostKeyAlgorithms=-{}", algorithms(files.unwanted).join(","))]);
    }
    words.extend(destination(target));
    words.push(command_line.to_owned());
    words
}

/// The words that name a target to ssh.
pub(crate) fn destination(target: &Target) -> Vec<String> {
    let port = target.address.port.map(|port| ["-p".to_owned(), port.to_string()]);
    let user = target.address.user.as_ref().map(|user| ["-l".to_owned(), user.as_str().to_owned()]);
    let host = ["--".to_owned(), target.address.host.as_str().to_owned()];
    port.into_iter().flatten().chain(user.into_iter().flatten()).chain(host).collect()
}

/// The signature algorithms of key types, as patterns: an RSA key has three, and every type a certificate. All certificates are one
/// type.
fn algorithms(types: &[String]) -> Vec<String> {
    let patterns = |kind: &String| match kind.as_str() {
        "ssh-rsa" => vec!["ssh-rsa*".to_owned(), "rsa-*".to_owned()],
        CERTIFICATE => vec![format!("*{CERTIFICATE}")],
        kind => vec![format!("{kind}*")],
    };
    types.iter().flat_map(patterns).collect()
}

/// The name under which a pinned server's keys are looked up: independent of its address, alias and port.
const ALIAS: &str = "ssh-deploy-pinned";

/// The known-hosts lines of a pinned server: its keys, and every key that the given file revokes.
pub(crate) fn pins(target: &Target, known_hosts: &str) -> String {
    let keys = target.host_keys.iter().filter_map(|key| match key {
        HostKey::Key { kind, base64 } => Some(format!("{ALIAS} {kind} {base64}\n")),
        HostKey::Fingerprint(_) => None,
    });
    let revoked = known_hosts.lines().filter_map(|line| {
        let mut words = line.strip_prefix("@revoked")?.split_ascii_whitespace();
        let (_hosts, kind, base64) = (words.next()?, words.next()?, words.next()?);
        Some(format!("@revoked * {kind} {base64}\n"))
    });
    keys.chain(revoked).collect()
}

/// ssh's `KnownHostsCommand` for fingerprints: prints the server's key as a known one if its fingerprint is among those given.
pub(crate) const FINGERPRINTS: &str = "\
fingerprint=$1 host=$2 type=$3 key=$4
shift 4
for pinned do
  [ \"$pinned\" != \"$fingerprint\" ] || echo \"$host $type $key\"
done
";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{ALIAS, Files, Policy, UnknownHosts, arguments, configuration, pins};

    fn files() -> Files<'static> {
        Files {
            configuration: Path::new("/t/config"),
            log: Path::new("/t/log"),
            pins: Path::new("/t/pins"),
            fingerprints: Path::new("/t/100%/sum"),
            unwanted: &[],
            options: &[],
        }
    }

    fn target(line: &str) -> crate::Target {
        crate::inventory::of_line(line).unwrap()
    }

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn the_argument_vector_is_fixed_and_ends_with_the_host_and_the_command() {
        let words = arguments(&target("deploy@[::1]:2222"), &files(), "exec sh");
        let expected = "-F /t/config -E /t/log -o LogLevel=DEBUG1 -T -x -a -p 2222 -l deploy -- ::1";
        assert_eq!(words[..words.len() - 1].join(" "), expected);
        assert_eq!(words.last().unwrap(), "exec sh");
    }

    #[test]
    fn a_pinned_host_is_known_by_its_own_keys_alone() {
        let words = arguments(&target(&format!("web1 {KEY}")), &files(), "x").join(" ");
        // Applies with --accept-new too.
        assert!(words.contains("StrictHostKeyChecking=yes"), "{words}");
        assert!(words.contains("HostKeyAlias=ssh-deploy-pinned -o UserKnownHostsFile=\"/t/pins\""), "{words}");
        assert!(!words.contains("KnownHostsCommand"));
        let print = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
        let words = arguments(&target(&format!("web1 {print}")), &files(), "x").join(" ");
        assert!(words.contains(&format!("KnownHostsCommand=/bin/sh \"/t/100%%/sum\" %f %H %t %K {print}")), "{words}");
    }

    #[test]
    fn a_revoked_key_stays_revoked_for_a_pinned_host() {
        let text = pins(
            &target(&format!("web1 {KEY}")),
            &format!("web2 {KEY}\n@revoked web9 {KEY} lost\n@cert-authority * {KEY}\n"),
        );
        assert_eq!(text, format!("{ALIAS} {KEY}\n@revoked * {KEY}\n"));
    }

    #[test]
    fn our_values_stand_before_the_users_own() {
        let policy = Policy {
            known_hosts: Some(Path::new("/t/known hosts")),
            key: None,
            connect_seconds: 10,
            unknown: UnknownHosts::Refuse,
            key_exchange: None,
            user_configuration: None,
            version: (9, 2),
        };
        let text = configuration(&policy);
        assert!(text.contains("KnownHostsCommand none") && text.contains("SessionType default"));
        let old = configuration(&Policy { version: (8, 4), ..policy });
        assert!(!old.contains("KnownHostsCommand") && !old.contains("SessionType"));
        let position = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
        for line in
            ["BatchMode yes", "StrictHostKeyChecking yes", "ForwardAgent no", "UserKnownHostsFile \"/t/known hosts\""]
        {
            assert!(position(line) < position("Include ~/.ssh/config"), "{line}");
        }
        assert!(!text.contains("IdentitiesOnly"));
    }
}

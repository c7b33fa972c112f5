//! A bastion (`ProxyJump`): how it is named in ssh's resolved configuration, and how a client is led through a connection to it.
//!
//! Decisions only: [`crate::openssh`] has the processes.

use std::path::{Path, PathBuf};

use crate::shell::quote;

/// The bastion of a host, as ssh has resolved it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Jump {
    /// All of it, as ssh prints it: `first,user@[192.0.2.1]:2222`.
    pub(crate) text: String,
    /// The bastions before it, if there are any.
    before: Option<String>,
    user: Option<String>,
    host: String,
    port: Option<String>,
}

/// What `ssh -G` reports about a host that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Its bastion.
    pub(crate) jump: Option<Jump>,
    /// The user's files of known hosts.
    pub(crate) known_hosts: Option<String>,
}

impl Resolved {
    /// Reads the lines of `ssh -G`.
    pub(crate) fn of(text: &str) -> Self {
        let value = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value.trim().to_owned())
        };
        Self { jump: value("proxyjump").and_then(|text| Jump::of(&text)), known_hosts: value("userknownhostsfile") }
    }
}

impl Jump {
    fn of(text: &str) -> Option<Self> {
        let (before, last) = match text.rsplit_once(',') {
            Some((before, last)) => (Some(before.to_owned()), last),
            None => (None, text),
        };
        let (user, rest) = match last.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, last),
        };
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let is_host = !host.is_empty() && !host.starts_with('-') && host != "none";
        is_host.then(|| Self {
            text: text.to_owned(),
            before,
            user,
            host: host.to_owned(),
            port: port.map(str::to_owned),
        })
    }

    /// The words that name it to ssh.
    pub(crate) fn words(&self) -> Vec<String> {
        let option = |name: &str, value: &Option<String>| {
            value.iter().flat_map(|value| [name.to_owned(), value.clone()]).collect::<Vec<_>>()
        };
        let mut words = option("-J", &self.before);
        words.extend(option("-l", &self.user));
        words.extend(option("-p", &self.port));
        words.extend(["--".to_owned(), self.host.clone()]);
        words
    }

    /// A `ProxyCommand` that goes through the connection at `socket`. If that is gone, ssh makes one.
    pub(crate) fn proxy_command(&self, configuration: &Path, socket: &Path) -> String {
        // A path's `%` is a token of the outer client; a socket's is one of the inner client, too.
        let path = |path: &Path| path.display().to_string().replace('%', "%%");
        let mut words = vec!["ssh".to_owned(), "-F".to_owned(), path(configuration), "-S".to_owned()];
        words.push(path(socket).replace('%', "%%"));
        words.extend(["-W", "[%h]:%p"].map(str::to_owned));
        words.extend(self.words().iter().map(|word| word.replace('%', "%%")));
        words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }
}

/// How deep files include each other in ssh, at most.
const DEPTH: usize = 16;

/// Whether a configuration may have a bastion. To ask ssh about every host costs a process each, which most runs can save.
pub(crate) fn may_jump(files: &[PathBuf], home: &Path) -> bool {
    files.iter().any(|file| mentions_a_jump(file, home, DEPTH))
}

fn mentions_a_jump(file: &Path, home: &Path, depth: usize) -> bool {
    // A file that cannot be read is none to ssh either.
    let Ok(bytes) = std::fs::read(file) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim);
    lines.into_iter().any(|line| {
        let lower = line.to_ascii_lowercase();
        let included = lower.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t', '=', '"']));
        match included {
            _ if lower.contains("proxyjump") => true,
            Some(_) if depth == 0 => true,
            Some(_) => line["include".len()..]
                .split([' ', '\t', '=', '"'])
                .filter(|word| !word.is_empty())
                .any(|word| includes_a_jump(word, home, depth - 1)),
            None => false,
        }
    })
}

/// The same for the files of an `Include`. A pattern stands for every file of its folder: a file too many costs only time.
fn includes_a_jump(word: &str, home: &Path, depth: usize) -> bool {
    if word.contains(['%', '$']) {
        return true;
    }
    let paths = match word.strip_prefix("~/") {
        Some(rest) => vec![home.join(rest)],
        None if word.starts_with('/') => vec![PathBuf::from(word)],
        None => vec![home.join(".ssh").join(word), Path::new("/etc/ssh").join(word)],
    };
    paths.iter().any(|path| {
        if !word.contains(['*', '?', '[']) {
            return mentions_a_jump(path, home, depth);
        }
        let entries = path.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| mentions_a_jump(&entry.path(), home, depth))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Jump, Resolved, may_jump};

    fn words(text: &str) -> String {
        Jump::of(text).unwrap().words().join(" ")
    }

    #[test]
    fn a_bastion_is_named_as_ssh_has_resolved_it() {
        assert_eq!(words("bastion"), "-- bastion");
        assert_eq!(words("jump@bastion:2222"), "-l jump -p 2222 -- bastion");
        assert_eq!(words("[192.0.2.1]:2222"), "-p 2222 -- 192.0.2.1");
        assert_eq!(words("a@b@[2001:db8::1]"), "-l a@b -- 2001:db8::1");
        assert_eq!(words("one,two:22,three"), "-J one,two:22 -- three");
        assert_eq!((Jump::of("none"), Jump::of("-oProxyCommand=x"), Jump::of("")), (None, None, None));
    }

    #[test]
    fn the_resolved_configuration_is_read() {
        let text = "user root\nproxyjump jump@b\nuserknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\n";
        let resolved = Resolved::of(text);
        assert_eq!(resolved.jump.unwrap().text, "jump@b");
        assert_eq!(resolved.known_hosts.unwrap(), "~/.ssh/known_hosts ~/.ssh/known_hosts2");
        assert_eq!(Resolved::of("user root\n"), Resolved::default());
    }

    #[test]
    fn a_client_goes_through_the_connection_to_its_bastion() {
        let command = Jump::of("jump@b:22").unwrap().proxy_command(Path::new("/t/100%/config"), Path::new("/t/5%/m0"));
        assert_eq!(
            command,
            "'ssh' '-F' '/t/100%%/config' '-S' '/t/5%%%%/m0' '-W' '[%h]:%p' '-l' 'jump' '-p' '22' '--' 'b'"
        );
    }

    #[test]
    fn only_a_configuration_that_may_have_a_bastion_is_asked_about() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        let file = write("config", "Host *\n  User root\nInclude conf.d/*.conf ~/more\n");
        let jumps = || may_jump(&[file.clone(), home.path().join("absent")], home.path());
        assert!(!jumps());
        let more = write("more", "Host a\n\tproxyJump = b\n");
        assert!(jumps());
        std::fs::remove_file(more).unwrap();
        write(".ssh/conf.d/a.conf", "PROXYJUMP b\n");
        assert!(jumps());
        let circle = write("circle", &format!("Include {}\n", home.path().join("circle").display()));
        assert!(may_jump(&[circle], home.path()));
        let token = write("token", "Include %d/x\n");
        assert!(may_jump(&[token], home.path()));
    }
}

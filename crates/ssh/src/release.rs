//! Releases: a folder per deploy below `BASE/releases`, and the link `BASE/current`, replaced by a rename.

use crate::fragment::with_sums;
use crate::upload::{Authority, as_user};
use crate::{Payload, Session, Unready, quote};

const RELEASE: &str = include_str!("fragment/release.sh");

/// A release and its place on the hosts.
#[derive(Debug)]
pub struct Release {
    /// What is sent; nothing if an earlier release is made current again.
    pub payload: Option<Payload>,
    /// The folder of all releases; a relative path begins at the login's home.
    pub base: String,
    /// How many good releases are kept.
    pub keep: usize,
    /// Paths that all releases share; a folder's ends with `/`.
    pub shared: Vec<String>,
    /// The run that makes it.
    pub run: String,
}

/// What a host has before a deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstalledReleases {
    /// How a link is replaced there.
    pub method: String,
    /// Where `BASE` is, absolute.
    pub base: String,
    /// The release that is current.
    pub current: Option<String>,
    /// The newest release whose checks passed, and that was not rolled back from.
    pub good: Option<String>,
    /// The newest such release that is older than the current one.
    pub other: Option<String>,
}

impl Release {
    /// Looks whether the host can take the release.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn look(
        &self,
        session: &mut impl Session,
        authority: Authority<'_>,
    ) -> Result<InstalledReleases, Unready> {
        let home = session.ask("sd_say home \"$HOME\"\n").await?;
        let home = home.iter().find_map(|line| line.strip_prefix("home ")).unwrap_or_default().to_owned();
        let base = if self.base.starts_with('/') { self.base.clone() } else { format!("{home}/{}", self.base) };
        let answer = self.ask(session, authority, &base, &["look", "-", "-"], "").await?;
        let mut words = answer.split_ascii_whitespace();
        if words.next() != Some("ok") {
            return Err(self.refused("", &answer));
        }
        let mut next = || words.next().filter(|word| *word != "-").map(str::to_owned);
        Ok(InstalledReleases { method: next().unwrap_or_default(), base, current: next(), good: next(), other: next() })
    }

    /// Sends the release, checks what has arrived, unpacks it and links what is shared. It is not current yet.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn stage(
        &self,
        session: &mut impl Session,
        authority: Authority<'_>,
        found: &InstalledReleases,
        id: &str,
    ) -> Result<(), Unready> {
        let Some(payload) = &self.payload else { return self.check_there(session, authority, found, id).await };
        // A deploy that is resumed has it already; what is live must not be written to, nor removed if this run changes nothing.
        if [&found.current, &found.good].into_iter().flatten().any(|there| there == id) {
            return Ok(());
        }
        let base = quote(&found.base);
        let rows = |by: &str, file: &str| {
            format!("for sd_one in \"$sd_part\" {base}/releases/{id}; do echo \"{by}$sd_one\" >>{file}; done\n")
        };
        let lock = authority.lock.map(|lock| rows("$sd_name ", &format!("{}.staged", lock.path()))).unwrap_or_default();
        let part = format!("sd_part={base}/part$sd_name\n");
        let (target, copy) = match authority.sudo {
            None => ("sd_target=$sd_part\n", ""),
            Some(_) => (
                "sd_target=$sd_folder/part\n",
                "sd_as sh -c 'umask 077; cat >\"$1\"' ssh-deploy \"$sd_part\" <\"$sd_folder/part\"; rm -f \"$sd_folder/part\"\n",
            ),
        };
        // Folders that are new go again if nothing is left in them.
        let shared = self.shared_folders(&found.base);
        let folders = format!(
            "{shared}[ -d {base}/releases ] || echo {base}/releases >>\"$sd_folder/empty\"\n[ -d {base} ] || {{ sd_as mkdir {base}; echo {base} >>\"$sd_folder/empty\"; }}\n"
        );
        let note = format!("{part}{folders}{}{lock}{target}", rows("", "\"$sd_folder/remove\""));
        session.ask(&format!("{}{note}", as_user(authority))).await?;
        let mut content = payload.open().map_err(|error| Unready::Lost(error.to_string()))?;
        session.upload(&mut *content).await?;
        let mut words = vec!["unpack", id, &found.method, "$sd_part", &payload.sum, &self.run];
        words.extend(self.shared.iter().map(String::as_str));
        let answer = self.ask(session, authority, &found.base, &words, &format!("{part}{copy}")).await?;
        match answer.as_str() {
            "unpacked" => session
                .ask(&format!("{}{part}sd_as rm -f \"$sd_part\"\n", as_user(authority)))
                .await
                .map(drop)
                .map_err(Unready::from),
            "damaged" => Err(Unready::Damaged(self.base.clone())),
            _ => Err(self.refused(id, &answer)),
        }
    }

    /// Text that notes which shared folders are new, the innermost first.
    fn shared_folders(&self, base: &str) -> String {
        let shared = self.shared.iter().filter(|path| path.ends_with('/'));
        let folders = shared.flat_map(|path| std::path::Path::new(path).ancestors()).map(std::path::Path::display);
        let paths =
            folders.map(|folder| format!("{base}/shared/{folder}")).map(|path| quote(path.trim_end_matches('/')));
        let mut paths: Vec<String> = paths.collect();
        paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
        paths.dedup();
        let note =
            |text: String, path: &String| text + &format!("[ -d {path} ] || echo {path} >>\"$sd_folder/empty\"\n");
        paths.iter().fold(String::new(), note)
    }

    /// Whether the release to go back to is there.
    async fn check_there(
        &self,
        session: &mut impl Session,
        authority: Authority<'_>,
        found: &InstalledReleases,
        id: &str,
    ) -> Result<(), Unready> {
        let there =
            format!("{}sd_as test -d {}/releases/{} && sd_say there\n", as_user(authority), quote(&found.base), id);
        if session.ask(&there).await?.is_empty() {
            return Err(self.refused(id, "absent"));
        }
        match self.ask(session, authority, &found.base, &["status", id, &found.method], "").await?.as_str() {
            // A release that was rolled back from had passed its checks.
            "good" | "left" => Ok(()),
            _ => Err(self.refused(id, "not_good")),
        }
    }

    /// Makes `id` current.
    ///
    /// # Errors
    /// The link could not be replaced.
    pub async fn switch(
        &self,
        session: &mut impl Session,
        authority: Authority<'_>,
        found: &InstalledReleases,
        id: &str,
    ) -> Result<(), Unready> {
        // From now on the release is not ours to remove.
        let keep = format!(
            "grep -v {} <\"$sd_folder/remove\" >\"$sd_folder/kept\"; mv -f \"$sd_folder/kept\" \"$sd_folder/remove\"; true >\"$sd_folder/empty\"\n",
            quote(&format!("/releases/{id}"))
        );
        let forget = authority.lock.map(|lock| format!("rm -f {}.staged\n", lock.path())).unwrap_or_default();
        let answer = self
            .ask(session, authority, &found.base, &["switch", id, &found.method], &format!("{keep}{forget}"))
            .await?;
        if answer == "switched" { Ok(()) } else { Err(self.refused(id, &answer)) }
    }

    /// Marks the release as good, whose checks passed, or as bad; after a good one, removes old ones.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn finish(
        &self,
        session: &mut impl Session,
        authority: Authority<'_>,
        found: &InstalledReleases,
        (id, good): (&str, Good),
    ) -> Result<(), Unready> {
        let status = if good == Good::Yes { "good" } else { "bad" };
        self.ask(session, authority, &found.base, &["mark", id, &found.method, status, &self.run], "").await?;
        let going_back = self.payload.is_none() && good == Good::Yes;
        if let Some(left) = found.current.as_deref().filter(|_| going_back) {
            self.ask(session, authority, &found.base, &["leave", id, &found.method, left, &self.run], "").await?;
        }
        // --keep is an option of deploys: going back removes nothing.
        if good == Good::Yes && self.payload.is_some() {
            let keep = self.keep.to_string();
            let previous = found.good.as_deref().unwrap_or("-");
            self.ask(session, authority, &found.base, &["prune", id, &found.method, &keep, previous], "").await?;
        }
        Ok(())
    }

    fn refused(&self, id: &str, why: &str) -> Unready {
        Unready::Release { base: self.base.clone(), id: id.to_owned(), why: why.to_owned() }
    }

    /// Runs the program: what to do, the release, the method, and what else it needs. `$sd_part` is a path of the host's.
    async fn ask(
        &self,
        session: &mut impl Session,
        authority: Authority<'_>,
        base: &str,
        words: &[&str],
        before: &str,
    ) -> Result<String, Unready> {
        let quoted = |word: &&str| if *word == "$sd_part" { "\"$sd_part\"".to_owned() } else { quote(word) };
        let rest: Vec<String> = words[1..].iter().map(quoted).collect();
        let text = format!(
            "{}{before}sd_program={}\nsd_say release \"$(sd_as sh -c \"$sd_program\" ssh-deploy {} {} {})\"\n",
            as_user(authority),
            quote(&with_sums(RELEASE)),
            words[0],
            quote(base),
            rest.join(" ")
        );
        let answer = session.ask(&text).await?;
        Ok(answer.iter().find_map(|line| line.strip_prefix("release ")).unwrap_or_default().trim().to_owned())
    }
}

/// The program that looks after releases on a host: `sh FILE switch BASE ID METHOD` makes one current, and then prints `switched`.
#[must_use]
pub fn switch_program() -> String {
    with_sums(RELEASE)
}

/// Whether the checks of a release passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Good {
    /// They did.
    Yes,
    /// They did not.
    No,
}

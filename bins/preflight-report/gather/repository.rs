//! The files of the repository, to which the places in reports are made relative.
//!
//! A report names files as its producer saw them: absolute, relative to another folder, or inside a container. A place is
//! of the repository if it is an exact path of a tracked file, or else if its longest suffix of at least two parts belongs to
//! exactly one tracked file. Everything else is shown as it is and never annotated.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use formats::Location;

/// Folders with code of others.
const FOREIGN: [&str; 7] = ["node_modules", "site-packages", "dist-packages", ".cargo", "rustc", "vendor", "GOROOT"];

/// Packages of test frameworks and of the runtime, whose frames are in every stack of Java, Kotlin and Scala.
const LIBRARIES: [&str; 12] = [
    "java/",
    "javax/",
    "jdk/",
    "sun/",
    "kotlin/",
    "scala/",
    "org/junit/",
    "junit/",
    "org/opentest4j/",
    "org/assertj/",
    "org/testng/",
    "org/gradle/",
];

/// The files that belong to the repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repository {
    /// The folders that absolute places begin with: the repository's root, the workspace.
    roots: Vec<String>,
    /// The tracked files by their names; `None` without git.
    tracked: Option<Arc<HashMap<String, Vec<String>>>>,
    /// The current folder, relative to the root.
    here: String,
    /// Whether paths are relative to that folder rather than to the root.
    prefers_here: bool,
    root: Option<PathBuf>,
}

impl Repository {
    /// Asks git which files are tracked. `workspace` is `GITHUB_WORKSPACE`.
    pub(crate) fn find(workspace: Option<&Path>) -> Self {
        let here = std::env::current_dir().ok();
        let root = git_root(here.as_deref(), workspace);
        let tracked = root.and_then(tracked).map(Arc::new);
        let base = root.or(workspace).or(here.as_deref());
        let mut roots: Vec<String> = [base, workspace].into_iter().flatten().map(slashes).collect();
        roots.extend(base.and_then(|base| base.canonicalize().ok()).as_deref().map(slashes));
        roots.dedup();
        let inside = here.as_deref().zip(base).and_then(|(here, base)| here.strip_prefix(base).ok().map(slashes));
        let root = base.map(Path::to_owned);
        Self { roots, tracked, here: inside.unwrap_or_default(), prefers_here: false, root }
    }

    /// The same for a program that runs in `folder`, to which its paths are relative.
    pub(crate) fn seen_from(&self, folder: &Path) -> Self {
        let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let here = self.without_root(&slashes(&absolute));
        Self { here, prefers_here: true, ..self.clone() }
    }

    /// The place to show, and whether it is outside of the repository: the first that belongs to it, else the first that is not
    /// in a dependency. `near` is the folder of the report.
    pub(crate) fn choose(&self, locations: &[Location], near: Option<&Path>) -> Option<(Location, bool)> {
        for location in locations {
            if let Some(path) = self.path(&location.path, near) {
                return Some((Location { path, ..location.clone() }, false));
            }
        }
        let own = locations.iter().find(|location| !is_foreign(&location.path)).or_else(|| locations.first())?;
        // Shown as its producer wrote it, unless it is in a folder of ours.
        let inside = self.without_root(&own.path);
        let path = if inside == own.path.replace('\\', "/") { own.path.clone() } else { inside };
        Some((Location { path, ..own.clone() }, true))
    }

    /// The path of a tracked file.
    fn path(&self, path: &str, near: Option<&Path>) -> Option<String> {
        if is_foreign(path) {
            return None;
        }
        let path = normal(&self.without_root(path))?;
        let beside = normal(&format!("{}/{path}", self.here));
        let Some(tracked) = &self.tracked else {
            // Without git, what is there counts as tracked.
            let root = self.root.as_ref()?;
            let is_relative = !path.starts_with('/') && path.get(1..2) != Some(":");
            return [beside, Some(path)].into_iter().flatten().find(|path| is_relative && root.join(path).is_file());
        };
        let name = path.rsplit('/').next().unwrap_or(&path);
        let candidates = tracked.get(name)?;
        let exact = |wanted: &str| candidates.iter().find(|candidate| candidate.as_str() == wanted).cloned();
        let preferred = beside.as_deref().filter(|_| self.prefers_here).and_then(exact);
        preferred
            .or_else(|| exact(&path))
            .or_else(|| exact(&beside?))
            .or_else(|| self.by_suffix(&path, candidates, near))
    }

    /// The one file with the longest common suffix.
    fn by_suffix(&self, path: &str, candidates: &[String], near: Option<&Path>) -> Option<String> {
        let needed = path.split('/').filter(|part| !part.is_empty()).count().min(2);
        let common = |candidate: &String| {
            candidate
                .rsplit('/')
                .zip(path.rsplit('/'))
                .take_while(|(one, other)| one == other && !one.is_empty())
                .count()
        };
        let most = candidates.iter().map(common).max().filter(|most| *most >= needed)?;
        let best: Vec<&String> = candidates.iter().filter(|candidate| common(candidate) == most).collect();
        if let [one] = best.as_slice() {
            return Some((*one).clone());
        }
        // A tie: the file nearest to the report, if one is nearer than all others.
        let near = normal(&self.without_root(&slashes(near?)))?;
        let shared = |candidate: &&String| {
            candidate.split('/').zip(near.split('/')).take_while(|(one, other)| one == other).count()
        };
        let nearest = best.iter().map(shared).max().filter(|shared| *shared > 0)?;
        let mut nearest = best.iter().filter(|candidate| shared(candidate) == nearest);
        nearest.next().filter(|_| nearest.next().is_none()).map(|path| (**path).clone())
    }

    fn without_root(&self, path: &str) -> String {
        let path = path.replace('\\', "/");
        let inside = self
            .roots
            .iter()
            .filter_map(|root| path.strip_prefix(root.as_str())?.strip_prefix('/'))
            .min_by_key(|path| path.len());
        inside.map_or(path.clone(), str::to_owned)
    }
}

/// The root of the repository that `here`, or else the workspace, is in.
pub(super) fn git_root<'a>(here: Option<&'a Path>, workspace: Option<&'a Path>) -> Option<&'a Path> {
    let start = here.or(workspace);
    let root = start.and_then(|start| start.ancestors().find(|folder| folder.join(".git").exists()));
    root.or_else(|| workspace.filter(|workspace| workspace.join(".git").exists()))
}

fn is_foreign(path: &str) -> bool {
    path.split(['/', '\\']).any(|part| FOREIGN.contains(&part))
        || path.contains("/usr/local/go/src/")
        || path.contains("/lib/python3")
        || LIBRARIES.iter().any(|library| path.starts_with(library))
        || path.starts_with('<')
}

/// The path without `.` and `..`; `None` if it leads out.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let is_absolute = path.starts_with('/');
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    Some(if is_absolute { format!("/{joined}") } else { joined })
}

fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/").trim_end_matches('/').to_owned()
}

/// The tracked files. In a container the workspace belongs to another user, which git refuses unless `safe.directory` names it.
fn tracked(root: &Path) -> Option<HashMap<String, Vec<String>>> {
    let output = Command::new("git")
        .arg("-c")
        .arg(format!("safe.directory={}", root.display()))
        .arg("-C")
        .arg(root)
        .args(["ls-files", "-z"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let mut files: HashMap<String, Vec<String>> = HashMap::new();
    for path in String::from_utf8_lossy(&output.stdout).split('\0').filter(|path| !path.is_empty()) {
        let name = path.rsplit('/').next().unwrap_or(path);
        files.entry(name.to_owned()).or_default().push(path.to_owned());
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;
    use std::sync::Arc;

    use formats::Location;

    use super::Repository;

    fn repository(files: &[&str]) -> Repository {
        let mut tracked: HashMap<String, Vec<String>> = HashMap::new();
        for file in files {
            tracked.entry(file.rsplit('/').next().unwrap().to_owned()).or_default().push((*file).to_owned());
        }
        let (roots, tracked) = (vec!["/w/shop".to_owned()], Some(Arc::new(tracked)));
        Repository { roots, tracked, here: "web".to_owned(), prefers_here: false, root: None }
    }

    fn chosen(repository: &Repository, paths: &[&str], near: &str) -> (String, bool) {
        let locations: Vec<_> = paths.iter().filter_map(|path| Location::new(*path, Some(3), None)).collect();
        let (location, outside) = repository.choose(&locations, Some(Path::new(near))).unwrap();
        (location.path, outside)
    }

    #[test]
    fn places_are_made_relative_and_only_one_file_may_match() {
        let repository = repository(&["web/src/a.ts", "api/src/a.ts", "src/main/java/com/acme/Cart.java", "b.py"]);
        for (path, near, found) in [
            ("/w/shop/api/src/a.ts", "", ("api/src/a.ts", false)),
            ("src/a.ts", "", ("web/src/a.ts", false)),
            ("/github/workspace/api/src/a.ts", "", ("api/src/a.ts", false)),
            ("com/acme/Cart.java", "", ("src/main/java/com/acme/Cart.java", false)),
            ("/other/src/a.ts", "", ("/other/src/a.ts", true)),
            ("/other/src/a.ts", "/w/shop/api/junit.xml", ("api/src/a.ts", false)),
            ("b.py", "", ("b.py", false)),
            ("/elsewhere/b.py", "", ("/elsewhere/b.py", true)),
            ("Cart.java", "", ("src/main/java/com/acme/Cart.java", false)),
            ("/w/shop/node_modules/x/src/a.ts", "", ("node_modules/x/src/a.ts", true)),
            ("../../etc/passwd", "", ("../../etc/passwd", true)),
        ] {
            assert_eq!(chosen(&repository, &[path], near), (found.0.to_owned(), found.1), "{path}");
        }
    }

    #[test]
    fn a_program_that_runs_in_a_folder_means_the_file_there() {
        let repository = repository(&["src/a.ts", "api/src/a.ts"]);
        assert_eq!(chosen(&repository, &["src/a.ts"], "").0, "src/a.ts");
        assert_eq!(chosen(&repository.seen_from(Path::new("/w/shop/api")), &["src/a.ts"], "").0, "api/src/a.ts");
    }

    #[test]
    fn the_first_place_in_the_repository_wins_then_the_first_that_is_not_foreign() {
        let repository = repository(&["web/src/a.ts"]);
        assert_eq!(chosen(&repository, &["/x/lib.js", "src/a.ts"], ""), ("web/src/a.ts".to_owned(), false));
        assert_eq!(chosen(&repository, &["/x/node_modules/l.js", "/x/lib.js"], ""), ("/x/lib.js".to_owned(), true));
    }
}

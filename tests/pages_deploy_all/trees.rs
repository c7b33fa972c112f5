//! Generated sites: whatever is in one, ours sends what real wrangler sends.
//!
//! `PAGES_TREES=100` tries so many, `PAGES_TREES_SEED=7` begins at that one; a failure names its seed and what was in the site.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::arrived::{Arrived, Field, both, commit, git};

/// Names of folders, with those that wrangler ignores more than once.
const FOLDERS: [&str; 26] = [
    "a",
    "B",
    "sub",
    "with space",
    "caf\u{e9}",
    "cafe\u{301}",
    "%41",
    "a%2fb",
    "#hash",
    "q?x",
    ".hidden",
    ".well-known",
    "functions",
    "Functions",
    "node_modules",
    "node_modules",
    ".git",
    ".wrangler",
    ".DS_Store",
    "_worker.js",
    "dot.dir",
    "\u{65e5}\u{672c}",
    "\u{1f600}",
    "..x",
    "quote\"'`",
    "back\\slash",
];

/// Files' names before their extension.
const STEMS: [&str; 26] = [
    "index",
    "404",
    "a",
    "A",
    "x y",
    "",
    ".",
    "-dash",
    "~tilde",
    "na\u{ef}ve",
    "nai\u{308}ve",
    "\u{fc}\u{df}",
    "%",
    "%zz",
    "100%25",
    "#",
    "?q=1",
    "a&b;c,d",
    "<b>",
    "$HOME",
    "[id]",
    "{x}",
    "*",
    "new\nline",
    "html",
    "\u{2028}sep",
];

/// Names that are not assets somewhere, as files.
const SPECIAL: [&str; 10] = [
    "_headers",
    "_redirects",
    "_routes.json",
    "functions",
    ".wrangler",
    ".DS_Store",
    "node_modules",
    ".git",
    ".assetsignore",
    "_worker.js.map",
];

const EXTENSIONS: [&str; 24] = [
    "",
    "",
    ".html",
    ".HTML",
    ".css",
    ".JS",
    ".mjs",
    ".ts",
    ".tar.gz",
    ".wasm",
    ".unknown",
    ".",
    ".\u{e9}",
    ".PNG",
    ".Png",
    ".json",
    ".map",
    ".webmanifest",
    ".svg",
    ".txt",
    ".\u{130}",
    ".c++",
    ". ",
    ".a b",
];

const MESSAGES: [&str; 5] =
    ["x", "Subject\n\nBody\n", "\u{fc}\u{1f600} crlf\r\nend", "tab\t\"quotes\" --x", "  spaces  "];

const RULES: [&[u8]; 5] =
    [b"/*\n  X-A: b\n", b"\xef\xbb\xbf/a /b 301\r\n", b"", b"bad \xff\xfe bytes", b"\n\n# only a comment"];

const CONFIG: &str = "name = \"other\"\npages_build_output_dir = \"./dist\"\ncompatibility_date = \"2026-01-01\"\n";

const ENVIRONMENTS: [&str; 5] = [
    "",
    "vars = { A = \"b\", C = { x = [1, true] }, D = 5 }\n",
    "vars = { A = \"b\" }\n[env.production]\nvars = { A = \"p\" }\ncompatibility_flags = [\"nodejs_compat\"]\n",
    "kv_namespaces = [{ binding = \"K\", id = \"1\" }]\n[env.preview]\nkv_namespaces = [{ binding = \"K\", id = \"2\" }]\n",
    "compatibility_flags = [\"nodejs_compat\"]\nplacement = { mode = \"smart\" }\n[env.production]\n[env.preview.vars]\nX = \"y\"\n",
];

/// Numbers that a seed decides (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A site under construction.
struct Site {
    root: tempfile::TempDir,
    outside: tempfile::TempDir,
    dist: PathBuf,
    dice: Dice,
    contents: Vec<Vec<u8>>,
    /// What was put into it, for the one who reads a failure.
    story: Vec<String>,
    theirs: Vec<String>,
    ours: Vec<String>,
}

impl Site {
    fn of(seed: u64) -> Self {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dist = root.path().join("sites/site/dist");
        fs::create_dir_all(&dist).unwrap();
        let (contents, story) = (vec![b"same".to_vec()], Vec::new());
        let (theirs, ours) = (Vec::new(), Vec::new());
        let mut site = Self { root, outside, dist, dice: Dice(seed), contents, story, theirs, ours };
        for _ in 0..=site.dice.below(45) {
            site.file();
        }
        for _ in 0..site.dice.below(6) {
            site.link();
        }
        site.put("index.html", b"<h1>x</h1>");
        site.rules();
        site.code();
        site.origin();
        site
    }

    fn content(&mut self) -> Vec<u8> {
        if self.dice.one_in(3) {
            let at = self.dice.below(self.contents.len());
            return self.contents[at].clone();
        }
        // The lengths around base64's groups and around one read.
        let length = [0, 1, 2, 3, 4, 100, 5_000, 196_607, 196_608, 196_609, 400_000];
        let length = self.dice.pick(&length);
        let mut content = Vec::with_capacity(length + 8);
        while content.len() < length {
            content.extend(self.dice.roll().to_le_bytes());
        }
        content.truncate(length);
        self.contents.push(content.clone());
        content
    }

    fn folder(&mut self) -> String {
        (0..self.dice.below(4)).flat_map(|_| [self.dice.pick(&FOLDERS), "/"]).collect()
    }

    fn name(&mut self) -> String {
        if self.dice.one_in(6) {
            return self.dice.pick(&SPECIAL).to_owned();
        }
        let long = if self.dice.one_in(30) { "l".repeat(180) } else { String::new() };
        let name = format!("{}{long}{}", self.dice.pick(&STEMS), self.dice.pick(&EXTENSIONS));
        // Only these are no names.
        if matches!(name.as_str(), "" | "." | "..") { "plain".to_owned() } else { name }
    }

    fn file(&mut self) {
        let name = format!("{}{}", self.folder(), self.name());
        if !is_rule_or_code(&name) {
            let content = self.content();
            self.put(&name, &content);
        }
    }

    fn put(&mut self, path: &str, content: &[u8]) {
        let file = self.dist.join(path);
        // A file may stand where a folder is wanted: then there is one file less.
        if fs::create_dir_all(file.parent().unwrap()).is_ok() && fs::write(&file, content).is_ok() {
            self.story.push(format!("{path:?} ({} bytes)", content.len()));
        }
    }

    fn link(&mut self) {
        let name = format!("{}{}", self.folder(), self.name());
        let link = self.dist.join(&name);
        let far = self.outside.path().join("far.css");
        let target = match self.dice.below(4) {
            0 => {
                fs::write(&far, "far").unwrap();
                far
            }
            1 => {
                fs::write(&far, "far").unwrap();
                self.outside.path().to_owned()
            }
            2 => self.dist.join("index.html"),
            _ => {
                let folder = self.root.path().join("sites/site/shared");
                fs::create_dir_all(folder.join("node_modules")).unwrap();
                fs::write(folder.join("s.css"), "shared").unwrap();
                fs::write(folder.join("node_modules/n.js"), "ignored, or not").unwrap();
                folder
            }
        };
        if !is_rule_or_code(&name)
            && fs::create_dir_all(link.parent().unwrap()).is_ok()
            && symlink(&target, &link).is_ok()
        {
            self.story.push(format!("{name:?} -> {}", target.display()));
        }
    }

    fn rules(&mut self) {
        for name in ["_headers", "_redirects"] {
            if self.dice.one_in(2) {
                let rules = self.dice.pick(&RULES);
                self.put(name, rules);
            }
        }
    }

    fn code(&mut self) {
        let routes = br#"{"version":1,"include":["/api/*"],"exclude":["/api/static/*"]}"#;
        if self.dice.one_in(2) {
            self.put("_routes.json", routes);
        }
        match self.dice.below(6) {
            0 => {
                self.put("_worker.js", b"export default { fetch() { return new Response('hi'); } };\n");
                self.theirs.push("--no-bundle".to_owned());
            }
            1 => {
                self.put("_worker.js/index.js", b"export default { fetch() { return new Response('hi'); } };\n");
                self.put("_worker.js/lib/a b.mjs", b"export default 1;\n");
                self.put("_worker.js/w.wasm", b"\0asm\x01\0\0\0");
                self.put("_worker.js/t.txt", b"text");
                self.put("_worker.js/ignored.css", b"no module");
                self.theirs.push("--no-bundle".to_owned());
            }
            2 => {
                let function = self.root.path().join("sites/site/functions/api/[id].js");
                fs::create_dir_all(function.parent().unwrap()).unwrap();
                fs::write(function, "export const onRequestGet = (it) => new Response(it.params.id);").unwrap();
                self.story.push("functions/api/[id].js beside the output".to_owned());
            }
            _ => {}
        }
    }

    fn origin(&mut self) {
        if self.dice.one_in(3) {
            let config = format!("{CONFIG}{}", self.dice.pick(&ENVIRONMENTS));
            fs::write(self.root.path().join("sites/site/wrangler.toml"), &config).unwrap();
            self.story.push(format!("wrangler.toml {config:?}"));
        }
        let folder = self.root.path().to_owned();
        git(&folder, &["init", "-q", "-b", "work"]);
        fs::write(folder.join(".git/info/exclude"), "sites\n").unwrap();
        let message = format!("{}{}", self.dice.pick(&MESSAGES), "\u{e9}".repeat(self.dice.below(2) * 300));
        commit(&folder, &message);
        if self.dice.one_in(2) {
            fs::write(folder.join("untracked"), "").unwrap();
        }
        let branch = self.dice.pick(&["main", "work", "feature/x", "\u{fc}n\u{ef}", "-x", "A B"]);
        for arguments in [&mut self.theirs, &mut self.ours] {
            arguments.push(format!("--branch={branch}"));
        }
        self.story.push(format!("branch {branch:?}, message {message:?}"));
    }
}

/// The root's own `_headers`, `_worker.js` and so on, which [`Site::rules`] and [`Site::code`] write.
fn is_rule_or_code(path: &str) -> bool {
    path.starts_with('_')
}

/// `_worker.bundle` has a boundary, and often a module's name, that cannot be predicted: its parts are compared instead.
fn plain(arrived: &Arrived) -> Vec<&Field> {
    arrived.fields.iter().filter(|field| field.name != "_worker.bundle").collect()
}

/// The bundle's metadata without the main module's name, and every module but the main one.
fn bundle(arrived: &Arrived) -> (serde_json::Value, BTreeSet<(String, Vec<u8>)>) {
    let Some(((_, metadata), modules)) = arrived.bundle.split_first() else { return Default::default() };
    let mut metadata: serde_json::Value = serde_json::from_slice(metadata).unwrap();
    let main = metadata["main_module"].take();
    let is_main = |name: &str| main == name || name == "index.js";
    (metadata, modules.iter().filter(|(name, _)| !is_main(name)).cloned().collect())
}

fn compare(theirs: &Arrived, ours: &Arrived) {
    assert_eq!(ours.manifest, theirs.manifest);
    assert_eq!(ours.asked, theirs.asked);
    assert_eq!(ours.kept, theirs.kept);
    assert_eq!(plain(ours), plain(theirs));
    let names = |arrived: &Arrived| arrived.fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs));
    assert_eq!(bundle(ours), bundle(theirs));
    assert_eq!(ours.uploads.keys().collect::<Vec<_>>(), theirs.uploads.keys().collect::<Vec<_>>());
    for (key, items) in &ours.uploads {
        // wrangler sends equal files again and again; where their types differ, the first to arrive decides. Ours sends one.
        assert!(items.len() == 1 && items.is_subset(&theirs.uploads[key]), "{items:?} {:?}", theirs.uploads[key]);
    }
}

#[expect(clippy::disallowed_methods, reason = "how much is tried by hand")]
pub(super) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

#[test]
fn whatever_is_in_a_site_arrives_as_wrangler_sends_it() {
    let first = number("PAGES_TREES_SEED", 1);
    for seed in first..first + number("PAGES_TREES", 3) {
        let site = Site::of(seed);
        eprintln!("PAGES_TREES=1 PAGES_TREES_SEED={seed}: {:#?}", site.story);
        let Some((theirs, ours)) = both(site.root.path(), &site.theirs, &site.ours) else { return };
        compare(&theirs, &ours);
    }
}

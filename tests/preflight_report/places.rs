//! Places in a repository: relative to it, of one file only, never outside.

use crate::support::{Seen, Step};

fn in_repository(arguments: &str, before: &str) -> Seen {
    let script = format!(
        "git init -q repo; cd repo; mkdir -p web/src api/src; touch web/src/cart.ts api/src/cart.ts api/src/only.ts; git add .; \
         {before} cd web; preflight-report --format json {arguments} || true"
    );
    Step::script(&script)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .file("exact.txt", "src/cart.ts(3,4): error TS1: beside\n")
        .file("other.txt", "/builds/x/api/src/cart.ts(3,4): error TS1: elsewhere\n")
        .file("look-alike.txt", "/builds/src/cart.ts(3,4): error TS1: two files match\n")
        .file("modules.txt", "/builds/node_modules/x/src/only.ts(3,4): error TS1: foreign\n")
        .run()
        .exits(0)
}

fn place(seen: &Seen) -> (String, bool) {
    let finding = seen.json()["stages"][0]["checks"][0]["findings"][0].clone();
    (finding["path"].as_str().unwrap().to_owned(), finding["outside"].as_bool().unwrap_or(false))
}

#[test]
fn a_place_is_of_the_repository_if_exactly_one_tracked_file_fits() {
    for (file, path, outside) in [
        ("exact", "web/src/cart.ts", false),
        ("other", "api/src/cart.ts", false),
        ("look-alike", "/builds/src/cart.ts", true),
        ("modules", "/builds/node_modules/x/src/only.ts", true),
    ] {
        let seen = in_repository(&format!("../../{file}.txt"), "");
        assert_eq!(place(&seen), (path.to_owned(), outside), "{file}");
        let annotated = seen.annotations.iter().any(|annotation| annotation.file.is_some());
        assert_eq!(annotated, !outside, "{file}: {}", seen.stderr);
    }
}

#[test]
fn a_repository_of_another_user_is_read_all_the_same() {
    // As in a container whose workspace belongs to the host's user. Only root can make one.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let seen = in_repository("../../other.txt", "chown -R 12345 .;");
    assert_eq!(place(&seen), ("api/src/cart.ts".to_owned(), false));
}

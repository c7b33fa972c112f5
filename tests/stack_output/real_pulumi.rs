//! Stores that the real Pulumi wrote, read as its user does: in the project's folder, with its passphrase.

use std::fs;

use crate::support::Step;

#[test]
fn a_store_of_the_real_pulumi_is_printed_as_it_prints_it() {
    for case in ["gzip", "zstd", "legacy", "emptyphrase", "unicodephrase"] {
        let folder = super::fixtures().join("real/pulumi").join(case);
        let file = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let step = |arguments: &[&str]| {
            let step = Step::new("stack-output").args(["--cwd", &folder.join("project").display().to_string()]);
            let store = format!("file://{}", folder.join("store").display());
            step.args(["-s", "dev", "--backend", &store]).args(arguments).plain()
        };
        let shown = |format: &str| {
            step(&["--show-secrets", "--format", format])
                .env("PULUMI_CONFIG_PASSPHRASE", file("passphrase").trim_end_matches('\n'))
        };
        assert_eq!(shown("json").run().exits(0).stdout, file("shown.json"), "{case}");
        assert_eq!(step(&["servers[*].ip", "--format", "lines"]).run().exits(0).stdout, "203.0.113.7\n203.0.113.8\n");
        step(&["db_password"]).run().exits(77);
    }
}

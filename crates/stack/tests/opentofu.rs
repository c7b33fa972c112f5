//! States that the real OpenTofu encrypted, and the ways in which their keys are handed over.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test, as its functions do")]

use std::path::{Path, PathBuf};

use fault::{Fault, Kind, Result};
use proptest::prelude::*;
use stack::print::json::all;
use stack::terraform::configuration::Configuration;
use stack::terraform::encryption::{Decrypted, EncryptedState, Encryption, Method, VARIABLE};
use stack::{Decryption, Outputs, StackDocument, source};

/// The passphrase of nearly all states.
const PASSPHRASE: &str = "correct-horse-battery-staple";

fn fixture(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real/opentofu").join(case)
}

fn text(case: &str, file: &str) -> String {
    std::fs::read_to_string(fixture(case).join(file)).unwrap()
}

fn encrypted(case: &str) -> EncryptedState {
    EncryptedState::read(text(case, "terraform.tfstate").as_bytes()).unwrap()
}

fn outputs(state: &[u8]) -> Outputs {
    match source::stream(state, "it", Decryption::NotNeeded).unwrap() {
        StackDocument::Outputs(outputs) => outputs,
        StackDocument::Encrypted(_) => panic!("it is still encrypted"),
    }
}

/// As `tofu output -json` prints them.
fn printed(outputs: &Outputs) -> String {
    let revealed: Vec<_> = outputs
        .named
        .iter()
        .map(|(name, output)| {
            (name.clone(), output.with(output.value.clone().revealed().0), output.value.holds_secret())
        })
        .collect();
    let named = revealed.iter().map(|(name, output, is_secret)| (name.clone(), (output, *is_secret))).collect();
    all(&named, outputs.dialect) + "\n"
}

/// What an encrypted state is opened with: files of the project, and variables.
fn encryption(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Option<Encryption>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let configuration = Configuration::find(folder.path())?;
    Encryption::read(configuration.as_ref(), folder.path(), environment)
}

fn opened(case: &str, files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Vec<u8>> {
    let encryption = encryption(files, environment)?.ok_or_else(|| Fault::usage("there is no block"))?;
    match encrypted(case).decrypt(&encryption.methods()?)? {
        Decrypted::State(state) => Ok(state),
        Decrypted::Unsupported(fault) => Err(fault),
    }
}

#[test]
fn every_state_of_the_real_opentofu_opens_with_its_configuration_and_prints_as_it_prints() {
    let mut read = 0;
    for case in std::fs::read_dir(fixture("")).unwrap() {
        let case = case.unwrap().file_name().into_string().unwrap();
        let state = match case.as_str() {
            "plain" => text(&case, "terraform.tfstate").into_bytes(),
            "env" => opened(&case, &[], &[(VARIABLE, HCL)]).unwrap(),
            _ => opened(&case, &[("encryption.tf", &text(&case, "encryption.tf"))], &[]).unwrap(),
        };
        assert_eq!(printed(&outputs(&state)), text(&case, "expected.json"), "{case}");
        read += 1;
    }
    assert_eq!(read, 15);
}

#[test]
fn the_passphrase_alone_opens_a_state_of_any_key_providers() {
    for case in ["alias", "chained", "key24", "sha256", "unicode"] {
        let passphrase = text(case, "passphrase").trim_end_matches('\n').into();
        let method = Method::Passphrase { passphrase, aads: [].into() };
        let Decrypted::State(state) = encrypted(case).decrypt(&[method]).unwrap() else { panic!("{case}") };
        assert_eq!(printed(&outputs(&state)), text(case, "expected.json"), "{case}");
    }
}

#[test]
fn additional_data_comes_from_the_configuration_and_is_named_without_it() {
    let method = |aads| [Method::Passphrase { passphrase: PASSPHRASE.into(), aads }];
    let fault = encrypted("aad").decrypt(&method([].into())).unwrap_err();
    assert_eq!(fault.kind, Kind::Permission);
    assert!(fault.causes[0].contains("`aad`"), "{fault:?}");
    let block = text("aad", "encryption.tf").replace(PASSPHRASE, "not-the-passphrase-of-it");
    let configured = encryption(&[("main.tofu", &block)], &[]).unwrap().unwrap();
    assert!(matches!(encrypted("aad").decrypt(&method(configured.aads())).unwrap(), Decrypted::State(_)));
}

const HCL: &str = r#"
key_provider "pbkdf2" "my" {
  passphrase = "correct-horse-battery-staple"
}
method "aes_gcm" "m" {
  keys = key_provider.pbkdf2.my
}
state {
  method = method.aes_gcm.m
}"#;

const JSON: &str = r#"{
  "key_provider": {"pbkdf2": {"my": {"passphrase": "correct-horse-battery-staple"}}},
  "method": {"aes_gcm": {"m": {"keys": "key_provider.pbkdf2.my"}}},
  "state": {"method": "method.aes_gcm.m"}
}"#;

#[test]
fn the_variable_is_hcl_or_json_with_bare_or_interpolated_references() {
    let interpolated = JSON
        .replace("\"key_provider.pbkdf2.my\"", "\"${key_provider.pbkdf2.my}\"")
        .replace("\"method.aes_gcm.m\"", "\"${method.aes_gcm.m}\"");
    let list = JSON.replace("{\"my\": ", "[{\"my\": ").replace("staple\"}}}", "staple\"}}]}");
    for block in [HCL, JSON, &interpolated, &list, &format!("\n {JSON}\n")] {
        opened("iterations", &[], &[(VARIABLE, block)]).unwrap_or_else(|fault| panic!("{fault:?}: {block}"));
    }
}

#[test]
fn the_variable_overrides_the_configuration_block_by_block() {
    let wrong = text("iterations", "encryption.tf").replace(PASSPHRASE, "not-the-passphrase-of-it");
    let files = [("encryption.tf", wrong.as_str())];
    assert_eq!(opened("iterations", &files, &[]).unwrap_err().kind, Kind::Permission);
    let provider = r#"key_provider "pbkdf2" "my" { passphrase = "correct-horse-battery-staple" }"#;
    opened("iterations", &files, &[(VARIABLE, provider)]).unwrap();
    // An attribute that the variable leaves out stays.
    let alias = text("alias", "encryption.tf").replace(PASSPHRASE, "not-the-passphrase-of-it");
    opened("alias", &[("encryption.tf", &alias)], &[(VARIABLE, provider)]).unwrap();
    let other = r#"
        key_provider "pbkdf2" "other" { passphrase = "correct-horse-battery-staple" }
        method "aes_gcm" "m" { keys = key_provider.pbkdf2.other }"#;
    opened("iterations", &files, &[(VARIABLE, other)]).unwrap();
    for (block, expected) in [("state { enforced = true }", true), ("", false)] {
        let encryption = encryption(&files, &[(VARIABLE, block)]).unwrap().unwrap();
        assert_eq!(encryption.is_enforced().unwrap(), expected);
    }
    let enforced =
        encryption(&[("e.tf", &text("enforced", "encryption.tf"))], &[(VARIABLE, "state { enforced = false }")]);
    assert!(enforced.unwrap().unwrap().is_enforced().unwrap());
}

#[test]
fn a_fallback_is_tried_after_the_method() {
    let block = |fallback: &str| {
        format!(
            r#"key_provider "pbkdf2" "new" {{ passphrase = "a-new-passphrase-of-some-length" }}
            key_provider "pbkdf2" "my" {{ passphrase = "{PASSPHRASE}" }}
            method "aes_gcm" "n" {{ keys = key_provider.pbkdf2.new }}
            method "aes_gcm" "m" {{ keys = key_provider.pbkdf2.my }}
            method "unencrypted" "u" {{}}
            state {{
              method = method.aes_gcm.n
              {fallback}
            }}"#
        )
    };
    opened("iterations", &[], &[(VARIABLE, &block("fallback { method = method.aes_gcm.m }"))]).unwrap();
    let nested = "fallback {\n method = method.unencrypted.u\n fallback { method = method.aes_gcm.m }\n}";
    opened("iterations", &[], &[(VARIABLE, &block(nested))]).unwrap();
    let json = r#"{"key_provider":{"pbkdf2":{"n":{"passphrase":"a-new-passphrase-of-some-length"},"my":{"passphrase":"correct-horse-battery-staple"}}},
        "method":{"aes_gcm":{"n":{"keys":"key_provider.pbkdf2.n"},"m":{"keys":"key_provider.pbkdf2.my"}},"unencrypted":{"u":{}}},
        "state":{"method":"method.aes_gcm.n","fallback":{"method":"method.unencrypted.u","fallback":{"method":"method.aes_gcm.m"}}}}"#;
    opened("iterations", &[], &[(VARIABLE, json)]).unwrap();
    for block in [block(""), block("fallback { method = method.unencrypted.u }")] {
        assert_eq!(opened("iterations", &[], &[(VARIABLE, &block)]).unwrap_err().kind, Kind::Permission);
    }
}

/// Files with their texts, or variables with their values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A configuration whose passphrase is the expression `passphrase`.
fn configured(passphrase: &str) -> String {
    format!(
        "variable \"pass\" {{}}\nterraform {{\nencryption {{\n{}\n}}\n}}\n",
        HCL.replace(&format!("\"{PASSPHRASE}\""), passphrase)
    )
}

#[test]
fn a_variable_of_the_passphrase_has_the_value_that_opentofu_gives_it() {
    let wrong = "not-the-passphrase-of-it";
    let value = |passphrase: &str| format!("pass = \"{passphrase}\"\n");
    let json = format!("{{\"pass\":\"{PASSPHRASE}\"}}");
    let (right, other) = (value(PASSPHRASE), value(wrong));
    let default = configured("var.pass")
        .replace("variable \"pass\" {}", &format!("variable \"pass\" {{ default = \"{PASSPHRASE}\" }}"));
    let main = configured("var.pass");
    let environment: &[(&str, &str)] = &[("TF_VAR_pass", PASSPHRASE)];
    let wrong_environment: &[(&str, &str)] = &[("TF_VAR_pass", wrong)];
    let cases: [(Pairs<'_>, Pairs<'_>); 7] = [
        (&[("main.tf", &main)], environment),
        (&[("main.tf", &default)], &[]),
        (&[("main.tf", &main), ("terraform.tfvars", &right)], wrong_environment),
        (&[("main.tf", &main), ("terraform.tfvars", &other), ("terraform.tfvars.json", &json)], &[]),
        (&[("main.tf", &main), ("terraform.tfvars", &other), ("x.auto.tfvars", &right)], &[]),
        (&[("main.tf", &main), ("a.auto.tfvars", &other), ("b.auto.tfvars.json", &json)], &[]),
        (&[("main.tf", &default)], environment),
    ];
    for (at, (files, environment)) in cases.into_iter().enumerate() {
        opened("iterations", files, environment).unwrap_or_else(|fault| panic!("case {at}: {fault:?}"));
    }
    let local = configured("local.pass")
        + "locals {\n  half = \"horse-battery\"\n  pass = \"correct-${local.half}-staple\"\n}\n";
    opened("iterations", &[("main.tf", &local)], &[]).unwrap();
    let object = configured("var.keys.state");
    opened("iterations", &[("main.tf", &object)], &[("TF_VAR_keys", &format!("{{ state = \"{PASSPHRASE}\" }}"))])
        .unwrap();
    let aad = text("aad", "encryption.tf").replace("[1,2,3]", "var.aad");
    opened("aad", &[("main.tf", &aad)], &[("TF_VAR_aad", "[1, 2, 3]")]).unwrap();
}

#[test]
fn a_broken_file_of_values_is_named_and_its_text_is_not_repeated() {
    let main = configured("var.pass");
    for (name, text) in [
        ("terraform.tfvars", "pass = \"hunter2hunter2hunter2\" hunter2\n"),
        ("terraform.tfvars", "pass = hunter2hunter2hunter2\n"),
        ("x.auto.tfvars", "pass = \"hunter2hunter2hunter2\nother = 1\n}"),
        ("terraform.tfvars.json", "{\"pass\": \"hunter2hunter2hunter2\""),
        ("x.auto.tfvars.json", "[\"hunter2hunter2hunter2\"]"),
    ] {
        let fault = opened("iterations", &[("main.tf", &main), (name, text)], &[]).unwrap_err();
        let shown = format!("{fault:?}");
        assert_eq!(fault.kind, Kind::Usage, "{name}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains(name) || text.starts_with("pass = hunter2"), "{shown}");
    }
}

#[test]
fn a_variable_without_a_value_is_named_and_a_circle_ends() {
    let fault = opened("iterations", &[("main.tf", &configured("var.pass"))], &[]).unwrap_err();
    assert_eq!(fault.kind, Kind::Usage);
    let shown = format!("{fault:?}");
    assert!(shown.contains("`pass` has no value") && shown.contains("TF_VAR_pass"), "{shown}");
    let circle = configured("local.a") + "locals {\n  a = local.b\n  b = \"${local.a}x\"\n}\n";
    assert_eq!(opened("iterations", &[("main.tf", &circle)], &[]).unwrap_err().kind, Kind::Usage);
    let chain = r#"key_provider "pbkdf2" "my" { chain = key_provider.pbkdf2.my }
        method "aes_gcm" "m" { keys = key_provider.pbkdf2.my }
        state { method = method.aes_gcm.m }"#;
    assert_eq!(opened("iterations", &[], &[(VARIABLE, chain)]).unwrap_err().kind, Kind::Usage);
}

#[test]
fn a_broken_variable_is_refused_and_its_text_is_not_repeated() {
    let secret = "hunter2hunter2hunter2";
    for broken in [
        secret.to_owned(),
        format!("{{\"key_provider\": \"{secret}\"}}"),
        format!("{{\"key_provider\": {{\"pbkdf2\": {{\"my\": {{\"passphrase\": \"{secret}\"}}}}}}"),
        format!("{secret} {{}}"),
        format!("passphrase = \"{secret}\""),
        format!("terraform {{ encryption {{ key_provider \"pbkdf2\" \"my\" {{ passphrase = \"{secret}\" }} }} }}"),
        HCL.replace(&format!("\"{PASSPHRASE}\""), &format!("\"{secret}\" {secret}")),
        HCL.replace(&format!("\"{PASSPHRASE}\""), secret),
        HCL.replace(&format!("\"{PASSPHRASE}\""), &format!("file(\"{secret}\")")),
        HCL.replace("state {", &format!("state {{\n {secret} = 1")),
        HCL.replace("key_provider.pbkdf2.my", &format!("\"{secret}\"")),
        HCL.replace("method = method.aes_gcm.m", &format!("method = \"{secret}\"")),
        HCL.replace("method = method.aes_gcm.m", ""),
        HCL.replace("method.aes_gcm.m", "method.aes_gcm.other"),
    ] {
        let fault = opened("iterations", &[], &[(VARIABLE, &broken)]).unwrap_err();
        assert_eq!(fault.kind, Kind::Usage, "{broken}");
        assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
    }
    assert!(encryption(&[], &[(VARIABLE, " \n")]).unwrap().is_none());
}

#[test]
fn what_only_opentofu_decrypts_is_named() {
    let state = r#"{"serial":1,"lineage":"l","meta":{"key_provider.aws_kms.k":"eyJjaXBoZXJ0ZXh0X2Jsb2IiOiJ4In0="},
        "encrypted_data":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA","encryption_version":"v0"}"#;
    let state = EncryptedState::read(state.as_bytes()).unwrap();
    assert!(state.unsupported().unwrap().causes[0].contains("key_provider.aws_kms.k"));
    let kms = HCL.replace("pbkdf2", "aws_kms");
    let external = HCL.replace("aes_gcm", "external");
    for (block, name) in [(&kms, "the key provider `aws_kms`"), (&external, "the method `external`")] {
        let methods = encryption(&[], &[(VARIABLE, block)]).unwrap().unwrap().methods().unwrap();
        let Decrypted::Unsupported(fault) = state.decrypt(&methods).unwrap() else { panic!("decrypted") };
        assert!(fault.causes[0].contains(name) && fault.help.unwrap().contains("tofu output"), "{name}");
    }
}

#[test]
fn metadata_that_would_take_hours_is_refused() {
    use base64::Engine as _;
    let text = |iterations: u64, key_length: u64| {
        let meta = format!(
            r#"{{"salt":"AAAA","iterations":{iterations},"hash_function":"sha512","key_length":{key_length}}}"#
        );
        let meta = base64::engine::general_purpose::STANDARD.encode(meta);
        format!(
            r#"{{"meta":{{"k":"{meta}"}},"encrypted_data":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA","encryption_version":"v0"}}"#
        )
    };
    let method = || Method::Passphrase { passphrase: PASSPHRASE.into(), aads: [].into() };
    for (iterations, key_length) in [(4_000_000_000, 32), (2_000_000, 4096)] {
        let state = EncryptedState::read(text(iterations, key_length).as_bytes()).unwrap();
        assert_eq!(state.decrypt(&[method()]).unwrap_err().kind, Kind::Usage);
    }
    for (iterations, key_length) in [(0, 32), (1 << 40, 32), (1, 0), (1, 1 << 30)] {
        assert_eq!(EncryptedState::read(text(iterations, key_length).as_bytes()).unwrap_err().kind, Kind::Usage);
    }
}

#[test]
fn deep_nesting_is_refused_or_read_but_never_overflows_the_stack() {
    for (open, inner, close) in [
        ("[", "", "]"),
        ("{ a = ", "1", "}"),
        ("(", "1", ")"),
        ("\"${", "1", "}\""),
        ("!", "true", ""),
        ("-", "1", ""),
        ("true ? 1 : ", "1", ""),
        ("1 + ", "1", ""),
        ("f(", "1", ")"),
        ("[for x in ", "[]", ": x]"),
        ("a", "", "[0]"),
    ] {
        let deep = format!(
            "key_provider \"pbkdf2\" \"my\" {{\n passphrase = {}{inner}{}\n}}",
            open.repeat(50_000),
            close.repeat(50_000)
        );
        // Whether it is read or refused does not matter.
        let _ = encryption(&[], &[(VARIABLE, &deep)]).map(|encryption| encryption.unwrap().aads());
    }
    let blocks = format!("{}{}", "state {\n".repeat(50_000), "}\n".repeat(50_000));
    assert!(encryption(&[], &[(VARIABLE, &blocks)]).is_err());
    let json = format!("{}{}", "{\"state\":".repeat(50_000), "}".repeat(50_000));
    assert!(encryption(&[], &[(VARIABLE, &json)]).is_err());
    let template = format!(
        "{{\"key_provider\":{{\"pbkdf2\":{{\"my\":{{\"passphrase\":\"{}{}\"}}}}}}}}",
        "${".repeat(50_000),
        "}".repeat(50_000)
    );
    let _ = encryption(&[], &[(VARIABLE, &template)]);
}

/// What replaces a piece of a block.
const PIECES: [&str; 16] =
    ["", "{", "}", "\"", "${", "[", "]", "=", "\n", ".", "<<EOT\n", "\\", "\u{feff}", "hunter2hunter2", "\0", "/*"];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_broken_block_never_panics_and_never_shows_a_passphrase(
        is_json in any::<bool>(),
        is_file in any::<bool>(),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 0..30_usize, 0..PIECES.len()), 1..4),
    ) {
        let mut text = if is_json { JSON.to_owned() } else { HCL.to_owned() }.replace(PASSPHRASE, "hunter2hunter2");
        for (at, length, piece) in pieces {
            let at = at.index(text.len() + 1);
            let end = text.len().min(at + length);
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, PIECES[piece]);
            }
        }
        let wrapped = if is_json { format!("{{\"terraform\":{{\"encryption\":{text}}}}}") } else { format!("terraform {{\nencryption {{\n{text}\n}}\n}}\n") };
        let name = if is_json { "main.tf.json" } else { "main.tf" };
        let read = if is_file { encryption(&[(name, &wrapped)], &[]) } else { encryption(&[], &[(VARIABLE, &text)]) };
        let fault = match read {
            Ok(None) => None,
            Ok(Some(encryption)) => {
                let shown = format!("{encryption:?}");
                prop_assert!(!shown.contains("hunter2"), "{}", shown);
                match encryption.methods() {
                    Ok(methods) => methods.into_iter().find_map(|method| match method {
                        Method::Unevaluated(fault) => Some(fault),
                        _ => None,
                    }),
                    Err(fault) => Some(fault),
                }
            }
            Err(fault) => Some(fault),
        };
        if let Some(fault) = fault {
            prop_assert_eq!(fault.kind, Kind::Usage);
            let shown = format!("{fault:?}");
            prop_assert!(!shown.contains("hunter2"), "{}: {}", shown, text);
        }
    }

    #[test]
    fn an_altered_encrypted_state_never_panics(
        at in any::<prop::sample::Index>(),
        length in 0..40_usize,
        piece in 0..PIECES.len(),
    ) {
        let mut text = text("iterations", "terraform.tfstate");
        let at = at.index(text.len() + 1);
        let end = text.len().min(at + length);
        text.replace_range(at..end, PIECES[piece]);
        if let Err(fault) = EncryptedState::read(text.as_bytes()) {
            prop_assert_eq!(fault.kind, Kind::Usage);
        }
    }
}

//! States encrypted by another implementation, Python's `hashlib` and `cryptography`, as opentofu's `internal/encryption` does it.

use std::io::{Seek as _, Write as _};
use std::process::Command;

use serde_json::{Value, json};

use super::refused;
use crate::support::{Step, peer};

/// Encrypts each case on stdin.
const ENCRYPT: &str = r#"
import base64, hashlib, json, os, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
b64 = lambda data: base64.b64encode(data).decode()
for line in sys.stdin:
    case = json.loads(line)
    salt, nonce = os.urandom(32), os.urandom(12)
    key = hashlib.pbkdf2_hmac(case["hash"], case["passphrase"].encode(), salt, case["rounds"], case["length"])
    meta = {"salt": b64(salt), "iterations": case["rounds"], "hash_function": case["hash"], "key_length": case["length"]}
    state = json.dumps(case["state"], ensure_ascii=False).encode()
    print(json.dumps({
        "serial": case["state"]["serial"], "lineage": case["state"]["lineage"],
        "meta": {"key_provider.pbkdf2.mine": b64(json.dumps(meta).encode())},
        "encrypted_data": b64(nonce + AESGCM(key).encrypt(nonce, state, None)), "encryption_version": "v0",
    }))
"#;

const PASSPHRASE: &str = "STACK_OUTPUT_STATE_PASSPHRASE";

/// What Python makes of `cases`; `None` without it.
fn encrypted(cases: &[Value]) -> Option<Vec<String>> {
    let python = peer("python3")?;
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(lines.join("\n").as_bytes()).unwrap();
    file.rewind().unwrap();
    let output = Command::new(python).args(["-c", ENCRYPT]).stdin(file).output().unwrap();
    assert!(output.status.success(), "is python's `cryptography` there?");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

fn case(passphrase: &str, hash: &str, length: usize, value: &str) -> Value {
    let state = json!({"version": 4, "terraform_version": "1.13.0", "serial": 7, "lineage": "3b4c",
        "outputs": {"ip": {"value": value, "type": "string"}}, "resources": [], "check_results": null});
    json!({"passphrase": passphrase, "hash": hash, "length": length, "rounds": 1000, "state": state})
}

#[test]
fn a_state_that_another_implementation_encrypted_is_decrypted() {
    let mut cases = Vec::new();
    for (at, hash) in ["sha256", "sha512", "sha512"].into_iter().enumerate() {
        for length in [16, 32] {
            let passphrase = ["correct horse battery staple", "pässwörd-💜-日本", "  spaces around  "][at];
            cases.push(case(passphrase, hash, length, &format!("value <{hash}> é {}", "x".repeat(length * 1000))));
        }
    }
    let Some(states) = encrypted(&cases) else { return };
    for (case, state) in cases.iter().zip(states) {
        let step = || Step::new("stack-output").args(["ip"]).file("terraform.tfstate", &state);
        let seen = step().workflow_secret(PASSPHRASE, case["passphrase"].as_str().unwrap()).run().exits(0);
        assert_eq!(seen.stdout.trim_end(), case["state"]["outputs"]["ip"]["value"].as_str().unwrap());
        refused(step().workflow_secret(PASSPHRASE, "correct horse battery"), 77, &["passphrase", PASSPHRASE]);
    }
}

#[test]
fn an_altered_encrypted_state_is_refused() {
    let passphrase = "correct horse battery staple";
    let Some(states) = encrypted(&[case(passphrase, "sha512", 32, "203.0.113.7")]) else { return };
    let state: Value = serde_json::from_str(&states[0]).unwrap();
    let step = |change: &dyn Fn(&mut Value)| {
        let mut state = state.clone();
        change(&mut state);
        let step = Step::new("stack-output").args(["ip"]).file("terraform.tfstate", state.to_string());
        step.workflow_secret(PASSPHRASE, passphrase)
    };
    assert_eq!(step(&|_| ()).run().exits(0).stdout, "203.0.113.7\n");
    let altered = |state: &mut Value| {
        let data = state["encrypted_data"].as_str().unwrap();
        let other = if data.as_bytes()[40] == b'A' { "B" } else { "A" };
        state["encrypted_data"] = json!(format!("{}{other}{}", &data[..40], &data[41..]));
    };
    // It looks the same as a wrong passphrase.
    refused(step(&altered), 77, &["passphrase"]);
    refused(step(&|state| state["lineage"] = json!("other")), 2, &["`lineage` differs"]);
    refused(step(&|state| state["encrypted_data"] = json!("%")), 2, &["encrypted_data"]);
    refused(step(&|state| state["encrypted_data"] = json!("AAAA")), 2, &["encrypted_data"]);
    refused(step(&|state| state["encryption_version"] = json!("v9")), 2, &["version `v9`"]);
    refused(step(&|state| state["meta"] = json!({"key_provider.openbao.x": "e30="})), 2, &["openbao", "tofu output"]);
}

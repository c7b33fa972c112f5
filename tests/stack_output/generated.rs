//! Outputs of every type, generated: the real `terraform` writes them into a state and prints them, and so do we.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Step, peer};

/// Numbers that repeat from run to run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 40).unwrap() % limit
    }

    /// Everything that JSON, HTML or a terminal minds, composed and decomposed letters among it.
    fn text(&mut self) -> String {
        const PIECES: &[&str] = &[
            "a",
            "Z",
            "0",
            " ",
            "\"",
            "\\",
            "/",
            "<",
            ">",
            "&",
            "'",
            "$",
            "${",
            "%{",
            "}",
            "`",
            "\n",
            "\r",
            "\t",
            "\u{1}",
            "\u{8}",
            "\u{c}",
            "\u{1b}[1m",
            "\u{7f}",
            "\u{2028}",
            "\u{2029}",
            "é",
            "e\u{301}",
            "ß",
            "日本",
            "💜",
            "\u{feff}",
            "\u{fffd}",
            "::add-mask::",
            "<script>",
        ];
        (0..self.below(8)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    /// A number's text, whole, exact or far from either.
    fn number(&mut self) -> String {
        let mut text = if self.below(3) == 0 { "-".to_owned() } else { String::new() };
        let digits = |dice: &mut Self, most: usize| {
            (0..=dice.below(most)).map(|_| char::from(b'0' + u8::try_from(dice.below(10)).unwrap())).collect::<String>()
        };
        write!(text, "{}{}", 1 + self.below(9), digits(self, 25)).unwrap();
        if self.below(2) == 0 {
            write!(text, ".{}", digits(self, 25)).unwrap();
        }
        if self.below(3) == 0 {
            write!(text, "e{}{}", if self.below(2) == 0 { "-" } else { "" }, self.below(60)).unwrap();
        }
        text
    }

    /// A value as JSON text; strings are escaped once more if Terraform would read a template.
    fn value(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => template(&self.text()),
            1 => self.number(),
            2 => (self.below(2) == 0).to_string(),
            3 if depth < 3 => "null".to_owned(),
            3 => "7".to_owned(),
            4 => {
                let items: Vec<String> = (0..self.below(4)).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let members: Vec<String> =
                    (0..self.below(4)).map(|at| format!("\"k{at}-é\":{}", self.value(depth - 1))).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

fn template(text: &str) -> String {
    json!(text.replace("${", "$${").replace("%{", "%%{")).to_string()
}

fn terraform(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("terraform");
    command.args(arguments).current_dir(folder).env("CHECKPOINT_DISABLE", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn ours(folder: &Path, arguments: &[&str]) -> String {
    Step::new("stack-output").args(arguments).cwd(folder).plain().run().exits(0).stdout
}

#[test]
fn generated_outputs_of_all_types_print_byte_for_byte_as_terraform_prints_them() {
    if peer("terraform").is_none() {
        return;
    }
    let mut dice = Dice(2026);
    let mut outputs = Vec::new();
    for at in 0..60 {
        let sensitive = if dice.below(4) == 0 { ",\"sensitive\":true" } else { "" };
        outputs.push(format!("\"o{at}\":{{\"value\":{}{sensitive}}}", dice.value(3)));
    }
    let texts: Vec<String> = (0..12).map(|_| template(&dice.text())).collect();
    let numbers: Vec<String> = (0..12).map(|_| dice.number()).collect();
    for (name, expression) in [
        ("strings", "${tolist(local.texts)}"),
        ("stringset", "${toset(local.texts)}"),
        ("numbers", "${tolist(local.numbers)}"),
        ("numberset", "${toset(local.numbers)}"),
        ("map", "${tomap({for at, text in local.texts : \\\"k${at}\\\" => text})}"),
        ("nested", "${tomap({a = toset(local.numbers), b = toset([1])})}"),
        ("optional", "${[null, true, toset([])]}"),
    ] {
        outputs.push(format!("\"{name}\":{{\"value\":\"{expression}\"}}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let locals = format!("{{\"texts\":[{}],\"numbers\":[{}]}}", texts.join(","), numbers.join(","));
    let configuration = format!("{{\"locals\":{locals},\"output\":{{{}}}}}", outputs.join(","));
    std::fs::write(folder.join("main.tf.json"), configuration).unwrap();
    terraform(folder, &["init"]);
    terraform(folder, &["apply", "-auto-approve"]);

    let all = terraform(folder, &["output", "-json"]);
    assert_eq!(ours(folder, &["--format", "json", "--show-secrets"]), all);
    let parsed: serde_json::Value = serde_json::from_str(&all).unwrap();
    let (mut raw, mut json) = (0, 0);
    for (name, output) in parsed.as_object().unwrap() {
        if ["string", "number", "bool"].iter().any(|kind| output["type"] == *kind) {
            let printed = terraform(folder, &["output", "-raw", name]);
            assert_eq!(ours(folder, &[name, "--show-secrets"]), printed + "\n", "{name}");
            raw += 1;
        } else {
            let printed = terraform(folder, &["output", "-json", name]);
            assert_eq!(ours(folder, &[name, "--show-secrets", "--format", "json"]), printed, "{name}");
            json += 1;
        }
    }
    assert!(raw > 15 && json > 15, "{raw} and {json}");
}

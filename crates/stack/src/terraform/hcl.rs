//! HCL, the language of Terraform's configuration, as plain data: blocks, attributes and expressions that are not evaluated.
//!
//! Both syntaxes become the same data. In HCL's JSON syntax only a schema tells a block from an attribute, so [`blocks_of`] lists
//! the blocks that are read here. Source: hashicorp/hcl `hclsyntax/spec.md`, `json/spec.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use fault::{Fault, Result};
use hcl_edit::expr::{self, ObjectKey, TraversalOperator};
use hcl_edit::structure;
use hcl_edit::template::{Element, Template};

use crate::json::{self, Json};

/// The two spellings of HCL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// `*.tf`.
    Native,
    /// `*.tf.json`.
    Json,
}

impl Syntax {
    /// The syntax of a file, by its name.
    pub(crate) fn of_file(name: &str) -> Self {
        if Path::new(name).extension().is_some_and(|extension| extension == "json") { Self::Json } else { Self::Native }
    }
}

/// The contents of a file or of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    /// By name.
    pub(crate) attributes: BTreeMap<String, Expression>,
    /// In the order of the file.
    pub(crate) blocks: Vec<Block>,
}

/// A block: `backend "s3" { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// `backend`.
    pub(crate) kind: String,
    /// `s3`.
    pub(crate) labels: Vec<String>,
    pub(crate) body: Body,
}

/// The value of an attribute. `Debug` shows no text, which may be a passphrase.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    /// A string without `${…}`.
    Text(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
    /// Names joined by dots: `var.region`, `key_provider.pbkdf2.my`.
    Reference(Vec<String>),
    /// A string with `${…}` in it: its parts, to be joined.
    Template(Vec<Self>),
    /// What is not read further: a function call, a condition, a loop.
    Other,
}

/// The kinds of blocks inside a block of `kind`, each with its number of labels; `""` is a file.
fn blocks_of(kind: &str) -> &'static [(&'static str, usize)] {
    match kind {
        "" => &[("terraform", 0), ("variable", 1), ("locals", 0)],
        "terraform" => &[("backend", 1), ("cloud", 0), ("state_store", 1), ("encryption", 0)],
        "cli" => &[("credentials", 1)],
        "cloud" => &[("workspaces", 0)],
        "encryption" => {
            &[("key_provider", 2), ("method", 2), ("state", 0), ("plan", 0), ("remote_state_data_sources", 0)]
        }
        "state" | "plan" | "fallback" => &[("fallback", 0)],
        _ => &[],
    }
}

impl Body {
    /// Reads a file, or with `kind` the contents of a block of that kind.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] with the line; never the text itself, which may hold a passphrase.
    pub(crate) fn parse(text: &[u8], syntax: Syntax, kind: &str) -> Result<Self> {
        match syntax {
            Syntax::Json => {
                let json = json::parse(text)?;
                Self::of_json(json, kind)
                    .ok_or_else(|| Fault::usage("it is JSON, but not of the form of a configuration"))
            }
            Syntax::Native => {
                // Terraform reads comments in any encoding too.
                let text = String::from_utf8_lossy(text);
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
                let body: structure::Body = text.parse().map_err(|error: hcl_edit::parser::Error| {
                    let (line, column) = (error.location().line(), error.location().column());
                    Fault::usage(format!("it is not HCL: line {line}, column {column}: {}", error.message()))
                })?;
                Ok(Self::of_native(body))
            }
        }
    }

    /// The blocks of `kind`.
    pub(crate) fn blocks<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    fn of_native(body: structure::Body) -> Self {
        let mut read = Self::default();
        for structure in body {
            match structure {
                structure::Structure::Attribute(attribute) => {
                    read.attributes
                        .insert(attribute.key.to_string().trim().to_owned(), Expression::of(&attribute.value));
                }
                structure::Structure::Block(block) => read.blocks.push(Block {
                    kind: block.ident.as_str().to_owned(),
                    labels: block.labels.iter().map(|label| label.as_str().to_owned()).collect(),
                    body: Self::of_native(block.body),
                }),
            }
        }
        read
    }

    fn of_json(json: Json, kind: &str) -> Option<Self> {
        let objects = match json {
            Json::List(list) => list,
            object => vec![object],
        };
        let mut read = Self::default();
        for object in objects {
            let Json::Map(map) = object else { return None };
            for (name, value) in map {
                match blocks_of(kind).iter().find(|(block, _)| *block == name) {
                    Some((_, labels)) => read.add_blocks(&name, *labels, Vec::new(), value)?,
                    // A comment.
                    None if name == "//" => {}
                    None => {
                        read.attributes.insert(name, Expression::of_json(value));
                    }
                }
            }
        }
        Some(read)
    }

    /// `{"s3": {…}}` is a block with one label, and a list holds several blocks.
    fn add_blocks(&mut self, kind: &str, missing: usize, labels: Vec<String>, value: Json) -> Option<()> {
        match value {
            Json::Null => {}
            Json::List(list) => {
                for value in list {
                    self.add_blocks(kind, missing, labels.clone(), value)?;
                }
            }
            Json::Map(map) if missing > 0 => {
                for (label, value) in map {
                    let labels = labels.iter().cloned().chain([label]).collect();
                    self.add_blocks(kind, missing - 1, labels, value)?;
                }
            }
            value => self.blocks.push(Block { kind: kind.to_owned(), labels, body: Self::of_json(value, kind)? }),
        }
        Some(())
    }
}

impl Expression {
    fn of(expression: &expr::Expression) -> Self {
        match expression {
            expr::Expression::Null(_) => Self::Null,
            expr::Expression::Bool(value) => Self::Bool(*value.value()),
            expr::Expression::Number(number) => Self::Number(number.value().to_string()),
            expr::Expression::String(text) => Self::Text(text.as_str().to_owned()),
            expr::Expression::Array(array) => Self::List(array.iter().map(Self::of).collect()),
            expr::Expression::Object(object) => {
                let items = object.iter().map(|(key, value)| Some((key_of(key)?, Self::of(value.expr()))));
                items.collect::<Option<_>>().map_or(Self::Other, Self::Object)
            }
            expr::Expression::StringTemplate(template) => {
                let elements: Vec<&Element> = template.iter().collect();
                Self::of_elements(&elements)
            }
            expr::Expression::HeredocTemplate(heredoc) => Self::of_template(&heredoc.template),
            expr::Expression::Parenthesis(parenthesis) => Self::of(parenthesis.inner()),
            expr::Expression::Variable(name) => Self::Reference(vec![name.as_str().to_owned()]),
            expr::Expression::Traversal(traversal) => reference(traversal).map_or(Self::Other, Self::Reference),
            _ => Self::Other,
        }
    }

    fn of_template(template: &Template) -> Self {
        let elements: Vec<&Element> = template.iter().collect();
        Self::of_elements(&elements)
    }

    fn of_elements(elements: &[&Element]) -> Self {
        let part = |element: &Element| match element {
            Element::Literal(text) => Self::Text(text.to_string()),
            Element::Interpolation(interpolation) => Self::of(&interpolation.expr),
            Element::Directive(_) => Self::Other,
        };
        match elements {
            [] => Self::Text(String::new()),
            [Element::Literal(text)] => Self::Text(text.to_string()),
            elements => Self::Template(elements.iter().map(|element| part(element)).collect()),
        }
    }

    /// In JSON every string is a template.
    fn of_json(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(text) => Self::Number(text),
            Json::Text(text) if !text.contains(['$', '%']) => Self::Text(text),
            Json::Text(text) => text.parse().map_or(Self::Other, |template| Self::of_template(&template)),
            Json::List(list) => Self::List(list.into_iter().map(Self::of_json).collect()),
            Json::Map(map) => Self::Object(map.into_iter().map(|(key, value)| (key, Self::of_json(value))).collect()),
        }
    }

    /// The value, if nothing in it has to be evaluated.
    pub(crate) fn literal(&self) -> Option<Json> {
        Some(match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(text) => Json::Number(text.clone()),
            Self::Text(text) => Json::Text(text.clone()),
            Self::List(list) => Json::List(list.iter().map(Self::literal).collect::<Option<_>>()?),
            Self::Object(map) => {
                let items = map.iter().map(|(key, value)| Some((key.clone(), value.literal()?)));
                Json::Map(items.collect::<Option<_>>()?)
            }
            Self::Reference(_) | Self::Template(_) | Self::Other => return None,
        })
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Expression")
    }
}

fn key_of(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) => Some(name.as_str().to_owned()),
        ObjectKey::Expression(expression) => match Expression::of(expression) {
            Expression::Text(text) | Expression::Number(text) => Some(text),
            _ => None,
        },
    }
}

fn reference(traversal: &expr::Traversal) -> Option<Vec<String>> {
    let expr::Expression::Variable(first) = &traversal.expr else { return None };
    let steps = traversal.operators.iter().map(|operator| match operator.value() {
        TraversalOperator::GetAttr(name) => Some(name.as_str().to_owned()),
        TraversalOperator::Index(expr::Expression::String(name)) => Some(name.as_str().to_owned()),
        _ => None,
    });
    std::iter::once(Some(first.as_str().to_owned())).chain(steps).collect()
}

#[cfg(test)]
mod tests {
    use super::{Body, Expression, Syntax};

    fn text(text: &str) -> Expression {
        Expression::Text(text.to_owned())
    }

    fn reference(names: &[&str]) -> Expression {
        Expression::Reference(names.iter().map(|&name| name.to_owned()).collect())
    }

    const NATIVE: &str = r#"
        terraform {
          required_version = ">= 1.8"
          backend "s3" {
            bucket  = "state-${var.stage}"
            key     = "a/$${b}" # a comment
            encrypt = true
            retries = 5
            assume_role = { role_arn = "arn" }
          }
          encryption {
            key_provider "pbkdf2" "my" { passphrase = var.passphrase }
            state {
              fallback {}
            }
          }
        }
        output "ip" { value = cidrhost("10.0.0.0/8", 1) }"#;

    const JSON: &str = r#"{
        "//": "a comment",
        "terraform": [{
          "required_version": ">= 1.8",
          "backend": {"s3": {"bucket": "state-${var.stage}", "key": "a/$${b}", "encrypt": true, "retries": 5,
                             "assume_role": {"role_arn": "arn"}}},
          "encryption": {
            "key_provider": {"pbkdf2": {"my": {"passphrase": "${var.passphrase}"}}},
            "state": [{"fallback": {}}]
          }
        }],
        "output": {"ip": {"value": "${cidrhost(\"10.0.0.0/8\", 1)}"}}}"#;

    #[test]
    fn both_syntaxes_are_the_same_data() {
        let native = Body::parse(NATIVE.as_bytes(), Syntax::Native, "").unwrap();
        let json = Body::parse(JSON.as_bytes(), Syntax::Json, "").unwrap();
        let blocks = |body: &Body| body.blocks("terraform").next().unwrap().body.clone();
        let (mut native, mut json) = (blocks(&native), blocks(&json));
        for body in [&native, &json] {
            let backend = body.blocks("backend").next().unwrap();
            assert_eq!(backend.labels, ["s3"]);
            assert!(backend.body.attributes["key"] == text("a/${b}"));
            let parts = vec![text("state-"), reference(&["var", "stage"])];
            assert!(backend.body.attributes["bucket"] == Expression::Template(parts));
            assert!(backend.body.attributes["encrypt"] == Expression::Bool(true));
        }
        // Only JSON cannot tell `"${var.x}"` from `var.x`.
        let passphrase = |body: &mut Body| {
            let encryption = body.blocks.iter_mut().find(|block| block.kind == "encryption").unwrap();
            encryption.body.blocks[0].body.attributes.remove("passphrase").unwrap()
        };
        assert!(passphrase(&mut native) == reference(&["var", "passphrase"]));
        assert!(passphrase(&mut json) == Expression::Template(vec![reference(&["var", "passphrase"])]));
        assert_eq!(native, json);
    }

    #[test]
    fn what_windows_writes_is_read() {
        let body =
            Body::parse(b"\xef\xbb\xbfterraform {\r\n  a = <<-EOT\r\n    b\r\n    EOT\r\n}\r\n", Syntax::Native, "");
        assert!(body.unwrap().blocks[0].body.attributes.contains_key("a"));
    }

    #[test]
    fn what_is_not_hcl_is_refused_with_its_line_and_without_its_text() {
        let fault = Body::parse(b"a = 1\nb = \"hunter2\" \"hunter2\"\n", Syntax::Native, "").unwrap_err();
        assert!(fault.message.contains("line 2") && !format!("{fault:?}").contains("hunter2"), "{fault:?}");
        let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Body::parse(deep.as_bytes(), Syntax::Native, "").is_err());
        for broken in ["[1]", "{\"terraform\": 1}", "{\"terraform\": {\"backend\": \"s3\"}}", "{"] {
            assert!(Body::parse(broken.as_bytes(), Syntax::Json, "").is_err(), "{broken}");
        }
    }

    #[test]
    fn texts_are_decoded_as_terraform_decodes_them() {
        for (written, expected) in [
            ("<<-EOT\n    a\n      b\n    EOT", "a\n  b\n"),
            ("<<EOT\n  a\nEOT", "  a\n"),
            (r#""a\tb\u00e9\U0001F49C\"\\""#, "a\tbé💜\"\\"),
            (r#""$${a} %%{b} $a 100%""#, "${a} %{b} $a 100%"),
        ] {
            let body = Body::parse(format!("x = {written}\n").as_bytes(), Syntax::Native, "").unwrap();
            assert!(body.attributes["x"] == text(expected), "{written}");
        }
        let json = Body::parse(br#"{"x": "$${a} 100% \u00e9 \"q\""}"#, Syntax::Json, "").unwrap();
        assert!(json.attributes["x"] == text("${a} 100% é \"q\""));
    }

    #[test]
    fn debug_shows_no_text() {
        assert!(!format!("{:?}", Body::parse(b"a = \"hunter2\"", Syntax::Native, "").unwrap()).contains("hunter2"));
    }
}

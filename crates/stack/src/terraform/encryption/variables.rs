//! Evaluates the few expressions that an `encryption` block is made of: literals, input variables and locals.
//!
//! Source: opentofu `internal/command/meta_vars.go`.

use std::collections::BTreeMap;
use std::path::Path;

use fault::{Fault, Result};

use crate::files;
use crate::terraform::configuration::Configuration;
use crate::terraform::hcl::{Body, Expression, Syntax};

/// How deep locals may refer to each other; a circle ends here.
const DEPTH_LIMIT: usize = 16;

/// The values that expressions may refer to.
#[derive(Default)]
pub(super) struct Variables {
    /// From `TF_VAR_NAME`.
    environment: BTreeMap<String, Expression>,
    /// From `terraform.tfvars` and `*.auto.tfvars`, which count more.
    files: BTreeMap<String, Expression>,
    /// The variables that are declared, with their defaults.
    defaults: BTreeMap<String, Option<Expression>>,
    locals: BTreeMap<String, Expression>,
}

impl Variables {
    /// Gathers the values: `environment` are all variables of the environment, `directory` is the project's folder.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a file that cannot be read; the error does not contain its text.
    pub(super) fn read(
        configuration: Option<&Configuration>,
        directory: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let variable = |(name, value): &(&str, &str)| {
            Some((name.strip_prefix("TF_VAR_")?.to_owned(), Expression::Text((*value).to_owned())))
        };
        let mut variables = Self { environment: environment.iter().filter_map(variable).collect(), ..Self::default() };
        if let Some(configuration) = configuration {
            (variables.defaults, variables.locals) = (configuration.variables()?, configuration.locals()?);
        }
        for name in value_files(directory)? {
            let path = directory.join(&name);
            let about = |cause: String| Fault::usage(format!("cannot read {}", path.display())).cause(cause);
            let text = files::read(&path).map_err(|error| about(error.to_string()))?;
            let body = Body::parse(&text, Syntax::of_file(&name), "values").map_err(|fault| about(fault.message))?;
            variables.files.extend(body.attributes);
        }
        Ok(variables)
    }

    /// The value of `expression` as a string, as Terraform converts it.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] that names the variable that has no value, or says what is not evaluated.
    pub(super) fn text(&self, expression: &Expression) -> Result<String> {
        self.joined(expression, 0)
    }

    /// The value of `expression` as a list of bytes.
    ///
    /// # Errors
    /// As [`Variables::text`], and for another type.
    pub(super) fn bytes(&self, expression: &Expression) -> Result<Vec<u8>> {
        let not_bytes = || Fault::usage("it is not a list of numbers from 0 to 255");
        let value = match self.value(expression, 0)? {
            // A variable of the environment is HCL if its type is not a string.
            Expression::Text(text) => parsed(&text).ok_or_else(not_bytes)?,
            value => value,
        };
        let Expression::List(items) = value else { return Err(not_bytes()) };
        items.iter().map(|item| self.text(item)?.parse().map_err(|_error| not_bytes())).collect()
    }

    fn joined(&self, expression: &Expression, depth: usize) -> Result<String> {
        match self.value(expression, depth)? {
            Expression::Text(text) | Expression::Number(text) => Ok(text),
            Expression::Bool(value) => Ok(value.to_string()),
            Expression::Template(parts) => parts.iter().map(|part| self.joined(part, depth + 1)).collect(),
            _ => Err(Fault::usage("it is not a string")),
        }
    }

    /// The value that `expression` refers to, which is never a reference itself.
    fn value(&self, expression: &Expression, depth: usize) -> Result<Expression> {
        if depth > DEPTH_LIMIT {
            return Err(Fault::usage("its locals refer to each other in a circle"));
        }
        match expression {
            Expression::Reference(names) => self.referred(names, depth),
            Expression::Template(parts) if parts.len() == 1 => self.value(&parts[0], depth + 1),
            Expression::Other => {
                Err(Fault::usage("it is computed, and only literals, `var.NAME` and `local.NAME` are evaluated"))
            }
            value => Ok(value.clone()),
        }
    }

    fn referred(&self, names: &[String], depth: usize) -> Result<Expression> {
        let shown = names.join(".");
        let (mut value, inner) = match names {
            [root, name, inner @ ..] if root == "var" => (self.variable(name, !inner.is_empty())?, inner),
            [root, name, inner @ ..] if root == "local" => {
                let local =
                    self.locals.get(name).ok_or_else(|| Fault::usage(format!("`local.{name}` is not defined")))?;
                (local.clone(), inner)
            }
            _ => return Err(Fault::usage("it refers to something else than `var.NAME` or `local.NAME`")),
        };
        for name in inner {
            value = match self.value(&value, depth + 1)? {
                Expression::Object(mut members) => {
                    members.remove(name).ok_or_else(|| Fault::usage(format!("`{shown}` does not exist")))?
                }
                _ => return Err(Fault::usage(format!("`{shown}` does not exist"))),
            };
        }
        self.value(&value, depth + 1)
    }

    fn variable(&self, name: &str, is_object: bool) -> Result<Expression> {
        if let Some(value) = self.files.get(name) {
            return Ok(value.clone());
        }
        if let Some(value) = self.environment.get(name) {
            return Ok(match value {
                Expression::Text(text) if is_object => parsed(text).unwrap_or(Expression::Null),
                value => value.clone(),
            });
        }
        let default = self.defaults.get(name).cloned().flatten();
        default.filter(|default| *default != Expression::Null).ok_or_else(|| {
            Fault::usage(format!("the variable `{name}` has no value"))
                .help(format!("set TF_VAR_{name}, or give it in terraform.tfvars"))
        })
    }
}

/// Reads a single expression.
fn parsed(text: &str) -> Option<Expression> {
    let body = Body::parse(format!("value = {text}\n").as_bytes(), Syntax::Native, "values").ok()?;
    (body.attributes.len() == 1 && body.blocks.is_empty()).then_some(())?;
    body.attributes.get("value").cloned()
}

/// The files that OpenTofu reads values from without being told to, in its order: later ones win.
fn value_files(directory: &Path) -> Result<Vec<String>> {
    let about = |error: std::io::Error| {
        Fault::usage(format!("cannot list the folder {}", directory.display())).cause(error.to_string())
    };
    let mut automatic = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(about)? {
        let entry = entry.map_err(about)?;
        if let Ok(name) = entry.file_name().into_string()
            && (name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json"))
        {
            automatic.push(name);
        }
    }
    automatic.sort();
    let fixed = ["terraform.tfvars", "terraform.tfvars.json"].into_iter().map(str::to_owned);
    Ok(fixed.chain(automatic).filter(|name| directory.join(name).is_file()).collect())
}

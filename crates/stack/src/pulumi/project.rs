//! A Pulumi project: its file, its selected stack, and how stacks are named.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use fault::{Fault, Result};
use yaml::Yaml;

use crate::{files, json};

/// A project, as its project file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulumiProject {
    /// The project's name.
    pub name: String,
    /// The project file, absolute.
    pub file: PathBuf,
    /// `backend.url`.
    pub backend: Option<String>,
}

/// The names of a project file, in the order Pulumi tries them.
const FILES: [&str; 3] = ["Pulumi.json", "Pulumi.yaml", "Pulumi.yml"];

impl PulumiProject {
    /// The project that contains `directory`, an absolute path.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] if the project file cannot be read.
    pub fn find(directory: &Path) -> Result<Option<Self>> {
        let candidates = directory.ancestors().flat_map(|directory| FILES.map(|name| directory.join(name)));
        candidates.into_iter().find(|file| file.is_file()).map(|file| Self::read(&file)).transpose()
    }

    fn read(file: &Path) -> Result<Self> {
        let about =
            |cause: String| Fault::usage(format!("cannot read the project file {}", file.display())).cause(cause);
        let text = files::read_text(file).map_err(|error| about(error.to_string()))?;
        let text = text.trim_start_matches('\u{feff}');
        let (name, backend) = if file.extension().is_some_and(|extension| extension == "json") {
            let project = json::parse(text.as_bytes()).map_err(|broken| about(Fault::from(broken).message))?;
            let backend = project.get("backend").and_then(|backend| backend.text_of("url")).map(str::to_owned);
            (project.text_of("name").map(str::to_owned), backend)
        } else {
            let documents = yaml::documents(text).map_err(|error| about(error.to_string()))?;
            let text = |node: Option<&Yaml<'_>>| node.and_then(Yaml::as_str).map(str::to_owned);
            let project = documents.first();
            let backend = project.and_then(|project| project.as_mapping_get("backend"));
            (
                text(project.and_then(|project| project.as_mapping_get("name"))),
                text(backend.and_then(|backend| backend.as_mapping_get("url"))),
            )
        };
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| about("it has no `name`".to_owned()))?;
        let backend = backend.filter(|url| !url.trim().is_empty());
        Ok(Self { name, file: file.to_owned(), backend })
    }

    /// The project file's folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }

    /// The stack that `pulumi stack select` chose for this project and the backend at `url`, as stored in `home`
    /// (`~/.pulumi`).
    #[must_use]
    pub fn selected_stack(&self, home: &Path, url: &str) -> Option<String> {
        let path = self.file.as_os_str().as_encoded_bytes();
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, path);
        let hex: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let file = home.join("workspaces").join(format!("{}-{}-workspace.json", self.name, hex.concat()));
        let workspace = json::parse(&files::read(&file).ok()?).ok()?;
        let of_backend = workspace.get("stacks").and_then(|stacks| stacks.text_of(url));
        of_backend.or_else(|| workspace.text_of("stack")).filter(|stack| !stack.is_empty()).map(str::to_owned)
    }
}

/// A stack's name: `stack`, `organization/stack` or `organization/project/stack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackReference {
    /// Pulumi Cloud's organization; in a self-managed store it is always the word `organization`.
    pub organization: Option<String>,
    /// The project, if it was given.
    pub project: Option<String>,
    /// The stack.
    pub stack: String,
}

/// Whether `part` is a valid name of an organization, a project or a stack. A valid name is safe in a path or a URL.
pub(crate) fn is_name(part: &str) -> bool {
    (1..=100).contains(&part.len())
        && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
        && !matches!(part, "." | "..")
}

impl FromStr for StackReference {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let owned = |part: &str| Some(part.to_owned());
        let (organization, project, stack) = match parts.as_slice() {
            all if !all.iter().all(|part| is_name(part)) => (None, None, None),
            [stack] => (None, None, Some(*stack)),
            [organization, stack] => (owned(organization), None, Some(*stack)),
            [organization, project, stack] => (owned(organization), owned(project), Some(*stack)),
            _ => (None, None, None),
        };
        match stack {
            Some(stack) => Ok(Self { organization, project, stack: stack.to_owned() }),
            None => Err(Fault::usage(format!("`{}` is not the name of a stack", text.escape_debug()))
                .help("give --stack as stack, organization/stack or organization/project/stack")),
        }
    }
}

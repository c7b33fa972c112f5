//! What every format is read into.

use fault::Fault;

/// A name and its value; `None` for a null.
pub(super) type Pair = (String, Option<String>);

/// Refuses a value that is a document itself.
pub(super) fn too_deep(name: &str) -> Fault {
    Fault::usage(format!("{name} is not one value but holds others"))
        .help("flatten the document first, for example with `jq` or `yq`")
}

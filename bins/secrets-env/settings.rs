//! Which project, config and token, from where: option, else variable.

use doppler::Place;
use runner::Environment;

use crate::args::Source;

/// The project and config to read.
pub(crate) fn place(source: &Source, environment: &Environment) -> Place {
    let given = |option: &Option<String>, name: &str| {
        let option = option.clone().filter(|value| !value.trim().is_empty());
        option.or_else(|| environment.get(name).map(str::to_owned))
    };
    Place { project: given(&source.project, "DOPPLER_PROJECT"), config: given(&source.config, "DOPPLER_CONFIG") }
}

//! Suggests the nearest name for an unknown config.

use doppler::{ConfigRef, Doppler, Failure};
use fault::{Kind, nearest};

/// Adds the nearest config name to the failure, if the token may list configs.
pub(super) async fn named(mut failure: Failure, doppler: &Doppler, place: &ConfigRef) -> Failure {
    if let (Kind::Usage, Some(config)) = (failure.fault.kind, &place.config)
        && let Ok(configs) = doppler.configs(place).await
        && let Some(near) = nearest(config, configs.iter().map(String::as_str))
    {
        failure.fault = failure.fault.help(format!("did you mean --config {near}?"));
    }
    failure
}

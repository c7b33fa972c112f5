//! An unknown config is told with the name that comes nearest.

use doppler::{Doppler, Failure, Place};
use fault::{Kind, nearest};

/// The failure, with the nearest config as its advice where the token may list them.
pub(super) async fn named(mut failure: Failure, doppler: &Doppler, place: &Place) -> Failure {
    if let (Kind::Usage, Some(config)) = (failure.fault.kind, &place.config)
        && let Ok(configs) = doppler.configs(place).await
        && let Some(near) = nearest(config, configs.iter().map(String::as_str))
    {
        failure.fault = failure.fault.help(format!("did you mean --config {near}?"));
    }
    failure
}

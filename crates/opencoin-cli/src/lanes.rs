//! Chooses whether this process calculates RSA in lanes, as `signer.lanes` says.

use opencoin_config::Config;
use opencoin_crypto::{LanesState, choose_lanes};

/// Chooses, and logs the result. Must come before the first RSA operation.
pub(crate) fn choose(config: &Config) {
    match choose_lanes(config.signer.lanes.into()) {
        LanesState::SelfTestFailed => tracing::error!(
            "RSA in lanes failed its self-test, so AWS-LC computes everything: test this machine's CPU and memory"
        ),
        state => tracing::info!(lanes = state.name(), "RSA in lanes"),
    }
}

//! Figures of the last day.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::TimeDelta;
#[cfg(feature = "openapi")]
use opencoin_api::shapes;
use opencoin_api::{AdminSample, AdminSamples};
use opencoin_issuer::{Reason, Refusal, SAMPLE_INTERVAL_S, SAMPLE_STEP_S_MAX, SAMPLES_AGE_MAX, Sample};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::operator::{Admin, Looks};
use crate::json::{HandlerResult, Parameters, document};
#[cfg(feature = "openapi")]
use crate::problems::{Forbidden, Invalid, Malformed, Unauthorized, Unavailable};

/// The minutes of a request that names none.
const MINUTES_DEFAULT: u32 = 60;

/// Which samples.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct While {
    /// The minutes up to now.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::SampleMinutes>, inline))]
    minutes: Option<u32>,
    /// The seconds that a sample covers.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::SampleStep>, inline))]
    step_s: Option<u32>,
}

/// Figures of the last while: requests, refusals, the time to sign, the value of the coins in circulation. They are of the process
/// that answers, since it began. Every token of an operator may read them.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/samples", tag = "admin", params(While),
    responses((status = 200, description = "The samples.", body = AdminSamples),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn list(
    State(admin): State<Admin>,
    _: Looks,
    Parameters(asked): Parameters<While>,
) -> HandlerResult {
    let minutes_max = u32::try_from(SAMPLES_AGE_MAX.num_minutes()).expect("a day");
    let minutes = within("minutes", asked.minutes, MINUTES_DEFAULT, 1..=minutes_max)?;
    let bounds = SAMPLE_INTERVAL_S..=SAMPLE_STEP_S_MAX;
    let step_s = within("step_s", asked.step_s, SAMPLE_INTERVAL_S, bounds)?;
    let samples = admin.issuer().samples(TimeDelta::minutes(minutes.into()), step_s);
    let samples = samples.iter().map(shown).collect();
    document(StatusCode::OK, &AdminSamples { step_s, samples })
}

fn within(
    name: &str,
    asked: Option<u32>,
    default: u32,
    bounds: std::ops::RangeInclusive<u32>,
) -> Result<u32, Refusal> {
    let value = asked.unwrap_or(default);
    if bounds.contains(&value) {
        return Ok(value);
    }
    let (least, most) = bounds.into_inner();
    Err(Refusal::new(
        Reason::Invalid,
        format!("{name}: a number from {least} to {most}"),
    ))
}

fn shown(sample: &Sample) -> AdminSample {
    let micros = |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    AdminSample {
        at: sample.at,
        covered_ms: u64::try_from(sample.covered.as_millis()).unwrap_or(u64::MAX),
        requests: sample.requests,
        refusals: sample.refusals,
        signings: sample.signings,
        signing_us: sample.mean_signing().map(micros),
        outstanding: sample.outstanding,
    }
}

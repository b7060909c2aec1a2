//! Reads the body of a submission, with limits on its length and time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;
use opencoin_log::witness::ADD_CHECKPOINT_BYTES_MAX;

/// The longest time for a body, and for a client to read its answer.
pub const BODY_DURATION_MAX: Duration = Duration::from_secs(10);

/// A body that is too long is read and discarded up to this length, so that the client sees the answer. With a longer
/// body the connection breaks.
const DISCARDED_BYTES_MAX: usize = 2 * ADD_CHECKPOINT_BYTES_MAX;

/// Why a body was not received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than [`ADD_CHECKPOINT_BYTES_MAX`].
    TooLong,
    /// It took too long.
    Slow,
    /// The client closed the connection, or violated HTTP.
    Broken,
}

/// Reads a whole body.
pub(super) async fn read(body: Body, duration_max: Duration) -> Result<Vec<u8>, BodyError> {
    if body.size_hint().lower() > DISCARDED_BYTES_MAX as u64 {
        return Err(BodyError::TooLong);
    }
    tokio::time::timeout(duration_max, read_all(body))
        .await
        .unwrap_or(Err(BodyError::Slow))
}

async fn read_all(mut body: Body) -> Result<Vec<u8>, BodyError> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len();
        if length > DISCARDED_BYTES_MAX {
            break;
        }
        if length <= ADD_CHECKPOINT_BYTES_MAX {
            bytes.extend_from_slice(data);
        }
    }
    if length > ADD_CHECKPOINT_BYTES_MAX {
        return Err(BodyError::TooLong);
    }
    Ok(bytes)
}

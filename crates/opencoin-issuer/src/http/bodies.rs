//! Reading bodies, with bounds on time and on the memory of all of them together.
//!
//! A body is counted as it arrives, not by what its head claims, and stays counted until its answer is made: what is parsed
//! and verified from it is larger than its text, in proportion. Beyond the bound a request is answered 503 before any work is
//! done for it. Its body is read to the end and thrown away, so that the client sees the answer instead of a broken pipe.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::BODY_BYTES_MAX;

/// How long a body may take to arrive. A proxy in front gathers slow ones (nginx does by default).
pub const BODY_SECONDS_MAX: u64 = 15;
/// The most bytes of bodies that are being read or worked on at one time: four of the longest.
pub const BODIES_BYTES_IN_FLIGHT_MAX: usize = 4 * BODY_BYTES_MAX;

/// What all bodies together may take.
pub(super) struct Budget(Arc<Semaphore>);

/// A body, counted as long as it lives.
pub(super) struct Counted {
    pub(super) bytes: Vec<u8>,
    _share: Option<OwnedSemaphorePermit>,
}

/// Why a body could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than any request.
    TooLarge,
    /// The client ended it early or it broke HTTP's rules.
    Broken,
    /// It took too long.
    Slow,
    /// There are too many others.
    Overloaded,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(BODIES_BYTES_IN_FLIGHT_MAX)))
    }

    /// Reads a whole body.
    pub(super) async fn read(&self, body: Body) -> Result<Counted, BodyError> {
        if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Err(BodyError::TooLarge);
        }
        let arrives = self.read_in_any_time(body);
        tokio::time::timeout(Duration::from_secs(BODY_SECONDS_MAX), arrives).await.unwrap_or(Err(BodyError::Slow))
    }

    async fn read_in_any_time(&self, mut body: Body) -> Result<Counted, BodyError> {
        let mut bytes = Vec::new();
        let mut share: Option<OwnedSemaphorePermit> = None;
        let mut is_overloaded = false;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| BodyError::Broken)?;
            let Some(data) = frame.data_ref() else { continue };
            length += data.len();
            if length > BODY_BYTES_MAX {
                return Err(BodyError::TooLarge);
            }
            if is_overloaded {
                continue;
            }
            match self.take(data.len()) {
                Some(more) => {
                    match &mut share {
                        Some(share) => share.merge(more),
                        None => share = Some(more),
                    }
                    bytes.extend_from_slice(data);
                }
                None => {
                    is_overloaded = true;
                    (bytes, share) = (Vec::new(), None);
                }
            }
        }
        if is_overloaded {
            return Err(BodyError::Overloaded);
        }
        Ok(Counted { bytes, _share: share })
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(bytes).ok()
    }
}

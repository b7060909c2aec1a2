//! Reading bodies, with bounds on time and on the memory of all of them and their answers together.
//!
//! A body is counted as it arrives, not by what its head claims. Its bytes are free again once they are
//! parsed, its share stays taken until the answer is written: what is parsed and verified is about as large
//! as the text, and an answer is shorter. Beyond the bound a request is answered 503 before any work is done
//! for it. Its body is read to the end and thrown away, so that the client sees the answer instead of a
//! broken pipe.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use http_body_util::BodyExt;
use opencoin_config::LimitsConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body of up to so many times the limit is read to its end, and thrown away, so that a client that is not
/// far off sees the answer instead of a broken pipe. Of a longer one the connection breaks.
const DISCARDED_FACTOR: usize = 2;
/// Bodies up to this length are small: a renew of some forty coins.
const SMALL_BODY_BYTES: usize = 64 * 1024;
/// This part of the memory for all bodies is for small ones alone.
const KEPT_FOR_SMALL_DIVISOR: usize = 8;
/// A body's buffer grows by this part of itself: a vector of its own accord doubles, and would hold twice
/// what is counted.
const BUFFER_GROWTH_DIVISOR: usize = 4;

/// What all requests together may take.
pub(super) struct Budget {
    in_flight: Arc<Semaphore>,
    in_flight_max: usize,
    bytes_max: usize,
    duration_max: Duration,
}

/// What one request takes of it, until this is dropped.
pub(super) struct Share(OwnedSemaphorePermit);

/// A body and its share.
pub(super) struct Counted {
    pub(super) bytes: Vec<u8>,
    pub(super) share: Share,
}

/// Why a body could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It has more bytes than this.
    TooLarge(usize),
    /// The client ended it early or it broke HTTP's rules.
    Broken,
    /// It took longer than this.
    Slow(Duration),
    /// There are too many others.
    Overloaded,
}

impl Budget {
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        let in_flight_max = limits.bodies_bytes_in_flight_max.get() as usize;
        let in_flight = Arc::new(Semaphore::new(in_flight_max));
        let duration_max = Duration::from_secs(limits.body_seconds_max.get().into());
        Self {
            in_flight,
            in_flight_max,
            bytes_max: limits.body_bytes_max.get() as usize,
            duration_max,
        }
    }

    /// The longest body of all.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// How many bytes are taken at this moment.
    pub(super) fn taken(&self) -> usize {
        self.in_flight_max
            .saturating_sub(self.in_flight.available_permits())
    }

    /// Whether a large body may take more: a part is kept for small ones, so that a few clients who send large ones
    /// slowly do not keep all others out.
    fn has_room_for_large(&self) -> bool {
        self.in_flight.available_permits() > self.in_flight_max / KEPT_FOR_SMALL_DIVISOR
    }

    /// Reads a whole body of at most so many bytes.
    pub(super) async fn read(&self, body: Body, bytes_max: usize) -> Result<Counted, BodyError> {
        let bytes_max = bytes_max.min(self.bytes_max);
        if body.size_hint().lower() > discarded_bytes_max(bytes_max) as u64 {
            return Err(BodyError::TooLarge(bytes_max));
        }
        let arrives = self.read_in_any_time(body, bytes_max);
        tokio::time::timeout(self.duration_max, arrives)
            .await
            .unwrap_or(Err(BodyError::Slow(self.duration_max)))
    }

    async fn read_in_any_time(&self, mut body: Body, bytes_max: usize) -> Result<Counted, BodyError> {
        let nothing = Arc::clone(&self.in_flight)
            .try_acquire_many_owned(0)
            .expect("nothing is always there, and nobody closes this");
        let mut counted = Some(Counted {
            bytes: Vec::new(),
            share: Share(nothing),
        });
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| BodyError::Broken)?;
            let Some(data) = frame.data_ref() else { continue };
            length += data.len();
            if length > discarded_bytes_max(bytes_max) {
                return Err(BodyError::TooLarge(bytes_max));
            }
            let has_room = length <= SMALL_BODY_BYTES || self.has_room_for_large();
            counted = counted
                .filter(|_| length <= bytes_max && has_room)
                .and_then(|counted| counted.with(data));
        }
        if length > bytes_max {
            Err(BodyError::TooLarge(bytes_max))
        } else {
            counted.ok_or(BodyError::Overloaded)
        }
    }
}

/// How much of a body that is too long is read.
fn discarded_bytes_max(bytes_max: usize) -> usize {
    bytes_max.saturating_mul(DISCARDED_FACTOR)
}

impl Counted {
    fn with(mut self, data: &[u8]) -> Option<Self> {
        if !self.share.grow(data.len()) {
            return None;
        }
        if self.bytes.capacity() - self.bytes.len() < data.len() {
            self.bytes
                .reserve_exact(data.len().max(self.bytes.len() / BUFFER_GROWTH_DIVISOR));
        }
        self.bytes.extend_from_slice(data);
        Some(self)
    }
}

impl Share {
    /// Takes more; says whether there was as much.
    fn grow(&mut self, bytes: usize) -> bool {
        let more = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| Arc::clone(self.0.semaphore()).try_acquire_many_owned(bytes).ok());
        more.map(|more| self.0.merge(more)).is_some()
    }

    /// Keeps the share until the answer is written. A longer one than its request (of a resume, say) needs
    /// more, and it may be that there is not as much.
    pub(super) async fn until_written(mut self, response: Response<Body>) -> Option<Response<Body>> {
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("an answer is in memory").to_bytes();
        if !self.grow(bytes.len().saturating_sub(self.0.num_permits())) {
            return None;
        }
        Some(Response::from_parts(
            head,
            Body::from(Bytes::from_owner(BodyBytes { bytes, _share: self })),
        ))
    }
}

/// The bytes of an answer: the server drops them when the system has taken them.
struct BodyBytes {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for BodyBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

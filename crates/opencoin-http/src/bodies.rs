//! Reads bodies, with limits on time and on the memory of all bodies and their answers together.
//!
//! A body counts by the bytes that have arrived, not by its `Content-Length`. Its buffer is freed once it is parsed, but
//! it counts until the answer is written: the parsed request is about as large as the text, and the answer is usually
//! shorter. Over the limit a request gets 503 before any work is done for it. The rest of its body is read and
//! discarded, so that the client sees the answer instead of a broken connection.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use http_body_util::BodyExt;
use opencoin_config::LimitsConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body that is too long is read and discarded up to this multiple of its limit, so that the client sees the answer.
/// With a longer body the connection breaks.
const DISCARDED_FACTOR: usize = 2;
/// The longest small body: a renew of some forty coins.
const SMALL_BODY_BYTES: usize = 64 * 1024;
/// One part in this many of the memory for all bodies is reserved for small bodies.
const KEPT_FOR_SMALL_DIVISOR: usize = 8;
/// The buffer of a large body grows by one part in this many. A vector doubles by default, and would then use twice the
/// memory that is counted.
const BUFFER_GROWTH_DIVISOR: usize = 4;

/// The memory for all bodies and answers.
pub(super) struct Budget {
    in_flight: Arc<Semaphore>,
    in_flight_max: usize,
    bytes_max: usize,
    duration_max: Duration,
}

/// The part of the memory that one request uses, until this is dropped.
pub(super) struct Share(OwnedSemaphorePermit);

/// A body and its share.
pub(super) struct Counted {
    pub(super) bytes: Vec<u8>,
    pub(super) share: Share,
}

/// Why a body was not received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than this many bytes.
    TooLarge(usize),
    /// The client closed the connection early, or violated HTTP.
    Broken,
    /// It took longer than this.
    Slow(Duration),
    /// There is no memory left for it.
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

    /// The length of the longest body of any request, in bytes.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The bytes that are in use.
    pub(super) fn taken(&self) -> usize {
        self.in_flight_max
            .saturating_sub(self.in_flight.available_permits())
    }

    /// Whether a large body may use more memory. The reserved part stays free for small bodies, so that a few clients
    /// that send large bodies slowly do not block all others.
    fn has_room_for_large(&self) -> bool {
        self.in_flight.available_permits() > self.in_flight_max / KEPT_FOR_SMALL_DIVISOR
    }

    /// Reads a whole body of at most `bytes_max` bytes.
    pub(super) async fn read(&self, body: Body, bytes_max: usize) -> Result<Counted, BodyError> {
        let bytes_max = bytes_max.min(self.bytes_max);
        if body.size_hint().lower() > discarded_bytes_max(bytes_max) as u64 {
            return Err(BodyError::TooLarge(bytes_max));
        }
        let arrives = self.read_without_time_limit(body, bytes_max);
        tokio::time::timeout(self.duration_max, arrives)
            .await
            .unwrap_or(Err(BodyError::Slow(self.duration_max)))
    }

    async fn read_without_time_limit(&self, mut body: Body, bytes_max: usize) -> Result<Counted, BodyError> {
        let nothing = Arc::clone(&self.in_flight)
            .try_acquire_many_owned(0)
            .expect("zero permits are always available, and the semaphore is never closed");
        let mut counted = Some(Counted {
            bytes: Vec::new(),
            share: Share(nothing),
        });
        // A client could send less than it announces, so a buffer of this size is not made at once.
        let announced = body
            .size_hint()
            .exact()
            .and_then(|bytes| usize::try_from(bytes).ok());
        let small = announced.filter(|bytes| *bytes <= SMALL_BODY_BYTES);
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
                .and_then(|counted| counted.with(data, small));
        }
        if length > bytes_max {
            Err(BodyError::TooLarge(bytes_max))
        } else {
            counted.ok_or(BodyError::Overloaded)
        }
    }
}

/// The most bytes that are read of a body that is too long.
fn discarded_bytes_max(bytes_max: usize) -> usize {
    bytes_max.saturating_mul(DISCARDED_FACTOR)
}

impl Counted {
    /// Appends data. The buffer doubles up to the length of a small body, if that is known.
    fn with(mut self, data: &[u8], small: Option<usize>) -> Option<Self> {
        if !self.share.grow(data.len()) {
            return None;
        }
        let length = self.bytes.len();
        if self.bytes.capacity() - length < data.len() {
            let growth = match small {
                Some(whole) => length.min(whole.saturating_sub(length)),
                None => length / BUFFER_GROWTH_DIVISOR,
            };
            self.bytes.reserve_exact(data.len().max(growth));
        }
        self.bytes.extend_from_slice(data);
        Some(self)
    }
}

impl Share {
    /// Takes this many more bytes. Returns whether they were available.
    fn grow(&mut self, bytes: usize) -> bool {
        let more = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| Arc::clone(self.0.semaphore()).try_acquire_many_owned(bytes).ok());
        more.map(|more| self.0.merge(more)).is_some()
    }

    /// Keeps the share until the answer is written. An answer longer than its request (to a resume, for example) takes
    /// more; the result is `None` if that is not available.
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

/// The bytes of an answer. The server drops them once they are written to the socket.
struct BodyBytes {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for BodyBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

//! One connection: it enters a room and forwards frames until it ends.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use opencoin_transfer::relay::{CloseCode, Join};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::limits::RelayLimits;
use crate::relay::Relay;
use crate::rooms::{Outgoing, Place, QUEUE_FRAMES};

/// How long a closing connection may take to send why.
const CLOSE_DURATION_MAX: Duration = Duration::from_secs(2);

/// Why a connection ended.
enum Ended {
    /// The relay ends it.
    ByRelay(CloseCode),
    /// The client has ended it, or it broke.
    ByClient,
}

type Sink = SplitSink<WebSocket, Message>;

/// Serves a connection until it ends.
pub(crate) async fn serve(relay: &Arc<Relay>, socket: WebSocket) {
    let _connected = relay.metrics.connected();
    let (mut sink, mut stream) = socket.split();
    let ended = match join(&mut stream).await {
        Ok((join, room)) => in_room(relay, (&join, room), &mut sink, &mut stream).await,
        Err(ended) => ended,
    };
    let code = match ended {
        Ended::ByRelay(code) => {
            relay.metrics.closed(code);
            code.code()
        }
        // 1000: a normal end.
        Ended::ByClient => 1000,
    };
    let reason = CloseCode::of(code).map_or("", CloseCode::text);
    let close = Message::Close(Some(CloseFrame {
        code,
        reason: reason.into(),
    }));
    // If the client is gone already, there is nobody to tell.
    let _ = timeout(CLOSE_DURATION_MAX, sink.send(close)).await;
}

/// Reads which room the client enters.
async fn join(stream: &mut SplitStream<WebSocket>) -> Result<(Join, [u8; 16]), Ended> {
    let first = timeout(RelayLimits::JOIN_DURATION_MAX, stream.next()).await;
    match first {
        Err(_) => Err(Ended::ByRelay(CloseCode::Idle)),
        Ok(Some(Ok(Message::Text(text)))) => Join::read(&text).map_err(Ended::ByRelay),
        Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => Err(Ended::ByClient),
        Ok(Some(Ok(_))) => Err(Ended::ByRelay(CloseCode::Malformed)),
    }
}

async fn in_room(
    relay: &Arc<Relay>,
    (join, room): (&Join, [u8; 16]),
    sink: &mut Sink,
    stream: &mut SplitStream<WebSocket>,
) -> Ended {
    let limits = relay.options.limits;
    // One more than frames, for a notice.
    let (queue, mut queued) = mpsc::channel(QUEUE_FRAMES + 1);
    let entered = relay.rooms.enter(
        room,
        (join.seat, join.client),
        relay.next_connection(),
        queue,
        (Instant::now().into_std(), limits.room_age_max),
    );
    let place = match entered {
        Ok(place) => place,
        Err(code) => return Ended::ByRelay(code),
    };
    if relay.is_stopping() {
        return Ended::ByRelay(CloseCode::Stopping);
    }
    let end = Instant::from_std(place.made) + limits.room_age_max;
    tokio::select! {
        ended = receive(relay, &place, stream) => ended,
        ended = send(&mut queued, sink, limits.read_duration_max) => ended,
        () = tokio::time::sleep_until(end) => Ended::ByRelay(CloseCode::RoomTooOld),
    }
}

/// Forwards what the client sends.
async fn receive(relay: &Relay, place: &Place, stream: &mut SplitStream<WebSocket>) -> Ended {
    let limits = &relay.options.limits;
    let mut frames = Allowance::new(limits.frames_per_second);
    let mut bytes = Allowance::new(limits.bytes_per_second);
    loop {
        let message = match timeout(limits.idle_duration_max, stream.next()).await {
            Err(_) => return Ended::ByRelay(CloseCode::Idle),
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return Ended::ByClient,
            Ok(Some(Ok(message))) => message,
        };
        let length = match &message {
            Message::Binary(frame) => frame.len(),
            Message::Ping(content) | Message::Pong(content) => content.len(),
            Message::Text(_) | Message::Close(_) => return Ended::ByRelay(CloseCode::Malformed),
        };
        // Whoever is too fast is not read from for a while, so that TCP slows them down.
        let free = frames.take(1).max(bytes.take(length));
        tokio::time::sleep_until(free).await;
        if let Message::Binary(frame) = message
            && let Err(code) = forward(relay, place, frame).await
        {
            return Ended::ByRelay(code);
        }
    }
}

async fn forward(relay: &Relay, place: &Place, frame: Bytes) -> Result<(), CloseCode> {
    let Some(other) = place.other()? else {
        // Nobody is there. Both ends find out by the notices.
        return Ok(());
    };
    let length = frame.len();
    // A participant who does not read is closed by its own connection, which drops its queue.
    if other.send(Outgoing::Frame(frame)).await.is_ok() {
        relay.metrics.forwarded(length);
    }
    Ok(())
}

/// Sends to the client what comes for it.
async fn send(queued: &mut mpsc::Receiver<Outgoing>, sink: &mut Sink, read_duration_max: Duration) -> Ended {
    while let Some(outgoing) = queued.recv().await {
        let message = match outgoing {
            Outgoing::Frame(frame) => Message::Binary(frame),
            Outgoing::Notice(notice) => Message::Text(notice.text().into()),
            Outgoing::Close(code) => return Ended::ByRelay(code),
        };
        match timeout_at(Instant::now() + read_duration_max, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ended::ByClient,
            Err(_) => return Ended::ByRelay(CloseCode::Slow),
        }
    }
    // The place in the room was given to another connection or taken away.
    Ended::ByRelay(CloseCode::Replaced)
}

/// What a connection may send, as the time at which its allowance is full again ("generic cell rate algorithm").
struct Allowance {
    per_second: NonZeroU32,
    full_at: Instant,
}

impl Allowance {
    fn new(per_second: NonZeroU32) -> Self {
        Self {
            per_second,
            full_at: Instant::now(),
        }
    }

    /// Takes so much. Returns the time from which on it may be used.
    fn take(&mut self, amount: usize) -> Instant {
        let now = Instant::now();
        let seconds = amount as f64 / f64::from(self.per_second.get());
        self.full_at = self.full_at.max(now) + Duration::from_secs_f64(seconds);
        let burst = Duration::from_secs(RelayLimits::BURST_SECONDS.into());
        self.full_at.checked_sub(burst).map_or(now, |at| at.max(now))
    }
}

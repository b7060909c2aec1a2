//! The rooms: who is in them, and how they reach each other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use opencoin_transfer::ClientToken;
use opencoin_transfer::relay::{CloseCode, Notice, Seat};
use tokio::sync::mpsc;

/// The frames that wait for a participant who reads slowly.
pub const QUEUE_FRAMES: usize = 4;

/// The number of a room.
pub(crate) type RoomNo = [u8; 16];

/// What a connection is told to send to its client.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A frame of the other participant.
    Frame(Bytes),
    /// The other participant comes or goes.
    Notice(Notice),
    /// The end of the connection.
    Close(CloseCode),
}

/// All rooms.
pub(crate) struct Rooms {
    rooms: Mutex<HashMap<RoomNo, Room>>,
    rooms_max: usize,
}

struct Room {
    made: Instant,
    maker: Option<Seated>,
    taker: Option<Seated>,
}

/// A connection in its place.
struct Seated {
    /// The number of the connection in this process.
    connection: u64,
    client: ClientToken,
    queue: mpsc::Sender<Outgoing>,
}

impl Room {
    fn seat(&mut self, seat: Seat) -> &mut Option<Seated> {
        match seat {
            Seat::Maker => &mut self.maker,
            Seat::Taker => &mut self.taker,
        }
    }
}

/// A connection that has entered a room. When it is dropped, the connection leaves.
pub(crate) struct Place {
    rooms: Arc<Rooms>,
    room: RoomNo,
    seat: Seat,
    connection: u64,
    /// When the room was opened.
    pub(crate) made: Instant,
}

impl Rooms {
    pub(crate) fn new(rooms_max: u32) -> Arc<Self> {
        Arc::new(Self {
            rooms: Mutex::default(),
            rooms_max: rooms_max as usize,
        })
    }

    /// The number of rooms.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Enters a room, which is made if there is none. A connection of the same client is replaced. What comes for the
    /// connection is put into `queue`, first of all whether the other participant is there.
    pub(crate) fn enter(
        self: &Arc<Self>,
        room_no: RoomNo,
        (seat, client): (Seat, ClientToken),
        connection: u64,
        queue: mpsc::Sender<Outgoing>,
        (now, room_age_max): (Instant, Duration),
    ) -> Result<Place, CloseCode> {
        let mut rooms = self.lock();
        let count = rooms.len();
        let room = match rooms.entry(room_no) {
            Entry::Occupied(room) => room.into_mut(),
            Entry::Vacant(_) if count >= self.rooms_max => return Err(CloseCode::RelayFull),
            Entry::Vacant(room) => room.insert(Room {
                made: now,
                maker: None,
                taker: None,
            }),
        };
        let made = room.made;
        if now.saturating_duration_since(made) > room_age_max {
            return Err(CloseCode::RoomTooOld);
        }
        let taken = room.seat(seat);
        if let Some(before) = taken.take() {
            if before.client != client {
                *taken = Some(before);
                return Err(CloseCode::Occupied);
            }
            // If its queue is full, the old connection ends when it finds out that its place is another's.
            let _ = before.queue.try_send(Outgoing::Close(CloseCode::Replaced));
        }
        *taken = Some(Seated {
            connection,
            client,
            queue: queue.clone(),
        });
        let notice = match room.seat(seat.other()) {
            // A participant who cannot be told that the other one has come back would mix up two connections.
            Some(other) if other.queue.try_send(Outgoing::Notice(Notice::Here)).is_err() => {
                *room.seat(seat.other()) = None;
                Notice::Gone
            }
            Some(_) => Notice::Here,
            None => Notice::Gone,
        };
        let _ = queue.try_send(Outgoing::Notice(notice));
        Ok(Place {
            rooms: Arc::clone(self),
            room: room_no,
            seat,
            connection,
            made,
        })
    }

    /// Ends all connections.
    pub(crate) fn close(&self) {
        for room in self.lock().values() {
            for seated in [&room.maker, &room.taker].into_iter().flatten() {
                let _ = seated.queue.try_send(Outgoing::Close(CloseCode::Stopping));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoomNo, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The queue of the other participant, if it is there.
    ///
    /// # Errors
    /// This connection has no place any more.
    pub(crate) fn other(&self) -> Result<Option<mpsc::Sender<Outgoing>>, CloseCode> {
        let mut rooms = self.rooms.lock();
        let room = rooms.get_mut(&self.room).ok_or(CloseCode::Replaced)?;
        match room.seat(self.seat) {
            Some(seated) if seated.connection == self.connection => {}
            Some(_) => return Err(CloseCode::Replaced),
            None => return Err(CloseCode::Slow),
        }
        let other = room.seat(self.seat.other()).as_ref();
        Ok(other.map(|other| other.queue.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        let Entry::Occupied(mut room) = rooms.entry(self.room) else {
            return;
        };
        let seat = room.get_mut().seat(self.seat);
        if seat
            .as_ref()
            .is_some_and(|seated| seated.connection == self.connection)
        {
            *seat = None;
            if let Some(other) = room.get_mut().seat(self.seat.other()) {
                // If the queue is full, the other participant finds out by its silence.
                let _ = other.queue.try_send(Outgoing::Notice(Notice::Gone));
            }
        }
        if room.get().maker.is_none() && room.get().taker.is_none() {
            room.remove();
        }
        if rooms.capacity() > 4 * rooms.len() {
            rooms.shrink_to_fit();
        }
    }
}

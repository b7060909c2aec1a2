//! Payment requests that many may pay: payers meet the till in one room, and each gets a room of their own.
//!
//! In the first room the till is the maker. Each payer takes the other place under a token of their own, so that a second
//! one who comes meanwhile is refused by the relay and tries again. Once the channel is open the till sends message 26
//! with the secret of a new room, which both have stored before they go there.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use opencoin_transfer::machine::receiver::ReceiverRecord;
use opencoin_transfer::machine::sender::SenderRecord;
use opencoin_transfer::machine::{Durable, Participant};
use opencoin_transfer::message::{Body, Message};
use opencoin_transfer::relay::{CloseCode, Notice, Seat};
use opencoin_transfer::{Party, Secret32};
use opencoin_wallet::Upgrader;
use tokio::time::sleep;

use crate::driver::run;
use crate::error::{RelayError, TransferError};
use crate::person::{Person, Progress};
use crate::random::Random;
use crate::relay::{Connection, Ended, Input, entry};
use crate::running::Running;
use crate::setting::{Patience, Setting};
use crate::shared::SharedWallet;
use crate::stored::{SenderEntry, StoredRecord};
use crate::wallet::TransferWallet;

/// The pause before a payer tries again to enter a room in which another one is.
const OCCUPIED_PAUSE: Duration = Duration::from_millis(500);
/// How often a payer tries to enter.
const OCCUPIED_ATTEMPTS_MAX: u32 = 120;
/// The most payments that a till serves at the same time.
const PAYMENTS_MAX: usize = 16;

/// Asks a till for a room of one's own. Returns the stored record of a sender, which [`run`] drives. `None` if the person
/// stops.
///
/// # Errors
/// The wallet cannot be written, or the relay cannot be used.
pub async fn own_room(
    request: &Participant,
    wallet: &mut dyn TransferWallet,
    person: &mut dyn Person,
    setting: &mut Setting<'_>,
) -> Result<Option<StoredRecord>, TransferError> {
    let mut attempts = 0;
    loop {
        let asked = tokio::select! {
            asked = ask(request, wallet, person, setting.upgrader, setting.rng) => asked,
            () = &mut setting.stop => return Ok(None),
        };
        match asked {
            Ok(record) => return Ok(Some(record)),
            Err(TransferError::Relay(error)) if error.is_temporary() && attempts < OCCUPIED_ATTEMPTS_MAX => {
                person.tell(Progress::Retrying(&error.to_string()));
                attempts += 1;
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = sleep(OCCUPIED_PAUSE) => {}
            () = &mut setting.stop => return Ok(None),
        }
    }
}

async fn ask(
    request: &Participant,
    wallet: &mut dyn TransferWallet,
    person: &mut dyn Person,
    upgrader: &Upgrader,
    rng: &mut dyn Random,
) -> Result<StoredRecord, TransferError> {
    let broken = |reason: String| TransferError::Relay(RelayError::Refused(reason));
    let mut connection = Connection::open(upgrader, &entry(request, false), rng).await?;
    loop {
        match connection.next().await {
            Input::Notice(Notice::Gone) => {
                connection.state = crate::relay::PeerState::Gone;
                person.tell(Progress::Waiting);
            }
            Input::Notice(Notice::Here) => {
                let key = request.key().map_err(|_| TransferError::Key)?;
                let shaking = connection.shake(&request.invitation, Seat::Taker, key, rng);
                shaking.await.map_err(broken)?;
            }
            Input::Frame(frame) => match connection.opened(&frame) {
                Some(Ok(Message {
                    from: Party::Receiver,
                    body: Body::OwnRoom(secret),
                    sequence,
                    ..
                })) => {
                    let one = request.invitation.for_one(secret);
                    let record = SenderRecord::paying(one, rng).ok_or(TransferError::Key)?;
                    let record = StoredRecord::Sender(SenderEntry {
                        record,
                        request: Some(request.id().to_string()),
                    });
                    let id = record.participant().id().to_string();
                    wallet.store(&id, Durable::Put, &record.value(), false).await?;
                    // The till may let the next payer in.
                    let seen = Message {
                        from: Party::Sender,
                        sequence: 0,
                        acknowledges: sequence,
                        body: Body::Heartbeat,
                    };
                    connection.send(&seen).await.map_err(broken)?;
                    connection.close().await;
                    return Ok(record);
                }
                Some(Ok(_)) => {}
                Some(Err(reason)) => return Err(broken(reason)),
                None => {
                    connection.shaken(&frame).await.map_err(broken)?;
                }
            },
            Input::Beat => connection.beat(&heartbeat(Party::Sender)).await.map_err(broken)?,
            Input::Ended(ended) => return Err(ended_error(ended)),
        }
    }
}

/// Serves a payment request until the person stops: every payer gets a room of their own, and each payment runs there.
/// `person_of` makes the person who sees a payment, `paid` hears of each result. Payments that were interrupted continue.
///
/// # Errors
/// The wallet cannot be written, or the relay cannot be used for long.
pub async fn till<W: TransferWallet>(
    request: &Participant,
    wallet: &SharedWallet<'_, W>,
    person_of: &(dyn Fn(&str) -> Box<dyn Person> + Sync),
    rng_of: &(dyn Fn() -> Box<dyn Random> + Sync),
    setting: &mut Setting<'_>,
    paid: &mut (dyn FnMut(&ReceiverRecord) + Send),
) -> Result<(), TransferError> {
    let (upgrader, now_s, patience) = (setting.upgrader, setting.now_s, setting.patience);
    let pay = |record: StoredRecord| {
        let (mut wallet, mut rng) = (wallet.clone(), rng_of());
        let mut person = person_of(&record.participant().id().to_string());
        async move {
            let mut stop = Box::pin(std::future::pending());
            let setting = Setting {
                upgrader,
                now_s,
                rng: &mut *rng,
                stop: stop.as_mut(),
                patience,
                is_expected: true,
            };
            run::<ReceiverRecord>(&record, &mut wallet, &mut *person, setting).await
        }
    };
    let mut payments = FuturesUnordered::new();
    for record in unfinished(request, wallet).await? {
        payments.push(pay(record));
    }
    let enter = |attempts: u32| {
        let (mut wallet, mut rng) = (wallet.clone(), rng_of());
        let mut person = person_of(&request.id().to_string());
        async move {
            if attempts > 0 {
                pause(&patience, attempts).await;
            }
            let entered = let_in(request, &mut wallet, &mut *person, upgrader, &mut *rng).await;
            if let Err(TransferError::Relay(error)) = &entered {
                person.tell(Progress::Retrying(&error.to_string()));
            }
            entered
        }
    };
    let mut attempts = 0;
    let mut entering = Box::pin(enter(attempts));
    loop {
        tokio::select! {
            () = &mut setting.stop => return Ok(()),
            // A payment that cannot go on, for example because its payer does not let the till in, is stored and goes on
            // at the next start. The others do not wait for it.
            Some(ended) = payments.next() => match ended {
                Ok(record) => paid(&record),
                Err(TransferError::Relay(_)) => {}
                Err(error) => return Err(error),
            },
            // At the limit, the next payer waits in the first room.
            entered = &mut entering, if payments.len() < PAYMENTS_MAX => {
                match entered {
                    Ok(record) => {
                        attempts = 0;
                        payments.push(pay(record));
                    }
                    Err(TransferError::Relay(error)) if error.is_temporary() => attempts += 1,
                    Err(error) => return Err(error),
                }
                entering = Box::pin(enter(attempts));
            }
        }
    }
}

async fn pause(patience: &Patience, attempts: u32) {
    let pause = patience.pause_first.saturating_mul(1 << attempts.min(16));
    sleep(pause.min(patience.pause_max)).await;
}

/// The payments of this request that have begun and not ended.
async fn unfinished<W: TransferWallet>(
    request: &Participant,
    wallet: &SharedWallet<'_, W>,
) -> Result<Vec<StoredRecord>, TransferError> {
    let mut wallet = wallet.clone();
    let all = crate::wallet::check_stored(&mut wallet).await?;
    let is_of_request = |record: &StoredRecord| match ReceiverRecord::of(record) {
        Some(receiver) => {
            let secret = receiver.participant.invitation.secret.clone();
            !receiver.is_over() && receiver.participant.invitation == request.invitation.for_one(secret)
        }
        None => false,
    };
    Ok(all
        .into_iter()
        .map(|(_, record)| record)
        .filter(is_of_request)
        .collect())
}

/// Waits for a payer and gives them a room of their own.
async fn let_in(
    request: &Participant,
    wallet: &mut dyn TransferWallet,
    person: &mut dyn Person,
    upgrader: &Upgrader,
    rng: &mut dyn Random,
) -> Result<StoredRecord, TransferError> {
    let broken = |reason: String| TransferError::Relay(RelayError::Refused(reason));
    let mut connection = Connection::open(upgrader, &entry(request, true), rng).await?;
    let mut given: Option<StoredRecord> = None;
    loop {
        match connection.next().await {
            Input::Notice(Notice::Gone) => {
                connection.state = crate::relay::PeerState::Gone;
                given = None;
            }
            Input::Notice(Notice::Here) => {
                given = None;
                let key = request.key().map_err(|_| TransferError::Key)?;
                let shaking = connection.shake(&request.invitation, Seat::Maker, key, rng);
                shaking.await.map_err(broken)?;
            }
            Input::Frame(frame) => match connection.opened(&frame) {
                // The payer has stored the secret.
                Some(Ok(message)) if message.acknowledges >= 1 => {
                    if let Some(record) = given.take() {
                        connection.close().await;
                        return Ok(record);
                    }
                }
                Some(Ok(_)) => {}
                // A payer who breaks the protocol goes; the next one may come.
                Some(Err(_)) => return Err(broken("a payer did not follow the protocol".to_owned())),
                None => {
                    if let Some((_, digits)) = connection.shaken(&frame).await.map_err(broken)? {
                        person.tell(Progress::Connected(digits));
                        let secret = Secret32::random(rng);
                        let one = request.invitation.for_one(secret.clone());
                        let record = StoredRecord::Receiver {
                            record: ReceiverRecord::new(one, rng),
                        };
                        let id = record.participant().id().to_string();
                        wallet.store(&id, Durable::Put, &record.value(), false).await?;
                        given = Some(record);
                        let room = Message {
                            from: Party::Receiver,
                            sequence: 1,
                            acknowledges: 0,
                            body: Body::OwnRoom(secret),
                        };
                        connection.send(&room).await.map_err(broken)?;
                    }
                }
            },
            Input::Beat => connection
                .beat(&heartbeat(Party::Receiver))
                .await
                .map_err(broken)?,
            Input::Ended(ended) => return Err(ended_error(ended)),
        }
    }
}

const fn heartbeat(from: Party) -> Message {
    Message {
        from,
        sequence: 0,
        acknowledges: 0,
        body: Body::Heartbeat,
    }
}

fn ended_error(ended: Ended) -> TransferError {
    TransferError::Relay(match ended {
        Ended::Closed(code @ CloseCode::Replaced) => RelayError::Closed(code),
        Ended::Closed(code) => RelayError::Closed(code),
        Ended::Broken(reason) => RelayError::Refused(reason),
    })
}

//! Two participants over a real relay on loopback, with wallets in memory.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod double;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use opencoin_relay::{Relay, RelayOptions, serve};
use opencoin_schema::BigInt;
use opencoin_transfer::invitation::{Invitation, Kind};
use opencoin_transfer::machine::receiver::{ReceiverRecord, ReceiverState};
use opencoin_transfer::machine::sender::{SenderEnd, SenderRecord, SenderState};
use opencoin_transfer::message::{AbortReason, Offer};
use opencoin_transfer::{Party, Secret32};
use opencoin_transfer_client::{
    Patience, Person, Progress, RelayError, Running, SenderEntry, Setting, StoredRecord, TransferError, run,
};
use opencoin_wallet::{Network, TransferCoins};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::double::{Bank, MemoryWallet};

const NOW_S: u64 = 1_800_000_000;
const AMOUNT: u64 = 3439;

/// A relay that can be stopped.
struct RunningRelay {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl RunningRelay {
    async fn start(address: SocketAddr) -> Self {
        // The port of a relay that has just stopped may be taken again at once.
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { drop(stopped.await) };
        let served = tokio::spawn(serve(
            listener,
            None,
            Relay::new(RelayOptions::default()),
            shutdown,
        ));
        Self {
            address,
            stop,
            served,
        }
    }

    async fn any() -> Self {
        Self::start("127.0.0.1:0".parse().unwrap()).await
    }

    async fn stop(self) {
        drop(self.stop);
        self.served.await.unwrap();
    }
}

fn invitation(relay: &str) -> Invitation {
    Invitation {
        relay: relay.parse().unwrap(),
        secret: Secret32::from_bytes([7; 32]),
        issuer_id: BigInt::from_be_bytes(&[0xa1; 32]),
        issuer_url: "https://issuer.example".to_owned(),
        expires: NOW_S + 1000,
        kind: Kind::ToReceive,
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn sender(invitation: &Invitation) -> StoredRecord {
    let invitation = invitation.clone();
    let record = SenderRecord::inviting(invitation, AMOUNT, "gift".to_owned(), &mut rng(1));
    StoredRecord::Sender(SenderEntry {
        record,
        request: None,
    })
}

fn receiver(invitation: &Invitation, seed: u64) -> StoredRecord {
    StoredRecord::Receiver {
        record: ReceiverRecord::new(invitation.clone(), &mut rng(seed)),
    }
}

/// What a person has seen. Stops the program at a message.
#[derive(Clone, Default)]
struct Watcher {
    seen: Arc<Mutex<Vec<String>>>,
    says_no: bool,
    stop_at: Option<(Party, u8)>,
    stop: Arc<tokio::sync::Notify>,
    /// As `stop_at`, for a crash.
    crash_at: Option<(Party, u8)>,
    crash: Arc<tokio::sync::Notify>,
}

impl Watcher {
    fn has_seen(&self, what: &str) -> bool {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .any(|seen| seen.starts_with(what))
    }

    fn digits(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let digits = seen.iter().find_map(|seen| seen.strip_prefix("digits "));
        digits.unwrap().to_owned()
    }
}

#[async_trait]
impl Person for Watcher {
    async fn accepts(&mut self, offer: &Offer) -> bool {
        assert_eq!((offer.amount, offer.subject.as_str()), (AMOUNT, "gift"));
        !self.says_no
    }

    fn tell(&mut self, progress: Progress<'_>) {
        let text = match progress {
            Progress::Connected(digits) => format!("digits {digits}"),
            Progress::Message(from, number) => {
                if self.stop_at == Some((from, number)) {
                    self.stop.notify_one();
                }
                if self.crash_at == Some((from, number)) {
                    self.crash.notify_one();
                }
                format!("message {number}")
            }
            other => format!("{other:?}"),
        };
        self.seen.lock().unwrap().push(text);
    }
}

/// Drives a participant. A stop of the person here is like Ctrl-C.
async fn drive<M: Running>(
    record: &StoredRecord,
    wallet: &mut MemoryWallet,
    person: &mut Watcher,
) -> Result<M, TransferError> {
    let upgrader = Network::default().upgrader().unwrap();
    let stopped = Arc::clone(&person.stop);
    let mut stop = Box::pin(async move { stopped.notified().await });
    let setting = Setting {
        upgrader: &upgrader,
        now_s: &|| NOW_S,
        rng: &mut rng(wallet.seed()),
        stop: stop.as_mut() as Pin<&mut (dyn Future<Output = ()> + Send)>,
        patience: Patience {
            pause_first: Duration::from_millis(10),
            pause_max: Duration::from_millis(50),
            ..Patience::default()
        },
        is_expected: false,
    };
    run(record, wallet, person, setting).await
}

fn url(relay: &RunningRelay) -> String {
    format!("http://{}/relay", relay.address)
}

#[tokio::test]
async fn coins_go_over_and_both_see_the_same() {
    let relay = RunningRelay::any().await;
    let (invitation, bank) = (invitation(&url(&relay)), Bank::default());
    let (mut alice, mut bob) = (MemoryWallet::new(&bank, 1), MemoryWallet::new(&bank, 2));
    let (mut payer, mut payee) = (Watcher::default(), Watcher::default());
    let (sending, receiving) = (sender(&invitation), receiver(&invitation, 2));
    let (sent, received) = tokio::join!(
        drive::<SenderRecord>(&sending, &mut alice, &mut payer),
        drive::<ReceiverRecord>(&receiving, &mut bob, &mut payee),
    );
    assert!(matches!(
        sent.unwrap().state,
        SenderState::Delivered { is_closed: true, .. }
    ));
    assert!(matches!(
        received.unwrap().state,
        ReceiverState::Paid { is_seen: true, .. }
    ));
    assert_eq!(payer.digits(), payee.digits());
    assert_eq!(alice.coins(), TransferCoins::Ended);
    assert_eq!(bank.owner(), Some(Party::Receiver));
    relay.stop().await;
}

#[tokio::test]
async fn who_says_no_gets_nothing() {
    let relay = RunningRelay::any().await;
    let (invitation, bank) = (invitation(&url(&relay)), Bank::default());
    let (mut alice, mut bob) = (MemoryWallet::new(&bank, 1), MemoryWallet::new(&bank, 2));
    let (mut payer, mut payee) = (Watcher::default(), Watcher::default());
    payee.says_no = true;
    let (sending, receiving) = (sender(&invitation), receiver(&invitation, 2));
    let (sent, received) = tokio::join!(
        drive::<SenderRecord>(&sending, &mut alice, &mut payer),
        drive::<ReceiverRecord>(&receiving, &mut bob, &mut payee),
    );
    let SenderState::Ended(SenderEnd::Kept(ending)) = sent.unwrap().state else {
        panic!("the coins should have stayed");
    };
    assert_eq!(ending.reason, AbortReason::Declined);
    assert!(matches!(
        received.unwrap().state,
        ReceiverState::Ended { amount: 0, .. }
    ));
    assert_eq!((alice.coins(), bank.owner()), (TransferCoins::None, None));
    relay.stop().await;
}

/// The payer's program stops when the coins are on their way. The payee is paid and waits; the payer continues.
#[tokio::test]
async fn a_payer_who_stops_in_flight_continues_and_gets_the_receipt() {
    let relay = RunningRelay::any().await;
    let (invitation, bank) = (invitation(&url(&relay)), Bank::default());
    let (mut alice, mut bob) = (MemoryWallet::new(&bank, 1), MemoryWallet::new(&bank, 2));
    let (mut payer, mut payee) = (Watcher::default(), Watcher::default());
    payer.stop_at = Some((Party::Sender, 24));
    let (sending, receiving) = (sender(&invitation), receiver(&invitation, 2));
    let sending_twice = async {
        let stopped: SenderRecord = drive(&sending, &mut alice, &mut payer).await.unwrap();
        assert!(
            matches!(stopped.state, SenderState::InFlight(_)),
            "{:?}",
            stopped.state
        );
        assert_eq!(alice.coins(), TransferCoins::InFlight);
        payer.stop_at = None;
        let stored = alice.record();
        drive::<SenderRecord>(&stored, &mut alice, &mut payer)
            .await
            .unwrap()
    };
    let (sent, received) = tokio::join!(
        sending_twice,
        drive::<ReceiverRecord>(&receiving, &mut bob, &mut payee),
    );
    assert!(matches!(sent.state, SenderState::Delivered { .. }));
    assert!(matches!(received.unwrap().state, ReceiverState::Paid { .. }));
    relay.stop().await;
}

/// The relay goes away when the payee is ready for the coins, and comes back.
#[tokio::test]
async fn a_transfer_survives_a_restart_of_the_relay() {
    let relay = RunningRelay::any().await;
    let address = relay.address;
    let (invitation, bank) = (invitation(&url(&relay)), Bank::default());
    let (mut alice, mut bob) = (MemoryWallet::new(&bank, 1), MemoryWallet::new(&bank, 2));
    let (mut payer, mut payee) = (Watcher::default(), Watcher::default());
    // The payee's person takes their time, so that the relay goes before the answer.
    let (asked, mut slow) = payee.slow();
    let (sending, receiving) = (sender(&invitation), receiver(&invitation, 2));
    let restart = async {
        asked.notified().await;
        relay.stop().await;
        let relay = RunningRelay::start(address).await;
        slow.answer.notify_one();
        relay
    };
    let mut asking = slow.person.take().unwrap();
    let receiving = async {
        let upgrader = Network::default().upgrader().unwrap();
        let mut stop = Box::pin(std::future::pending::<()>());
        let setting = Setting {
            upgrader: &upgrader,
            now_s: &|| NOW_S,
            rng: &mut rng(9),
            stop: stop.as_mut(),
            patience: Patience::default(),
            is_expected: false,
        };
        run::<ReceiverRecord>(&receiving, &mut bob, &mut asking, setting).await
    };
    let (sent, received, relay) = tokio::join!(
        drive::<SenderRecord>(&sending, &mut alice, &mut payer),
        receiving,
        restart,
    );
    assert!(matches!(sent.unwrap().state, SenderState::Delivered { .. }));
    assert!(matches!(received.unwrap().state, ReceiverState::Paid { .. }));
    relay.stop().await;
}

/// A person who answers when they are told to.
struct Slow {
    answer: Arc<tokio::sync::Notify>,
    person: Option<SlowPerson>,
}

struct SlowPerson {
    asked: Arc<tokio::sync::Notify>,
    answer: Arc<tokio::sync::Notify>,
}

impl Watcher {
    fn slow(&mut self) -> (Arc<tokio::sync::Notify>, Slow) {
        let (asked, answer) = <(Arc<tokio::sync::Notify>, Arc<tokio::sync::Notify>)>::default();
        let person = SlowPerson {
            asked: Arc::clone(&asked),
            answer: Arc::clone(&answer),
        };
        let slow = Slow {
            answer,
            person: Some(person),
        };
        (asked, slow)
    }
}

#[async_trait]
impl Person for SlowPerson {
    async fn accepts(&mut self, _: &Offer) -> bool {
        self.asked.notify_one();
        self.answer.notified().await;
        true
    }

    fn tell(&mut self, _: Progress<'_>) {}
}

/// Somebody else has got the invitation too, and comes when the payee is away.
#[tokio::test]
async fn a_stranger_with_the_same_invitation_is_turned_away() {
    let relay = RunningRelay::any().await;
    let (invitation, bank) = (invitation(&url(&relay)), Bank::default());
    let (mut alice, mut bob) = (MemoryWallet::new(&bank, 1), MemoryWallet::new(&bank, 2));
    let mut thief = MemoryWallet::new(&bank, 3);
    let (mut payer, mut payee, mut stranger) = <(Watcher, Watcher, Watcher)>::default();
    payee.crash_at = Some((Party::Receiver, 20));
    let (sending, receiving) = (sender(&invitation), receiver(&invitation, 2));
    let stealing = receiver(&invitation, 3);
    let (watched, crash) = (payer.clone(), Arc::clone(&payee.crash));
    let others = async {
        tokio::select! {
            _ = drive::<ReceiverRecord>(&receiving, &mut bob, &mut payee) => panic!("it should have crashed"),
            () = crash.notified() => {}
        }
        // The thief tries until the payer has turned them away.
        let steal = drive::<ReceiverRecord>(&stealing, &mut thief, &mut stranger);
        let turned_away = async {
            while !watched.has_seen("Stranger") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = steal => panic!("the thief should not come to an end"),
            () = turned_away => {}
        }
    };
    let sending = drive::<SenderRecord>(&sending, &mut alice, &mut payer);
    tokio::select! {
        _ = sending => panic!("the payer should wait for Bob"),
        () = others => {}
    }
    assert_eq!(bank.owner(), None);
    relay.stop().await;
}

#[tokio::test]
async fn no_relay_is_an_error_and_a_relay_that_is_away_is_tried_again() {
    let bank = Bank::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = RunningRelay::any().await;
    let wrong = invitation(&format!("http://{}/elsewhere", relay.address));
    let mut alice = MemoryWallet::new(&bank, 1);
    let ran = drive::<SenderRecord>(&sender(&wrong), &mut alice, &mut Watcher::default()).await;
    assert!(
        matches!(ran, Err(TransferError::Relay(RelayError::NoRelay(_)))),
        "{:?}",
        ran.map(|record| record.state)
    );
    // Nobody listens there any more.
    let away = invitation(&format!("http://{}/relay", listener.local_addr().unwrap()));
    drop(listener);
    let mut person = Watcher::default();
    let seen = person.clone();
    let stop = Arc::clone(&person.stop);
    let watching = async {
        while !seen.has_seen("Retrying") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.notify_one();
    };
    let record = sender(&away);
    let (ran, ()) = tokio::join!(drive::<SenderRecord>(&record, &mut alice, &mut person), watching);
    assert!(matches!(
        ran.unwrap().state,
        SenderState::Ended(SenderEnd::Kept(_))
    ));
    relay.stop().await;
}

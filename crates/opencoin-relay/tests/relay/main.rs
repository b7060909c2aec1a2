//! The relay over real connections on loopback.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use opencoin_relay::{Relay, RelayLimits, RelayOptions, serve};
use opencoin_transfer::channel::FRAME_BYTES_MAX;
use opencoin_transfer::invitation::{Invitation, Kind};
use opencoin_transfer::relay::{CloseCode, Join, Notice, Seat};
use opencoin_transfer::{ClientToken, Secret32};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Running {
    address: SocketAddr,
    relay: Arc<Relay>,
}

async fn relay(limits: RelayLimits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = RelayOptions {
        limits,
        trusted_proxies: Vec::new(),
    };
    let relay = Relay::new(options);
    tokio::spawn(serve(listener, None, Arc::clone(&relay), std::future::pending()));
    Running { address, relay }
}

fn invitation(secret: u8) -> Invitation {
    Invitation {
        relay: "https://relay.example/relay".parse().unwrap(),
        secret: Secret32::from_bytes([secret; 32]),
        issuer_id: opencoin_schema::BigInt::from_be_bytes(&[1; 32]),
        issuer_url: "https://issuer.example".to_owned(),
        expires: 2_000_000_000,
        kind: Kind::ToReceive,
    }
}

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn of(running: &Running) -> Result<Self, Error> {
        let url = format!("ws://{}/relay", running.address);
        Ok(Self(connect_async(url).await?.0))
    }

    /// A client that has sent its first message.
    async fn joining(running: &Running, room: u8, seat: Seat, client: u8) -> Self {
        let join = Join::new(&invitation(room), seat, ClientToken([client; 16]));
        Self::saying(running, &join.text()).await
    }

    async fn saying(running: &Running, text: &str) -> Self {
        let mut client = Self::of(running).await.unwrap();
        client.0.send(Message::text(text)).await.unwrap();
        client
    }

    async fn send(&mut self, frame: &[u8]) {
        self.0.send(Message::binary(frame.to_vec())).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
        next.expect("something comes")
            .expect("the connection is open")
            .unwrap()
    }

    async fn notice(&mut self) -> Notice {
        match self.next().await {
            Message::Text(text) => Notice::read(&text).unwrap(),
            other => panic!("{other:?} instead of a notice"),
        }
    }

    async fn frame(&mut self) -> Vec<u8> {
        match self.next().await {
            Message::Binary(frame) => frame.to_vec(),
            other => panic!("{other:?} instead of a frame"),
        }
    }

    async fn closed(&mut self) -> CloseCode {
        loop {
            if let Message::Close(Some(close)) = self.next().await {
                return CloseCode::of(close.code.into()).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn two_participants_reach_each_other_and_hear_of_each_other() {
    let running = relay(RelayLimits::default()).await;
    let mut maker = Client::joining(&running, 1, Seat::Maker, 1).await;
    assert_eq!(maker.notice().await, Notice::Gone);
    let mut taker = Client::joining(&running, 1, Seat::Taker, 2).await;
    assert_eq!(taker.notice().await, Notice::Here);
    assert_eq!(maker.notice().await, Notice::Here);
    // More frames than a queue holds, in both directions.
    for no in 0..100u8 {
        maker.send(&[no]).await;
        taker.send(&vec![no; FRAME_BYTES_MAX]).await;
    }
    for no in 0..100u8 {
        assert_eq!(taker.frame().await, [no]);
        assert_eq!(maker.frame().await, vec![no; FRAME_BYTES_MAX]);
    }
    drop(taker);
    assert_eq!(maker.notice().await, Notice::Gone);
    assert!(
        running
            .relay
            .metrics_text()
            .contains("opencoin_relay_frames_total 200")
    );
}

#[tokio::test]
async fn a_third_client_is_refused_and_the_others_stay() {
    let running = relay(RelayLimits::default()).await;
    let mut maker = Client::joining(&running, 1, Seat::Maker, 1).await;
    assert_eq!(maker.notice().await, Notice::Gone);
    let mut taker = Client::joining(&running, 1, Seat::Taker, 2).await;
    assert_eq!(taker.notice().await, Notice::Here);
    for seat in [Seat::Maker, Seat::Taker] {
        let mut third = Client::joining(&running, 1, seat, 3).await;
        assert_eq!(third.closed().await, CloseCode::Occupied);
    }
    assert_eq!(maker.notice().await, Notice::Here);
    maker.send(b"still here").await;
    assert_eq!(taker.frame().await, b"still here");
}

#[tokio::test]
async fn the_same_client_takes_its_place_again() {
    let running = relay(RelayLimits::default()).await;
    let mut maker = Client::joining(&running, 1, Seat::Maker, 1).await;
    assert_eq!(maker.notice().await, Notice::Gone);
    let mut before = Client::joining(&running, 1, Seat::Taker, 2).await;
    assert_eq!(before.notice().await, Notice::Here);
    let mut after = Client::joining(&running, 1, Seat::Taker, 2).await;
    assert_eq!(after.notice().await, Notice::Here);
    assert_eq!(before.closed().await, CloseCode::Replaced);
    assert_eq!(maker.notice().await, Notice::Here);
    assert_eq!(
        maker.notice().await,
        Notice::Here,
        "a new connection, so a new handshake"
    );
    after.send(b"again").await;
    assert_eq!(maker.frame().await, b"again");
}

#[tokio::test]
async fn the_number_of_a_room_does_not_open_it() {
    let running = relay(RelayLimits::default()).await;
    let text = Join::new(&invitation(1), Seat::Taker, ClientToken([9; 16])).text();
    let other = const_hex::encode(invitation(2).access());
    let guessed = text.replace(&const_hex::encode(invitation(1).access()), &other);
    let mut stranger = Client::saying(&running, &guessed).await;
    assert_eq!(stranger.closed().await, CloseCode::NoAccess);
    for wrong in [
        "",
        "{}",
        &text.replace("taker", "third"),
        &text.replace('1', "2"),
        &"x".repeat(600),
    ] {
        let mut stranger = Client::saying(&running, wrong).await;
        let code = stranger.closed().await;
        assert!(
            matches!(code, CloseCode::Malformed | CloseCode::NoAccess),
            "{code:?}"
        );
    }
}

#[tokio::test]
async fn what_is_too_long_or_no_frame_ends_the_connection() {
    let running = relay(RelayLimits::default()).await;
    let mut maker = Client::joining(&running, 1, Seat::Maker, 1).await;
    maker.notice().await;
    let _ = maker.0.send(Message::binary(vec![0; FRAME_BYTES_MAX + 1])).await;
    while let Some(Ok(_)) = maker.0.next().await {}
    let mut maker = Client::joining(&running, 1, Seat::Maker, 1).await;
    maker.notice().await;
    maker.0.send(Message::text("hello")).await.unwrap();
    assert_eq!(maker.closed().await, CloseCode::Malformed);
}

#[tokio::test]
async fn rooms_connections_age_and_silence_are_limited() {
    let one = NonZeroU32::new(1).unwrap();
    let running = relay(RelayLimits {
        rooms_max: one,
        ..RelayLimits::default()
    })
    .await;
    let mut first = Client::joining(&running, 1, Seat::Maker, 1).await;
    first.notice().await;
    let mut second = Client::joining(&running, 2, Seat::Maker, 1).await;
    assert_eq!(second.closed().await, CloseCode::RelayFull);

    let running = relay(RelayLimits {
        connections_per_address: 1,
        ..RelayLimits::default()
    })
    .await;
    let mut first = Client::joining(&running, 1, Seat::Maker, 1).await;
    first.notice().await;
    match Client::of(&running).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 429),
        other => panic!("{:?}", other.map(|_| ())),
    }

    let running = relay(RelayLimits {
        room_age_max: Duration::ZERO,
        ..RelayLimits::default()
    })
    .await;
    let mut old = Client::joining(&running, 1, Seat::Maker, 1).await;
    assert_eq!(old.closed().await, CloseCode::RoomTooOld);

    let running = relay(RelayLimits {
        idle_duration_max: Duration::from_millis(1),
        ..RelayLimits::default()
    })
    .await;
    let mut silent = Client::joining(&running, 1, Seat::Maker, 1).await;
    assert_eq!(silent.closed().await, CloseCode::Idle);
}

#[tokio::test]
async fn a_stopping_relay_says_so() {
    let running = relay(RelayLimits::default()).await;
    let mut maker = Client::joining(&running, 1, Seat::Maker, 1).await;
    maker.notice().await;
    running.relay.stop();
    assert_eq!(maker.closed().await, CloseCode::Stopping);
    match Client::of(&running).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 503),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[tokio::test]
async fn a_browser_is_told_what_an_invitation_is() {
    let running = relay(RelayLimits::default()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = "GET /relay HTTP/1.1\r\nHost: relay.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.contains("opencoin wallet receive LINK"), "{answer}");
}

//! The account client against a scripted server: repeated requests, pauses and stored payments.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use opencoin_api::{ChangePassword, Transfer};
use opencoin_wallet::account::{AccountClient, AccountError, Outbox, Payer, Payment, Receipt, Watch, pay};
use opencoin_wallet::{HttpTransport, Network, OnBehalf, Secret, Transport};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ENTRY: &str = r#"{"id":7,"at":"2026-01-01T00:00:00Z","kind":"transfer","amount":-5,"counterparty":"bob","label":"rent"}"#;

/// The server's reaction to one request.
#[derive(Debug, Clone)]
enum Turn {
    /// Closes the connection.
    HangUp,
    /// Sends nothing and keeps the connection open.
    Hold,
    /// Answers with this status line, these headers and this body.
    Answer(&'static str, &'static str, String),
    /// Answers with the beginning of an event stream and closes the connection.
    Stream(String),
}

const UNAUTHORIZED: &str = "opencoin-error: unauthorized\r\n";

fn refusal(status: &'static str, headers: &'static str, detail: &str) -> Turn {
    Turn::Answer(
        status,
        headers,
        format!(r#"{{"detail":"{detail}","status":0,"title":"word"}}"#),
    )
}

fn created() -> Turn {
    Turn::Answer("201 Created", "", ENTRY.to_owned())
}

/// A server with one turn for each request. It records the requests.
struct Server {
    url: String,
    client: AccountClient,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(turns: Vec<Turn>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/base/", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut held = Vec::new();
            for turn in turns {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                notes.lock().unwrap().push(request);
                let text = match turn {
                    Turn::HangUp => continue,
                    Turn::Hold => {
                        held.push(stream);
                        continue;
                    }
                    Turn::Answer(status, headers, body) => {
                        format!(
                            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                            body.len()
                        )
                    }
                    Turn::Stream(body) => {
                        format!(
                            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n{body}"
                        )
                    }
                };
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        let client = AccountClient::new(&url.parse().unwrap(), &Network::default())
            .unwrap()
            .with_token(Secret::new("ocs_token"));
        Self { url, client, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    async fn pay(&self, folder: &Path, new_key: &str) -> Result<(Receipt, bool), AccountError> {
        let payer = Payer::new("http://issuer.test", "alice");
        let mut outbox = Outbox::open(folder).unwrap();
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let paid = pay(
            &self.client,
            &mut outbox,
            &payer,
            &rent(),
            || new_key.to_owned(),
            now,
        )
        .await?;
        outbox.settle(&payer, &paid.key).unwrap();
        Ok((paid.receipt, paid.is_repeated))
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let expected = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next()?.parse().ok());
        if length == 0 || body.len() >= expected.unwrap_or(0) {
            return text;
        }
    }
}

fn rent() -> Payment {
    Payment::Transfer(Transfer {
        to: "bob".to_owned(),
        amount: 5,
        label: "rent".to_owned(),
    })
}

fn key_of(request: &str) -> &str {
    let (_, rest) = request.split_once("idempotency-key: ").unwrap();
    rest.lines().next().unwrap()
}

/// Returns the keys of the payments in the outbox.
fn kept(folder: &TempDir) -> Vec<String> {
    let payments = Outbox::unanswered(folder.path()).unwrap();
    payments.into_iter().map(|payment| payment.key).collect()
}

#[tokio::test]
async fn after_a_lost_answer_the_request_is_repeated_with_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(vec![
        Turn::HangUp,
        refusal("503 Service Unavailable", "retry-after: 0\r\n", "away"),
        created(),
    ])
    .await;
    let (receipt, is_repeated) = server.pay(folder.path(), "k1").await.unwrap();
    assert!(matches!(receipt, Receipt::Entry(entry) if entry.id == 7) && !is_repeated);
    let heard = server.heard();
    for request in &heard {
        assert!(
            request.starts_with("post /base/v1/transfers http/1.1"),
            "{request}"
        );
        assert_eq!(key_of(request), "k1");
    }
    assert_eq!((heard.len(), kept(&folder)), (3, Vec::new()));
}

#[tokio::test]
async fn a_refusal_ends_a_payment_unless_an_earlier_outcome_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let unauthorized = || refusal("401 Unauthorized", UNAUTHORIZED, "who are you");
    let slower = refusal(
        "429 Too Many Requests",
        "opencoin-error: too-many-requests\r\nretry-after: 900\r\n",
        "slower",
    );
    let poor = refusal(
        "402 Payment Required",
        "opencoin-error: insufficient-funds\r\n",
        "too little",
    );
    let cases: [(_, _, _, &[&str]); 5] = [
        (
            vec![unauthorized()],
            "k1",
            "the issuer does not recognise the account's token or password: who are you",
            &[],
        ),
        // The first attempt may have been carried out.
        (vec![Turn::HangUp, unauthorized()], "k2", "who are you", &["k2"]),
        (
            vec![unauthorized()],
            "k3",
            "the issuer does not recognise the account's token or password: who are you",
            &["k2"],
        ),
        (
            vec![slower],
            "k3",
            "the issuer asks to wait: slower; try again in 900 seconds",
            &["k2"],
        ),
        // The issuer knows the key, so this is the outcome of the payment.
        (vec![poor], "k3", "the account does not hold enough money", &[]),
    ];
    for (turns, key, expected, expected_kept) in cases {
        let server = Server::start(turns).await;
        let error = server.pay(folder.path(), key).await.unwrap_err().to_string();
        assert_eq!(
            (error.as_str(), kept(&folder)),
            (
                expected,
                expected_kept.iter().map(|key| (*key).to_owned()).collect()
            )
        );
    }
}

/// Such an answer may come from a proxy, which does not know the outcome of an earlier attempt.
#[tokio::test]
async fn an_answer_without_an_error_word_leaves_a_payment_open() {
    let folder = tempfile::tempdir().unwrap();
    // The wait is longer than the client's limit.
    let page = |status| {
        Turn::Answer(
            status,
            "retry-after: 11\r\n",
            "<html>no such page</html>".to_owned(),
        )
    };
    for status in [
        "404 Not Found",
        "403 Forbidden",
        "401 Unauthorized",
        "429 Too Many Requests",
    ] {
        // The issuer may have made the first attempt's payment. The other answers come from a proxy.
        for (turns, key) in [
            (vec![Turn::HangUp, page(status)], "k1"),
            (vec![page(status)], "k2"),
        ] {
            let server = Server::start(turns).await;
            let error = server.pay(folder.path(), key).await.unwrap_err();
            assert!(matches!(error, AccountError::Open(_)), "{error}");
        }
        assert_eq!(kept(&folder), ["k1"]);
    }
    let server = Server::start(vec![created()]).await;
    let _ = server.pay(folder.path(), "k3").await.unwrap();
    assert_eq!((key_of(&server.heard()[0]), kept(&folder)), ("k1", Vec::new()));
}

#[tokio::test]
async fn a_short_retry_after_is_obeyed() {
    let slower = refusal(
        "429 Too Many Requests",
        "opencoin-error: too-many-requests\r\nretry-after: 0\r\n",
        "slower",
    );
    let balance = Turn::Answer("200 OK", "", r#"{"balance":5,"news":true}"#.to_owned());
    let server = Server::start(vec![slower, balance]).await;
    assert_eq!(server.client.balance().await.unwrap().balance, 5);
    // Control characters of the issuer are escaped.
    let server = Server::start(vec![refusal(
        "403 Forbidden",
        "opencoin-error: forbidden\r\n",
        "no\\u001b[2J",
    )])
    .await;
    assert_eq!(
        server.client.balance().await.unwrap_err().to_string(),
        "the issuer does not allow this with the token that was given: no\\u{1b}[2J"
    );
}

/// The wallet itself repeats requests whose outcome is unknown.
#[tokio::test]
async fn a_transport_repeats_only_rate_limited_requests() {
    let transport = HttpTransport::new(&Network::default()).unwrap();
    let limited = refusal("429 Too Many Requests", "retry-after: 0\r\n", "slower");
    let server = Server::start(vec![limited, created()]).await;
    let answer = transport
        .send(&server.url, OnBehalf::Nobody, Some("{}"))
        .await
        .unwrap();
    assert_eq!((answer.status, server.heard().len()), (201, 2));
    let server = Server::start(vec![Turn::HangUp, created()]).await;
    let error = transport
        .send(&server.url, OnBehalf::Nobody, Some("{}"))
        .await
        .unwrap_err();
    assert!(error.was_sent && server.heard().len() == 1, "{error}");
    let server = Server::start(vec![refusal("502 Bad Gateway", "", "away"), created()]).await;
    let answer = transport
        .send(&server.url, OnBehalf::Nobody, Some("{}"))
        .await
        .unwrap();
    assert_eq!((answer.status, server.heard().len()), (502, 1));
}

#[tokio::test]
async fn requests_that_must_not_be_repeated_are_sent_once() {
    let change = ChangePassword {
        current: None,
        new: opencoin_api::Secret::new("a secret password"),
    };
    for turn in [Turn::HangUp, refusal("502 Bad Gateway", "", "away")] {
        let server = Server::start(vec![turn, created()]).await;
        let error = server.client.change_password(&change).await.unwrap_err();
        assert!(
            matches!(&error, AccountError::Open(_)) && !error.to_string().contains("secret"),
            "{error}"
        );
        assert_eq!(server.heard().len(), 1);
        let error = server.client.rotate_service("../x").await;
        assert!(
            error.is_err() || server.heard()[1].starts_with("post /base/v1/services/..%2fx/rotate"),
            "{:?}",
            server.heard()
        );
    }
}

#[tokio::test]
async fn a_watch_continues_after_the_last_entry() {
    let entry = |id: u64| format!("id: {id}\ndata: {}\n\n", ENTRY.replace(":7,", &format!(":{id},")));
    let turns = vec![
        Turn::Stream(format!("id: 4\n\n{}{}{}", entry(5), entry(6), &entry(7)[..30])),
        refusal("503 Service Unavailable", "", "away"),
        // The server repeats an entry.
        Turn::Stream(format!(
            ": keep-alive\n\n{}{}event: news\ndata: 1\n\n",
            entry(6),
            entry(7)
        )),
        refusal("401 Unauthorized", UNAUTHORIZED, "who are you"),
    ];
    let server = Server::start(turns).await;
    let mut watch = Watch::new(server.client.clone(), 4);
    let mut shown = Vec::new();
    let ended = loop {
        match tokio::time::timeout(Duration::from_secs(30), watch.next())
            .await
            .unwrap()
        {
            Ok(entry) => shown.push(entry.id),
            Err(error) => break error,
        }
    };
    assert!(ended.is_unauthorized(), "{ended}");
    assert_eq!(shown, [5, 6, 7]);
    let cursors: Vec<String> = server
        .heard()
        .iter()
        .map(|request| request.lines().next().unwrap().to_owned())
        .collect();
    let asked = |after: u64| format!("get /base/v1/account/entries?after={after} http/1.1");
    assert_eq!(cursors, [asked(4), asked(6), asked(6), asked(7)]);
    assert!(server.heard()[0].contains("accept: text/event-stream"));
}

#[tokio::test]
async fn a_watch_reconnects_if_the_server_does_not_answer() {
    let server = Server::start(vec![
        Turn::Hold,
        Turn::Stream(format!("id: 5\ndata: {}\n\n", ENTRY.replace(":7,", ":5,"))),
    ])
    .await;
    let mut watch = Watch::new(server.client.clone(), 4);
    let shown = tokio::spawn(async move { watch.next().await.map(|entry| entry.id) });
    while server.heard().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(30), shown)
            .await
            .unwrap()
            .unwrap()
            .unwrap(),
        5
    );
    assert_eq!(server.heard().len(), 2);
}

//! The log at TRACE shows alarms, but never a reference, a blind or a signature.

use std::io;
use std::sync::{Arc, Mutex};

use opencoin_crypto::{AcceptedBlinds, SignError, Signer};
use opencoin_schema::BigInt;
use tracing_subscriber::fmt;

use crate::support::{
    KEYS, Place, accept, blinds, books, disagrees, local_signer, request, sign_each, within,
};

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Signs with the wrong numbers.
struct Liar;

#[async_trait::async_trait]
impl Signer for Liar {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        Ok(accepted
            .blinds
            .iter()
            .map(|blind| blind.blinded.clone())
            .collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_do_not_reach_the_log_at_trace() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // For the whole process. With a subscriber for one thread, `tracing` would cache callsites of other tests as
    // disabled.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let secrets = every_flow().await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        [" DEBUG sqlx", "connected to the signer", "a wrong signature"]
            .iter()
            .all(|text| log.contains(text)),
        "{log}"
    );
    let alarm = log.lines().find(|line| line.contains("ALARM")).expect("an alarm");
    assert!(
        alarm.contains(" ERROR ") && alarm.contains(": ALARM: "),
        "it is an error and begins so: {alarm}"
    );
    for secret in secrets {
        assert!(
            secret.len() >= 16 && !log.contains(&secret),
            "{secret} is in the log"
        );
    }
}

/// Signs, repeats, refuses, returns wrong signatures, sends garbage and raises an alarm. Returns the secrets in all
/// the formats in which they might be logged.
async fn every_flow() -> Vec<String> {
    let (place, ledger) = (Place::new(), books().await);
    let remote = place.remote();
    let mut used = Vec::new();
    let signer = place.start(&ledger, local_signer()).await;
    within("connecting", remote.connected()).await;
    let accepted = accept(
        ledger.as_ref(),
        "a secret reference",
        blinds(&KEYS[0], "a secret reference", 2),
    )
    .await;
    assert!(within("signing", remote.sign(accepted.clone())).await.is_ok());
    assert!(within("signing", remote.sign(accepted.clone())).await.is_ok());
    let unknown = request(
        "an unknown reference",
        blinds(&KEYS[0], "an unknown reference", 2),
    );
    assert!(within("refusing", remote.sign(unknown.clone())).await.is_err());
    let other = request("a secret reference", blinds(&KEYS[0], "of other content", 2));
    assert_eq!(
        within("refusing", remote.sign(other.clone())).await,
        Err(SignError::Failed)
    );
    let mut stranger = tokio::net::UnixStream::connect(place.socket()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stranger, b"OCSIGN\0\x01\0\0\0\x12a secret reference")
        .await
        .unwrap();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stranger, &mut Vec::new()).await;
    signer.stop().await;

    let signer = place.start(&ledger, Arc::new(Liar)).await;
    within("connecting", remote.connected()).await;
    assert_eq!(
        within("a lie", remote.sign(accepted.clone())).await,
        Err(SignError::Failed)
    );
    signer.stop().await;

    let older = books().await;
    let alarming = accept(
        older.as_ref(),
        "an alarming reference",
        blinds(&KEYS[0], "an alarming reference", 1),
    )
    .await;
    let signer = place.start(&older, local_signer()).await;
    within("connecting", remote.connected()).await;
    assert!(disagrees(within("an alarm", remote.sign(alarming.clone())).await));
    assert!(disagrees(within("an alarm", remote.sign(alarming.clone())).await));
    signer.stop().await;
    used.extend([accepted, unknown, other, alarming]);
    used.iter().flat_map(secrets_of).collect()
}

fn secrets_of(accepted: &AcceptedBlinds) -> Vec<String> {
    let reference = BigInt::from_be_bytes(&accepted.transaction_reference);
    let numbers = accepted
        .blinds
        .iter()
        .map(|blind| blind.blinded.clone())
        .chain(sign_each(accepted))
        .chain([reference]);
    let mut secrets: Vec<String> = numbers.flat_map(|number| written(&number)).collect();
    secrets.push(String::from_utf8(accepted.transaction_reference.clone()).unwrap());
    secrets
}

/// The first bytes of a number as hex and as a list.
fn written(number: &BigInt) -> [String; 2] {
    let bytes = &number.as_be_bytes()[..12.min(number.as_be_bytes().len())];
    let list = format!("{bytes:?}");
    [
        bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        list.trim_matches(['[', ']']).to_owned(),
    ]
}

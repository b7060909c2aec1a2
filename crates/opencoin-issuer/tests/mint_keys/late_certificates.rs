//! Certificates that come back from a master key on another machine. A mint key must be in the public log when it signs,
//! so one that comes too late is never used.

use std::cell::Cell;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::Config;
use opencoin_crypto::KeyStore;
use opencoin_issuer::log::{IssuerLog, LogOptions, Rhythm};
use opencoin_issuer::{Issuer, IssuerOptions};
use opencoin_keys::{
    CddChange, Change, Cosigners, Imported, KeyManagerError, KeyState, LogKeys, OpenVault,
    SignedCertificates, Vault, register_mint_keys,
};
use opencoin_ledger::{HISTORY_ID_BYTES, HasLog, HistoryId, Ledger, LogTerms, SealOutcome, StopReason};
use opencoin_schema::BigInt;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::support::TestCurrency;

const SEED: u64 = 31;
const TICK: TimeDelta = TimeDelta::seconds(1);

/// A currency with a public log, whose master key was taken to another machine.
struct World {
    kept: TestCurrency,
    vault: Vault,
    /// Until when the certificates of the last request must come.
    said: Cell<Option<DateTime<Utc>>>,
}

impl World {
    async fn new() -> Self {
        let config = Config::new("sqlite:ledger.sqlite", "127.0.0.1:0");
        let kept = TestCurrency::new(SEED, config, Some(Cosigners::default()));
        let away = kept.folder().join("vault");
        fs::rename(kept.directory.master_folder(), &away).unwrap();
        let world = Self {
            kept,
            vault: Vault::new(away),
            said: Cell::new(None),
        };
        world.register().await;
        world
    }

    fn now(&self) -> DateTime<Utc> {
        self.kept.now()
    }

    fn set(&self, moment: DateTime<Utc>) {
        self.kept.set(moment);
    }

    /// Requests keys, at once or as they are due.
    async fn rotate(&self, at_once: bool) -> Result<Change, KeyManagerError> {
        let mut rng = StdRng::seed_from_u64(SEED - 1);
        self.kept
            .manager()
            .rotate(None, at_once, &mut rng, &mut |_, _| {})
            .await
    }

    /// Revokes the first mint key.
    async fn revoke_first(&self) {
        let first = self.kept.ledger.mint_keys().await.unwrap().remove(0);
        let reason = StopReason::new("stolen").unwrap();
        self.kept.operator().revoke(first.id, reason).await.unwrap();
    }

    /// Requests keys and signs the request on the other machine.
    async fn certificates(&self, at_once: bool) -> SignedCertificates {
        self.signed(self.rotate(at_once).await.unwrap())
    }

    /// Requests a description with this text and keys for another denomination, and signs the request on the other
    /// machine.
    async fn description(&self, info: &str) -> SignedCertificates {
        let change = CddChange {
            denominations: Some(vec![5, 10]),
            additional_info: Some(info.to_owned()),
            ..CddChange::default()
        };
        let mut rng = StdRng::seed_from_u64(SEED - 1);
        let manager = self.kept.manager();
        let changed = manager.change_cdd(change, None, &mut rng, &mut |_, _| {}).await;
        self.signed(changed.unwrap())
    }

    fn signed(&self, change: Change) -> SignedCertificates {
        let Change::Waits(request) = change else {
            panic!("the master key is away");
        };
        self.said
            .set(self.kept.directory.import_deadline(&request).unwrap());
        let mut rng = StdRng::seed_from_u64(SEED - 2);
        let signed = self
            .vault
            .sign(&request, &self.kept.passphrase, self.now(), &mut rng);
        signed.unwrap()
    }

    fn import(&self, certificates: &SignedCertificates) -> Result<bool, String> {
        self.import_all(certificates).map(|imported| imported.is_new)
    }

    fn import_all(&self, certificates: &SignedCertificates) -> Result<Imported, String> {
        let lock = self.kept.directory.lock().unwrap();
        let imported = self.kept.directory.import(certificates, self.now(), &lock);
        imported.map_err(|error| error.to_string())
    }

    async fn register(&self) {
        let currency = self.kept.directory.currency().unwrap();
        register_mint_keys(&currency, self.kept.ledger.as_ref(), self.kept.clock.as_ref())
            .await
            .unwrap();
    }

    /// A server that begins with these books.
    async fn server(&self) -> Issuer {
        let currency = self.kept.directory.currency().unwrap();
        let block = currency.log().unwrap().clone();
        let folder = self.kept.directory.log_folder();
        let options = LogOptions {
            keys: LogKeys::open(&folder, block.origin(), &self.kept.passphrase).unwrap(),
            block,
            rhythm: Rhythm {
                every: Duration::from_secs(60),
                leaves_min: 32,
                latest: Duration::from_secs(900),
            },
            folder: &folder,
            history: HistoryId::new([1; HISTORY_ID_BYTES]),
        };
        let store = self.kept.ledger.log();
        let mut rng = StdRng::seed_from_u64(SEED - 4);
        let log = IssuerLog::new(options, store, self.kept.shared_clock(), &mut rng).unwrap();
        let ledger = Arc::clone(&self.kept.ledger);
        let signer = self.kept.files.signer().unwrap();
        let opened = Issuer::open(
            currency,
            ledger,
            signer,
            self.kept.shared_clock(),
            IssuerOptions::default(),
        );
        let issuer = opened
            .await
            .unwrap()
            .with_log(log)
            .in_folder(self.kept.directory.clone());
        issuer.begin_log().await.unwrap();
        issuer
    }

    /// Makes keys that sign at once, with the master key at hand and without a server.
    async fn make_keys(&self) -> BigInt {
        let vault = OpenVault {
            vault: &self.vault,
            passphrase: &self.kept.passphrase,
        };
        let mut rng = StdRng::seed_from_u64(SEED - 5);
        let manager = self.kept.manager();
        let made = manager.rotate(Some(vault), true, &mut rng, &mut |_, _| {}).await;
        let Change::Done(imported) = made.unwrap() else {
            panic!("the master key is here");
        };
        imported.certificates.mkcs[0].mint_key.id.clone()
    }

    /// Destroys the private halves that are not needed any more, and returns their ids.
    async fn destroy(&self) -> Vec<BigInt> {
        let mut destroyed = Vec::new();
        let manager = self.kept.manager();
        manager.destroy(&mut |key| destroyed.push(key.id)).await.unwrap();
        destroyed
    }

    async fn registered(&self) -> usize {
        self.kept.ledger.mint_keys().await.unwrap().len()
    }
}

/// The last moment at which the keys can come.
fn deadline(world: &World, certificates: &SignedCertificates) -> DateTime<Utc> {
    certificates.mkcs[0].mint_key.sign_coins_not_before.to_utc() + half_merge_delay(world)
}

fn half_merge_delay(world: &World) -> TimeDelta {
    let currency = world.kept.directory.currency().unwrap();
    TimeDelta::seconds(currency.log().unwrap().within_s().into()) / 2
}

#[tokio::test]
async fn certificates_that_come_too_late_for_the_log_are_refused() {
    let world = World::new().await;
    let late = world.certificates(true).await;
    let begins = late.mkcs[0].mint_key.sign_coins_not_before.to_utc();
    assert!(
        begins >= world.now() + world.kept.config.rotation.offline_time.get() - TimeDelta::minutes(5),
        "there is time to visit the master key: {begins}"
    );
    assert_eq!(world.said.get(), Some(deadline(&world, &late)));
    world.set(deadline(&world, &late) + TICK);
    let refused = world.import(&late).unwrap_err();
    assert!(
        refused.contains("to be in the public log when they sign"),
        "{refused}"
    );
    assert_eq!(world.kept.directory.currency().unwrap().mint_keys().count(), 1);

    fs::remove_file(world.kept.directory.pending_file()).unwrap();
    let timely = world.certificates(true).await;
    world.set(deadline(&world, &timely));
    assert_eq!(world.import(&timely), Ok(true));
    world.register().await;
    assert_eq!(world.registered().await, 2);
}

#[tokio::test]
async fn a_key_whose_registration_is_too_late_is_never_registered() {
    let world = World::new().await;
    let certificates = world.certificates(true).await;
    assert_eq!(world.import(&certificates), Ok(true));
    world.set(deadline(&world, &certificates) + TICK);
    world.register().await;
    assert_eq!(world.registered().await, 1);
    // It does not keep another key from being made, and its private half goes.
    let late = &certificates.mkcs[0].mint_key.id;
    let listed = world.kept.manager().list().await.unwrap();
    let state = |id: &BigInt| listed.iter().find(|key| key.id == *id).unwrap().state;
    assert_eq!(state(late), KeyState::Late);
    world.revoke_first().await;
    let other = world.certificates(false).await;
    assert_eq!(world.import(&other), Ok(true));
    world.register().await;
    assert_eq!(world.registered().await, 2);
    let destroyed = world.destroy().await;
    assert!(
        !destroyed.contains(late) && destroyed.len() == 1,
        "a slow server may still enter the key: {destroyed:?}"
    );
    world.set(deadline(&world, &certificates) + half_merge_delay(&world));
    assert_eq!(world.destroy().await, std::slice::from_ref(late));
}

#[tokio::test]
async fn a_description_is_taken_although_its_mint_keys_come_too_late() {
    let world = World::new().await;
    let signed = world.description("").await;
    let late = signed.mkcs[0].mint_key.id.clone();
    world.set(deadline(&world, &signed) + TICK);
    let imported = world.import_all(&signed).unwrap();
    assert_eq!((imported.is_new, &imported.late), (true, &vec![late.clone()]));
    assert_eq!(imported.certificates.mkcs, []);
    let currency = world.kept.directory.currency().unwrap();
    assert_eq!(currency.current().cddc(), signed.cddc.as_ref().unwrap());
    assert!(currency.mint_key(&late).is_none());
    assert_eq!(world.import(&signed), Ok(false), "a repetition says so");
    // The next description has another serial, and the next rotation makes the missing key.
    let next = world.certificates(false).await;
    assert_eq!(next.mkcs.len(), 1);
    assert_eq!(next.mkcs[0].mint_key.denomination, 10);
    assert_eq!(world.import(&next), Ok(true));
    let described = world.description("news").await.cddc.unwrap();
    assert_eq!(described.cdd.cdd_serial, currency.current().cdd().cdd_serial + 1);
}

#[tokio::test]
async fn keys_that_are_made_without_a_server_are_registered_when_their_leaves_are_sealed_soon() {
    let world = World::new().await;
    let late = world.make_keys().await;
    assert_eq!(world.registered().await, 1, "nothing would seal its leaf");
    world.set(world.now() + world.kept.config.rotation.offline_time.get() + TimeDelta::hours(2));
    let server = world.server().await;
    assert_eq!(world.registered().await, 1);
    assert_eq!(server.mint_key_certificate(&late).await, None);
    let listed = world.kept.manager().list().await.unwrap();
    assert!(
        listed
            .iter()
            .any(|key| key.id == late && key.state == KeyState::Late)
    );

    let metrics = server.metrics_text(0).await;
    assert!(
        !metrics.contains(&late.to_string()),
        "it is never used: {metrics}"
    );

    let timely = world.make_keys().await;
    let listed = world.kept.manager().list().await.unwrap();
    let waits = |id: &BigInt| listed.iter().find(|key| key.id == *id).unwrap().waits_until;
    assert!(waits(&timely).is_some_and(|until| until > world.now()));
    assert_eq!(waits(&late), None);
    drop(server);
    let (server, other) = (world.server().await, world.server().await);
    assert_eq!(world.registered().await, 2);
    assert_eq!(
        server.mint_key_certificate(&timely).await,
        None,
        "not in the log yet"
    );
    let log = world.kept.ledger.log();
    let open = log.head().await.unwrap().unwrap().batch;
    let terms = LogTerms {
        origin: "127.0.0.1:8080/log".to_owned(),
        within_s: 3600,
    };
    let at = opencoin_keys::ledger_time(world.now());
    let sealed = log.seal(open, at, &terms).await.unwrap();
    assert!(matches!(sealed, SealOutcome::Sealed(_)), "{sealed:?}");
    server.begin_log().await.unwrap();
    assert!(server.mint_key_certificate(&timely).await.is_some());
    // Another process answers whoever has got coins of the key from the first one.
    assert!(other.mint_key_certificate(&timely).await.is_some());
    let listed = other.logged_mint_keys().await.unwrap();
    assert!(listed.iter().any(|(id, ..)| *id == timely), "{listed:?}");
    for server in [server, other] {
        assert_eq!(server.mint_key_certificate(&late).await, None);
    }
}

#[tokio::test]
async fn a_request_that_waited_too_long_is_not_signed() {
    let world = World::new().await;
    let request = world.certificates(true).await;
    world.set(deadline(&world, &request) + TICK);
    let vault = OpenVault {
        vault: &world.vault,
        passphrase: &world.kept.passphrase,
    };
    let mut rng = StdRng::seed_from_u64(SEED - 3);
    let rotated = world
        .kept
        .manager()
        .rotate(Some(vault), false, &mut rng, &mut |_, _| {})
        .await;
    let refused = rotated.unwrap_err().to_string();
    assert!(
        refused.contains("to be in the public log when they sign"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_revoked_key_is_replaced_once_although_its_successor_waits_for_its_time() {
    let world = World::new().await;
    world.revoke_first().await;
    let successor = world.certificates(false).await;
    assert_eq!(world.import(&successor), Ok(true));
    world.register().await;
    assert_eq!(world.rotate(false).await.unwrap(), Change::Nothing);
}

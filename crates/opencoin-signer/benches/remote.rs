//! The cost of a separate signer: the same requests of 64 blinds, signed in this process and by a signer behind a
//! Unix socket, which reads the books and counts durably. One request at a time, and sixteen.

#![expect(clippy::unwrap_used, reason = "a benchmark's preparation")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use divan::Bencher;
use divan::counter::ItemsCount;
use opencoin_crypto::{
    AcceptedBlinds, BlindToSign, LocalSigner, LocalSignerOptions, PrivateKey, PublicKey, Signer,
};
use opencoin_ledger::{
    AccountId, Amount, Blind, Command, Ledger, LedgerTime, MemoryLedger, MintKeyId, MintKeyTerms, Reference,
    TokenHash, TransactionReference, register_uncertified_mint_key,
};
use opencoin_schema::BigInt;
use opencoin_signer::{
    CountsMode, Endpoint, Listener, PublicKeys, RemoteSigner, RemoteSignerOptions, SOCKET_MODE, SignedCounts,
    SignerServer, SignerServerOptions,
};
use opencoin_testkit::keys;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const BLINDS: usize = 64;
const REQUESTS: [usize; 2] = [1, 16];
const NOW: LedgerTime = LedgerTime::from_unix_micros(1);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static WORLD: LazyLock<World> = LazyLock::new(|| RUNTIME.block_on(World::start()));

fn main() {
    divan::main();
}

struct World {
    key: PublicKey,
    ledger: Arc<dyn Ledger>,
    local: Arc<dyn Signer>,
    remote: Arc<dyn Signer>,
    references: AtomicU64,
    _folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let key = PrivateKey::from_pkcs8_pem(&keys::private_key("bench").to_pkcs8_pem()).unwrap();
        let public = key.public_key().clone();
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        fill(ledger.as_ref(), &public).await;
        let local: Arc<dyn Signer> =
            Arc::new(LocalSigner::start([key], LocalSignerOptions::default()).unwrap());
        let folder = TempDir::new().unwrap();
        let public_keys: PublicKeys = Arc::new({
            let public = public.clone();
            move |id: &BigInt| (id == public.id()).then(|| public.clone())
        });
        let counts = SignedCounts::open(
            &folder.path().join("counts"),
            CountsMode::Create,
            Arc::clone(&ledger),
        )
        .await
        .unwrap();
        let server = SignerServer::new(
            Arc::clone(&ledger),
            Arc::clone(&local),
            Arc::clone(&public_keys),
            Arc::new(counts),
            SignerServerOptions::default(),
        );
        let socket = folder.path().join("socket");
        let listener = Listener::unix(&socket, SOCKET_MODE).unwrap();
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
        let remote = RemoteSigner::start(
            Endpoint::Unix(socket),
            public_keys,
            RemoteSignerOptions::default(),
        );
        remote.connected().await;
        Self {
            key: public,
            ledger,
            local,
            remote: Arc::new(remote),
            references: AtomicU64::new(1),
            _folder: folder,
        }
    }

    /// New requests, accepted in the books: one that was signed before would not be counted.
    async fn accept(&self, requests: usize) -> Vec<AcceptedBlinds> {
        let mut accepted = Vec::new();
        for _ in 0..requests {
            accepted.push(self.accept_one().await);
        }
        accepted
    }

    async fn accept_one(&self) -> AcceptedBlinds {
        let reference = self.references.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let blinded = |index: usize| {
            let mut bytes = vec![0x5a; self.key.modulus_bytes()];
            bytes[8..16].copy_from_slice(&reference);
            bytes[16] = index as u8; // less than 64
            bytes
        };
        let mint_key = MintKeyId::from_be_bytes(self.key.id().as_be_bytes()).unwrap();
        let blinds = (0..BLINDS)
            .map(|index| Blind {
                reference: index.to_string(),
                mint_key,
                blinded: blinded(index),
            })
            .collect();
        let mint = Command::Mint {
            account: AccountId::FIRST_HOLDER,
            transaction_reference: TransactionReference::new(reference).unwrap(),
            blinds,
            payment: None,
            wait_until: None,
            at: NOW,
        };
        self.ledger.apply(&[mint]).await.unwrap().remove(0).unwrap();
        let to_sign = |index| BlindToSign {
            mint_key_id: self.key.id().clone(),
            blinded: BigInt::from_be_bytes(&blinded(index)),
        };
        AcceptedBlinds {
            transaction_reference: reference.to_vec(),
            blinds: (0..BLINDS).map(to_sign).collect(),
        }
    }
}

async fn fill(ledger: &dyn Ledger, key: &PublicKey) {
    let terms = MintKeyTerms::new(Amount::new(1).unwrap(), NOW, NOW, NOW).unwrap();
    let batch = [
        Command::OpenAccount {
            name: "alice".parse().unwrap(),
            token_hash: Some(TokenHash::new([1; 32])),
            password: None,
            at: NOW,
        },
        Command::Credit {
            account: AccountId::FIRST_HOLDER,
            amount: Amount::new(1_000_000_000).unwrap(),
            reference: Reference::new("paid in").unwrap(),
            at: NOW,
        },
        register_uncertified_mint_key(
            MintKeyId::from_be_bytes(key.id().as_be_bytes()).unwrap(),
            terms,
            NOW,
        ),
    ];
    for outcome in ledger.apply(&batch).await.unwrap() {
        outcome.unwrap();
    }
}

#[divan::bench(args = REQUESTS)]
fn in_this_process(bencher: Bencher<'_, '_>, requests: usize) {
    sign(bencher, requests, &WORLD.local);
}

#[divan::bench(args = REQUESTS)]
fn by_a_signer(bencher: Bencher<'_, '_>, requests: usize) {
    sign(bencher, requests, &WORLD.remote);
}

fn sign(bencher: Bencher<'_, '_>, requests: usize, signer: &'static Arc<dyn Signer>) {
    bencher
        .counter(ItemsCount::new(requests * BLINDS))
        .with_inputs(|| RUNTIME.block_on(WORLD.accept(requests)))
        .bench_values(|accepted| {
            let ask = |request| RUNTIME.spawn(async { signer.sign(request).await.unwrap() });
            let asked: Vec<_> = accepted.into_iter().map(ask).collect();
            for asked in asked {
                RUNTIME.block_on(asked).unwrap();
            }
        });
}

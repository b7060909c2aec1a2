//! Signing in SoftHSM compared with signing in this process: requests of 64 blinds at 2048 bits, on two threads.
//!
//! The benchmark runs in a process of its own with its own token; see `opencoin_testkit::softhsm`.

#![expect(clippy::unwrap_used, reason = "a benchmark's preparation")]

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use opencoin_crypto::{
    AcceptedBlinds, BlindToSign, KeyPrimes, KeyStore, LocalSigner, LocalSignerOptions, PrivateKey, PublicKey,
    Signer,
};
use opencoin_pkcs11::{Pin, TokenKeyStore, TokenOptions};
use opencoin_schema::BigInt;
use opencoin_testkit::keys::private_key;
use opencoin_testkit::softhsm::{LABEL, PIN, again_with_token};
use tokio::runtime::Builder;

const BITS: usize = 2048;
const BLINDS: usize = 64;
const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn main() -> ExitCode {
    match again_with_token() {
        Ok(_) => {
            divan::main();
            ExitCode::SUCCESS
        }
        Err(status) if status.success() => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[divan::bench]
fn local(bencher: Bencher<'_, '_>) {
    let key = PrivateKey::from_pkcs8_pem(&private_key("bench").to_pkcs8_pem()).unwrap();
    let public = key.public_key().clone();
    let options = LocalSignerOptions {
        threads: THREADS,
        ..LocalSignerOptions::default()
    };
    sign(bencher, &LocalSigner::start([key], options).unwrap(), &public);
}

#[divan::bench]
fn token(bencher: Bencher<'_, '_>) {
    let token = again_with_token().unwrap();
    let pin = Pin::new(&PIN.to_owned().into());
    let options = TokenOptions {
        sessions: THREADS,
        ..TokenOptions::new(token.module(), LABEL.to_owned(), pin)
    };
    let store = TokenKeyStore::open(options).unwrap();
    let key = store.generate(BITS, KeyPrimes::Two).unwrap();
    let signer: Arc<dyn Signer> = store.signer().unwrap();
    sign(bencher, &*signer, &key);
}

fn sign(bencher: Bencher<'_, '_>, signer: &dyn Signer, key: &PublicKey) {
    let blind = |index: usize| {
        let mut bytes = vec![0x5a; key.modulus_bytes()];
        bytes[1..9].copy_from_slice(&index.to_be_bytes());
        BlindToSign {
            mint_key_id: key.id().clone(),
            blinded: BigInt::from_be_bytes(&bytes),
        }
    };
    let accepted = AcceptedBlinds {
        transaction_reference: vec![1],
        blinds: (0..BLINDS).map(blind).collect(),
    };
    let runtime = Builder::new_current_thread().build().unwrap();
    bencher
        .counter(ItemsCount::new(BLINDS))
        .bench_local(|| runtime.block_on(signer.sign(accepted.clone())).unwrap());
}

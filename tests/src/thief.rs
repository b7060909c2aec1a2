//! A thief who has copied a private mint key with its passphrase, and forges coins.

use std::path::Path;
use std::process::Command;

use rand::rngs::OsRng;
use rsa::RsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha384};

use crate::PASSPHRASE;
use crate::foreign_wallet::{Answer, ForeignWallet, compact, request_redeem};

/// The salt of a coin's signature (RFC 9474, the deterministic variant with SHA-384), in bytes.
const SALT_BYTES: usize = 48;

/// Decrypts a private key with OpenSSL, which shows that its format is the standard one.
#[must_use]
pub fn decrypt(path: &Path, passphrase: &str) -> RsaPrivateKey {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["pkey", "-passin", "env:OPENED_WITH", "-in"])
        .arg(path)
        .env("OPENED_WITH", passphrase);
    let output = openssl.output().expect("openssl is in Debian's package openssl");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    RsaPrivateKey::from_pkcs8_pem(str::from_utf8(&output.stdout).unwrap()).unwrap()
}

/// A thief with the private key of one denomination.
pub struct Thief<'wallet> {
    wallet: &'wallet ForeignWallet,
    key: RsaPrivateKey,
    denomination: u64,
}

impl<'wallet> Thief<'wallet> {
    /// Copies the key of a denomination from the folder with the keys.
    #[must_use]
    pub fn steal(wallet: &'wallet ForeignWallet, keys: &Path, denomination: u64) -> Self {
        let id = wallet.key(denomination)["id"].as_str().unwrap();
        let key = decrypt(&keys.join(format!("mint-{id}.pem")), PASSPHRASE);
        Self {
            wallet,
            key,
            denomination,
        }
    }

    /// Makes a coin whose signature verifies, although the issuer has not signed it.
    #[must_use]
    pub fn forge(&self) -> Value {
        let payload = self.wallet.payload(self.denomination);
        let digest = Sha384::digest(compact(&payload));
        let scheme = rsa::Pss::new_with_salt::<Sha384>(SALT_BYTES);
        let signature = self.key.sign_with_rng(&mut OsRng, scheme, &digest).unwrap();
        let signature = num_bigint_dig::BigUint::from_bytes_be(&signature).to_str_radix(16);
        json!({"payload": payload, "signature": signature, "type": "coin"})
    }

    /// Redeems forged coins one at a time until one is refused. Returns how many were accepted, and the refusal.
    #[must_use]
    pub fn redeem_until_refused(&self, token: &str, coins_max: usize) -> (usize, Answer) {
        for taken in 0..coins_max {
            let answer = self
                .wallet
                .post("/redeem", Some(token), &request_redeem(&[self.forge()]));
            if answer.http_status != 200 {
                return (taken, answer);
            }
        }
        panic!("{coins_max} forged coins were accepted and none refused");
    }
}

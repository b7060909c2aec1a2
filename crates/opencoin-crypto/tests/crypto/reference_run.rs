//! The reference run of the specification, if it is beside the checkout: ids, certificates, blind signatures and
//! coins. It uses keys of 512 bits and the first suite.

use std::fs;
use std::path::PathBuf;

use opencoin_crypto::{
    CipherSuite, PrivateKey, PublicKey, VerifiedCddc, VerifiedMintKey, verify_cddc,
    verify_mint_key_certificate,
};
use opencoin_schema::{BigInt, Blind, BlindSignature, Coin, Document, RsaPublicKey, from_json};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use serde::Deserialize;

use crate::support::{mint, rng, sign_blind, to_biguint};

const SUITE: CipherSuite = CipherSuite::RsaSha256PssChaum82;

/// The coins of the run, named as its files are.
const COINS: [&str; 7] = ["a0", "a1", "a2", "b0", "b1", "b2", "b3"];

struct ReferenceRun {
    folder: PathBuf,
}

/// A secret key file. It is not a document of the specification and does not contain the primes.
#[derive(Deserialize)]
struct Secret {
    d: BigInt,
    n: BigInt,
}

impl ReferenceRun {
    fn find() -> Option<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec/examples");
        if !folder.is_dir() {
            println!("SKIPPED: there is no reference run in {}", folder.display());
            return None;
        }
        Some(Self { folder })
    }

    fn json(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(format!("{name}.json"))).unwrap()
    }

    fn document<D: Document>(&self, name: &str) -> D {
        from_json(&self.json(name)).unwrap()
    }

    fn currency(&self) -> VerifiedCddc {
        verify_cddc(&self.document("cddc")).unwrap()
    }

    fn mint_keys(&self) -> Vec<VerifiedMintKey> {
        let currency = self.currency();
        let verify = |name| verify_mint_key_certificate(&self.document(name), &currency).unwrap();
        ["mkc_1", "mkc_2", "mkc_5"].map(verify).into()
    }

    fn private_key(&self, name: &str) -> PrivateKey {
        let secret: Secret = serde_json::from_slice(&self.json(name)).unwrap();
        let (n, d) = (to_biguint(&secret.n), to_biguint(&secret.d));
        // The primes are recovered from the exponents.
        let key = RsaPrivateKey::from_components(n, 65537_u32.into(), d, Vec::new()).unwrap();
        PrivateKey::from_pkcs8_pem(&key.to_pkcs8_pem(LineEnding::LF).unwrap()).unwrap()
    }
}

#[test]
fn certificates_verify() {
    let Some(run) = ReferenceRun::find() else { return };
    let currency = run.currency();
    assert_eq!(currency.cipher_suite(), SUITE);
    let master_key = PublicKey::parse(&run.document::<RsaPublicKey>("issuer_public_master_key")).unwrap();
    assert_eq!(*currency.master_key(), master_key);
    let denominations: Vec<_> = run
        .mint_keys()
        .iter()
        .map(|key| key.mint_key().denomination)
        .collect();
    assert_eq!(denominations, [1, 2, 5]);
}

#[test]
fn coins_verify_and_belong_to_one_mint_key() {
    let Some(run) = ReferenceRun::find() else { return };
    let mint_keys = run.mint_keys();
    for name in COINS {
        let coin: Coin = run.document(&format!("coin_{name}"));
        assert_eq!(coin.payload, run.document(&format!("payload_{name}")));
        for key in &mint_keys {
            let expected = coin.payload.mint_key_id == key.mint_key().id;
            assert_eq!(
                SUITE.verify_coin(key.public_key(), &coin).is_ok(),
                expected,
                "coin {name}"
            );
        }
    }
}

#[test]
fn blind_signatures_are_reproduced() {
    let Some(run) = ReferenceRun::find() else { return };
    let keys = ["mintkey_1_secret", "mintkey_2_secret", "mintkey_5_secret"].map(|name| run.private_key(name));
    for name in COINS {
        let blind: Blind = run.document(&format!("blind_{name}"));
        let signature: BlindSignature = run.document(&format!("blind_signature_{name}"));
        let key = keys
            .iter()
            .find(|key| *key.public_key().id() == blind.mint_key_id)
            .unwrap();
        assert_eq!(blind.reference, signature.reference);
        assert_eq!(
            sign_blind(key, &blind.blinded_payload_hash),
            signature.blind_signature,
            "coin {name}"
        );
    }
}

#[test]
fn wallets_and_certificates_work_with_its_keys() {
    let Some(run) = ReferenceRun::find() else { return };
    let master_key = run.private_key("issuer_secret");
    let signature = master_key.sign_certificate("text", &mut rng(1)).unwrap();
    assert_eq!(
        run.currency().master_key().verify_certificate("text", &signature),
        Ok(())
    );

    let key = run.private_key("mintkey_1_secret");
    let payload = run.document::<Coin>("coin_a0").payload;
    let coin = mint(SUITE, &key, &payload, 1);
    assert_eq!(
        coin,
        run.document("coin_a0"),
        "a payload has one signature, however it was blinded"
    );
}

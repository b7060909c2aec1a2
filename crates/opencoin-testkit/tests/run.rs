//! The text, identifiers, certificates, blind signatures, coins and messages in `fixtures/run` are consistent.
//! These tests do not use the code that generates the files.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use opencoin_crypto::{
    BlindingSeed, CipherSuite, MINT_KEY_BITS_MIN, Unblinder, VerifiedCddc, VerifiedMintKey, verify_cddc,
    verify_mint_key_certificate,
};
use opencoin_schema::{
    AnyDocument, BigInt, Blind, BlindSignature, Coin, CoinStack, Document, Payload, RequestMint,
    RequestRedeem, RequestRenew, RequestResume, ResponseCddc, ResponseDelay, ResponseMint,
    ResponseMintKeyCertificates, ResponseRedeem, from_json, text,
};

const RUNS: [(&str, CipherSuite); 2] = [
    ("chaum82", CipherSuite::RsaSha256PssChaum82),
    ("rfc9474", CipherSuite::RsaSha384PssRfc9474),
];
const DENOMINATIONS: [u64; 3] = [1, 2, 5];
const MINTED: [&str; 3] = ["a0", "a1", "a2"];
const RENEWED: [&str; 4] = ["b0", "b1", "b2", "b3"];
const SECRETS: &str = "blinding_secrets";
const SEEDS: &str = "blinding_seeds";

struct Run {
    folder: PathBuf,
    suite: CipherSuite,
}

impl Run {
    fn each() -> impl Iterator<Item = Self> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/run");
        RUNS.into_iter().map(move |(folder, suite)| Self {
            folder: fixtures.join(folder),
            suite,
        })
    }

    fn json(&self, name: &str) -> Vec<u8> {
        let path = self.folder.join(format!("{name}.json"));
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn document<D: Document>(&self, name: &str) -> D {
        from_json(&self.json(name)).unwrap()
    }

    fn documents<D: Document>(&self, prefix: &str, references: &[&str]) -> Vec<D> {
        references
            .iter()
            .map(|reference| self.document(&format!("{prefix}_{reference}")))
            .collect()
    }

    fn currency(&self) -> VerifiedCddc {
        verify_cddc(&self.document("cddc")).unwrap()
    }

    fn mint_keys(&self) -> Vec<VerifiedMintKey> {
        let currency = self.currency();
        let verify = |denomination| {
            verify_mint_key_certificate(&self.document(&format!("mkc_{denomination}")), &currency).unwrap()
        };
        DENOMINATIONS.map(verify).into()
    }
}

#[test]
fn every_document_is_in_its_pretty_text() {
    for run in Run::each() {
        let names = fs::read_dir(&run.folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let names: Vec<_> = names
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        // The files of the specification's run without its secret keys, plus the blinding secrets and seeds.
        assert_eq!(names.len(), 54);
        for name in names
            .iter()
            .filter(|name| ![SECRETS, SEEDS].contains(&name.as_str()))
        {
            let json = run.json(name);
            let document = AnyDocument::from_json(&json).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(text::pretty(&document).as_bytes(), json, "{name}");
        }
    }
}

#[test]
fn certificates_and_identifiers_verify() {
    for run in Run::each() {
        let currency = run.currency();
        assert_eq!(currency.cipher_suite(), run.suite);
        assert_eq!(*currency.cdd(), run.document("cdd"));
        assert_eq!(
            *currency.master_key().document(),
            run.document("issuer_public_master_key")
        );
        assert!(currency.cdd().additional_info.contains("documentation only"));
        assert_eq!(currency.master_key().modulus_bits(), MINT_KEY_BITS_MIN);

        for (key, denomination) in run.mint_keys().iter().zip(DENOMINATIONS) {
            assert_eq!(key.mint_key().denomination, denomination);
            assert_eq!(*key.mint_key(), run.document(&format!("mintkey_{denomination}")));
            assert_eq!(key.public_key().modulus_bits(), MINT_KEY_BITS_MIN);
        }
    }
}

#[test]
fn a_coin_verifies_under_its_own_mint_key_alone() {
    for run in Run::each() {
        let mint_keys = run.mint_keys();
        for reference in MINTED.iter().chain(&RENEWED) {
            let coin: Coin = run.document(&format!("coin_{reference}"));
            assert_eq!(
                coin.payload,
                run.document::<Payload>(&format!("payload_{reference}"))
            );
            assert_eq!(coin.payload.issuer_id, *run.currency().master_key().id());
            for key in &mint_keys {
                let is_own = coin.payload.mint_key_id == *key.public_key().id();
                assert_eq!(
                    run.suite.verify_coin(key.public_key(), &coin).is_ok(),
                    is_own,
                    "coin {reference}"
                );
                assert_eq!(
                    coin.payload.denomination == key.mint_key().denomination,
                    is_own,
                    "coin {reference}"
                );
            }
        }
    }
}

#[test]
fn blinding_secrets_turn_blind_signatures_into_coins() {
    for run in Run::each() {
        let secrets: BTreeMap<String, String> = from_json(&run.json(SECRETS)).unwrap();
        assert!(
            secrets.keys().eq(MINTED.iter().chain(&RENEWED)),
            "one secret for every coin"
        );
        let mint_keys = run.mint_keys();
        for (reference, secret) in &secrets {
            let blind: Blind = run.document(&format!("blind_{reference}"));
            let signed: BlindSignature = run.document(&format!("blind_signature_{reference}"));
            assert_eq!([&blind.reference, &signed.reference], [reference; 2]);
            let key = mint_keys
                .iter()
                .find(|key| *key.public_key().id() == blind.mint_key_id)
                .unwrap()
                .public_key();
            let coin: Coin = run.document(&format!("coin_{reference}"));

            let finish = |signature: &BigInt, secret: &str| {
                let unblinder = Unblinder::from_secret_hex(secret).unwrap();
                run.suite.finish(key, &coin.payload, signature, &unblinder)
            };
            assert_eq!(finish(&signed.blind_signature, secret), Ok(coin.clone()));
            assert!(
                finish(&blind.blinded_payload_hash, secret).is_err(),
                "the blind itself is not a signature"
            );
            let other = secrets.iter().find(|(other, _)| *other != reference).unwrap().1;
            assert!(
                finish(&signed.blind_signature, other).is_err(),
                "another coin's secret"
            );
        }
    }
}

#[test]
fn seeds_open_blinds_to_their_payloads() {
    for run in Run::each() {
        let seeds: BTreeMap<String, String> = from_json(&run.json(SEEDS)).unwrap();
        assert!(
            seeds.keys().eq(MINTED.iter().chain(&RENEWED)),
            "one seed for every coin"
        );
        let mint_keys = run.mint_keys();
        for (reference, seed) in &seeds {
            let blind: Blind = run.document(&format!("blind_{reference}"));
            let key = mint_keys
                .iter()
                .find(|key| *key.public_key().id() == blind.mint_key_id)
                .unwrap()
                .public_key();
            let seed = BlindingSeed::from_secret_hex(seed).unwrap();
            for other in MINTED.iter().chain(&RENEWED) {
                let payload: Payload = run.document(&format!("payload_{other}"));
                let opens = run.suite.opens(key, &payload, &seed, &blind.blinded_payload_hash);
                assert_eq!(opens, other == reference, "blind {reference}, payload {other}");
            }
        }
    }
}

#[test]
fn answers_fit_their_requests() {
    for run in Run::each() {
        let mint: RequestMint = run.document("request_mint");
        assert_eq!(mint.blinds, run.documents::<Blind>("blind", &MINTED));
        let minted: ResponseMint = run.document("response_mint_a");
        assert_eq!(
            minted.blind_signatures,
            run.documents::<BlindSignature>("blind_signature", &MINTED)
        );
        assert_eq!(
            (minted.message_reference, minted.status_code),
            (mint.message_reference, 200)
        );

        let renew: RequestRenew = run.document("request_renew");
        assert_eq!(renew.coins, run.documents::<Coin>("coin", &MINTED));
        assert_eq!(renew.coins, run.document::<CoinStack>("coinstack").coins);
        assert_eq!(renew.blinds, run.documents::<Blind>("blind", &RENEWED));
        assert_ne!(renew.transaction_reference, mint.transaction_reference);
        let delay: ResponseDelay = run.document("response_delay");
        assert_eq!(
            (delay.message_reference, delay.status_code),
            (renew.message_reference, 300)
        );

        let resume: RequestResume = run.document("request_resume");
        assert_eq!(resume.transaction_reference, renew.transaction_reference);
        let renewed: ResponseMint = run.document("response_mint_b");
        assert_eq!(
            renewed.blind_signatures,
            run.documents::<BlindSignature>("blind_signature", &RENEWED)
        );
        assert_eq!(
            (renewed.message_reference, renewed.status_code),
            (resume.message_reference, 200)
        );

        let redeem: RequestRedeem = run.document("request_redeem");
        assert_eq!(redeem.coins, run.documents::<Coin>("coin", &RENEWED[..2]));
        let redeemed: ResponseRedeem = run.document("response_redeem");
        assert_eq!(
            (redeemed.message_reference, redeemed.status_code),
            (redeem.message_reference, 200)
        );

        assert_eq!(
            run.document::<ResponseCddc>("response_cddc").cddc.as_ref(),
            Some(run.currency().cddc())
        );
        let keys = run.document::<ResponseMintKeyCertificates>("response_mkc").keys;
        assert!(keys.iter().eq(run.mint_keys().iter().map(VerifiedMintKey::mkc)));
    }
}

#[test]
fn renewing_keeps_the_value() {
    for run in Run::each() {
        let value = |coins: Vec<Coin>| coins.iter().map(|coin| coin.payload.denomination).sum::<u64>();
        assert_eq!(
            value(run.documents("coin", &MINTED)),
            value(run.documents("coin", &RENEWED))
        );
    }
}

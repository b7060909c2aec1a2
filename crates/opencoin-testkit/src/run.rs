//! A complete run of the protocol for each cipher suite: the files of `fixtures/run`.
//!
//! The run follows the specification: Alice mints three coins (a0..a2) and gives them to Bob. He renews them into
//! four (b0..b3), is told to wait, resumes, and redeems two. File names are those of the specification, but keys
//! have 2048 bits and no number is shortened. Every random number is seeded by a label, so the files are the same
//! each time.
//!
//! For documentation and tests only: anybody can generate these private keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use opencoin_crypto::{
    BlindingSeed, CipherSuite, PrivateKey, Unblinder, VerifiedCddc, VerifiedMintKey, sign_cddc,
    sign_mint_key_certificate,
};
use opencoin_schema::{
    BigInt, Blind, BlindSignature, Cdd, Coin, CoinStack, Document, MintKey, PROTOCOL_VERSION, Payload,
    RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates, RequestRedeem, RequestRenew,
    RequestResume, ResponseCddSerial, ResponseCddc, ResponseDelay, ResponseMint, ResponseMintKeyCertificates,
    ResponseRedeem, Timestamp, WeightedUrl, text,
};
use rand_chacha::rand_core::RngCore;

use crate::{keys, rng};

/// The file with the unblinding secrets: reference of the blind -> hex number. Not part of the specification.
pub const BLINDING_SECRETS_FILE: &str = "blinding_secrets.json";
/// The file with the blinding seeds: reference of the blind -> hex number. Not part of the specification.
pub const BLINDING_SEEDS_FILE: &str = "blinding_seeds.json";

const ADDITIONAL_INFO: &str =
    "For documentation only: the private keys of this currency are known to everybody.";
const LOCATION: &str = "https://opencent.example";
const DENOMINATIONS: [u64; 3] = [1, 2, 5];
/// Denomination and reference of the coins that Alice mints. `RENEWED` are those that Bob gets for them.
const MINTED: [(u64, &str); 3] = [(1, "a0"), (2, "a1"), (5, "a2")];
const RENEWED: [(u64, &str); 4] = [(2, "b0"), (2, "b1"), (2, "b2"), (2, "b3")];
const REDEEMED_COINS: usize = 2;

/// The keys are valid for a century, so that tests that read the files do not begin to fail.
const BEGIN: &str = "2026-01-01T00:00:00.164685";
const SIGNING_END: &str = "2126-01-01T00:00:00.164685";
const COINS_EXPIRY: &str = "2126-04-11T00:00:00.164685";

const SERIAL_BYTES: usize = 16;
const CDD_SERIAL: u64 = 1;
const STATUS_OK: u16 = 200;
const STATUS_DELAY: u16 = 300;
const STATUS_DESCRIPTION: &str = "ok";

/// The folder of a suite's run in `fixtures/run`.
#[must_use]
pub fn folder(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::RsaSha256PssChaum82 => "chaum82",
        CipherSuite::RsaSha384PssRfc9474 => "rfc9474",
    }
}

/// Plays the run and returns the name and exact text of every file. Generating the keys takes a few seconds.
#[must_use]
pub fn files(suite: CipherSuite) -> BTreeMap<String, String> {
    let issuer = Issuer::new(suite);
    let alice = MINTED.map(|(denomination, reference)| issuer.mint(denomination, reference));
    let bob = RENEWED.map(|(denomination, reference)| issuer.mint(denomination, reference));
    let mut files = Files::default();
    files.add_currency(&issuer);
    for minted in alice.iter().chain(&bob) {
        files.add_coin(minted);
    }
    files.add_secrets(alice.iter().chain(&bob));
    files.add_inquiries(&issuer);
    files.add_mint(&alice, issuer.number("mint"));
    files.add(
        "coinstack",
        &CoinStack {
            coins: coins(&alice),
            subject: "a little gift".to_owned(),
        },
    );
    files.add_renew(&alice, &bob, &issuer.number("renew"));
    files.add_redeem(&bob[..REDEEMED_COINS]);
    files.0
}

/// A currency and its private keys.
struct Issuer {
    suite: CipherSuite,
    cddc: VerifiedCddc,
    mint_keys: BTreeMap<u64, (VerifiedMintKey, Arc<PrivateKey>)>,
}

/// A coin with everything that was used to mint it.
struct Minted {
    blind: Blind,
    blind_signature: BlindSignature,
    seed: BlindingSeed,
    unblinder: Unblinder,
    coin: Coin,
}

#[derive(Default)]
struct Files(BTreeMap<String, String>);

impl Issuer {
    fn new(suite: CipherSuite) -> Self {
        let label = |what: &str| format!("{} {what}", folder(suite));
        let master_key = keys::private_key(&label("master key"));
        let cddc = sign_cddc(
            cdd(suite, &master_key),
            &master_key,
            &mut rng::labelled(&label("cddc salt")),
        );
        let cddc = cddc.expect("the CDD names this key");
        let mint_keys = DENOMINATIONS.map(|denomination| {
            let key = keys::private_key(&label(&format!("mint key {denomination}")));
            let mint_key = mint_key(denomination, &key, &master_key);
            let mut salt_rng = rng::labelled(&label(&format!("mkc {denomination} salt")));
            let mkc = sign_mint_key_certificate(mint_key, &cddc, &master_key, &mut salt_rng);
            (denomination, (mkc.expect("a key of this currency"), key))
        });
        Self {
            suite,
            cddc,
            mint_keys: mint_keys.into(),
        }
    }

    /// Plays wallet and issuer: blinds, signs and unblinds a payload.
    fn mint(&self, denomination: u64, reference: &str) -> Minted {
        let (mkc, private_key) = &self.mint_keys[&denomination];
        let mint_key_id = mkc.public_key().id().clone();
        let payload = Payload {
            cdd_location: LOCATION.to_owned(),
            denomination,
            issuer_id: self.cddc.master_key().id().clone(),
            mint_key_id: mint_key_id.clone(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            serial: self.number(&format!("serial {reference}")),
        };
        let key = mkc.public_key();
        let seed = BlindingSeed::generate(&mut rng::labelled(&format!(
            "{} blind {reference}",
            folder(self.suite)
        )));
        let blind = self.suite.blind(key, &payload, &seed);
        let (blinded_payload_hash, unblinder) = blind.expect("the key was made for the suite");
        let blinded = blinded_payload_hash
            .to_padded_be_bytes(key.modulus_bytes())
            .expect("less than the modulus");
        let signature = BigInt::from_be_bytes(&private_key.raw_sign(&blinded).expect("blinds are in range"));
        let coin = self
            .suite
            .finish(key, &payload, &signature, &unblinder)
            .expect("the signature is the key's");
        let reference = reference.to_owned();
        Minted {
            blind: Blind {
                blinded_payload_hash,
                mint_key_id,
                reference: reference.clone(),
            },
            blind_signature: BlindSignature {
                blind_signature: signature,
                reference,
            },
            seed,
            unblinder,
            coin,
        }
    }

    /// The random number with this label.
    fn number(&self, what: &str) -> BigInt {
        let mut bytes = [0; SERIAL_BYTES];
        rng::labelled(&format!("{} {what}", folder(self.suite))).fill_bytes(&mut bytes);
        BigInt::from_be_bytes(&bytes)
    }
}

impl Files {
    /// Adds a document without a final newline, byte for byte as certificates sign it.
    fn add<D: Document>(&mut self, name: &str, document: &D) {
        let previous = self.0.insert(format!("{name}.json"), text::pretty(document));
        assert!(previous.is_none(), "two files are named {name}");
    }

    fn add_currency(&mut self, issuer: &Issuer) {
        self.add("issuer_public_master_key", issuer.cddc.master_key().document());
        self.add("cdd", issuer.cddc.cdd());
        self.add("cddc", issuer.cddc.cddc());
        for (denomination, (mkc, _)) in &issuer.mint_keys {
            self.add(&format!("mintkey_{denomination}"), mkc.mint_key());
            self.add(&format!("mkc_{denomination}"), mkc.mkc());
        }
    }

    fn add_coin(&mut self, minted: &Minted) {
        let reference = &minted.blind.reference;
        self.add(&format!("payload_{reference}"), &minted.coin.payload);
        self.add(&format!("blind_{reference}"), &minted.blind);
        self.add(&format!("blind_signature_{reference}"), &minted.blind_signature);
        self.add(&format!("coin_{reference}"), &minted.coin);
    }

    fn add_secrets<'minted>(&mut self, minted: impl Iterator<Item = &'minted Minted>) {
        let (mut secrets, mut seeds) = (BTreeMap::new(), BTreeMap::new());
        for minted in minted {
            let reference = &minted.blind.reference;
            secrets.insert(reference, minted.unblinder.to_secret_hex().to_string());
            seeds.insert(reference, minted.seed.to_secret_hex().to_string());
        }
        self.0
            .insert(BLINDING_SECRETS_FILE.to_owned(), text::pretty(&secrets));
        self.0
            .insert(BLINDING_SEEDS_FILE.to_owned(), text::pretty(&seeds));
    }

    /// Adds the requests by which a wallet fetches the currency and its mint keys.
    fn add_inquiries(&mut self, issuer: &Issuer) {
        let status_description = || STATUS_DESCRIPTION.to_owned();
        let message_reference = 100_000;
        self.add("request_cddc_serial", &RequestCddSerial { message_reference });
        self.add(
            "response_cddc_serial",
            &ResponseCddSerial {
                cdd_serial: CDD_SERIAL,
                message_reference,
                status_code: STATUS_OK,
                status_description: status_description(),
            },
        );
        let message_reference = 100_001;
        self.add(
            "request_cddc",
            &RequestCddc {
                cdd_serial: CDD_SERIAL,
                message_reference,
            },
        );
        let cddc = Some(issuer.cddc.cddc().clone());
        self.add(
            "response_cddc",
            &ResponseCddc {
                cddc,
                message_reference,
                status_code: STATUS_OK,
                status_description: status_description(),
            },
        );
        let message_reference = 100_002;
        let denominations = DENOMINATIONS.to_vec();
        self.add(
            "request_mkc",
            &RequestMintKeyCertificates {
                denominations,
                message_reference,
                mint_key_ids: Vec::new(),
            },
        );
        let keys = issuer
            .mint_keys
            .values()
            .map(|(mkc, _)| mkc.mkc().clone())
            .collect();
        self.add(
            "response_mkc",
            &ResponseMintKeyCertificates {
                keys,
                message_reference,
                status_code: STATUS_OK,
                status_description: status_description(),
            },
        );
    }

    fn add_mint(&mut self, alice: &[Minted], transaction_reference: BigInt) {
        let message_reference = 100_003;
        self.add(
            "request_mint",
            &RequestMint {
                blinds: blinds(alice),
                message_reference,
                transaction_reference,
            },
        );
        self.add("response_mint_a", &signed(alice, message_reference));
    }

    fn add_renew(&mut self, alice: &[Minted], bob: &[Minted], transaction_reference: &BigInt) {
        let message_reference = 100_004;
        let transaction_reference = transaction_reference.clone();
        self.add(
            "request_renew",
            &RequestRenew {
                blinds: blinds(bob),
                coins: coins(alice),
                message_reference,
                transaction_reference: transaction_reference.clone(),
            },
        );
        let status_description = STATUS_DESCRIPTION.to_owned();
        self.add(
            "response_delay",
            &ResponseDelay {
                message_reference,
                status_code: STATUS_DELAY,
                status_description,
            },
        );
        let message_reference = 100_005;
        self.add(
            "request_resume",
            &RequestResume {
                message_reference,
                transaction_reference,
            },
        );
        self.add("response_mint_b", &signed(bob, message_reference));
    }

    fn add_redeem(&mut self, redeemed: &[Minted]) {
        let message_reference = 100_006;
        self.add(
            "request_redeem",
            &RequestRedeem {
                coins: coins(redeemed),
                message_reference,
            },
        );
        let status_description = STATUS_DESCRIPTION.to_owned();
        self.add(
            "response_redeem",
            &ResponseRedeem {
                message_reference,
                status_code: STATUS_OK,
                status_description,
            },
        );
    }
}

fn cdd(suite: CipherSuite, master_key: &PrivateKey) -> Cdd {
    let service = || vec![WeightedUrl(10, LOCATION.to_owned())];
    let mut mint_service = service();
    mint_service.push(WeightedUrl(20, format!("{LOCATION}/mint")));
    Cdd {
        additional_info: ADDITIONAL_INFO.to_owned(),
        cdd_expiry_date: date(SIGNING_END),
        cdd_location: LOCATION.to_owned(),
        cdd_serial: CDD_SERIAL,
        cdd_signing_date: date(BEGIN),
        currency_divisor: 100,
        currency_name: "OpenCent".to_owned(),
        denominations: DENOMINATIONS.to_vec(),
        id: master_key.public_key().id().clone(),
        info_service: service(),
        issuer_cipher_suite: suite.name().to_owned(),
        issuer_public_master_key: master_key.public_key().document().clone(),
        mint_service,
        protocol_version: PROTOCOL_VERSION.to_owned(),
        redeem_service: service(),
        renew_service: service(),
    }
}

fn mint_key(denomination: u64, key: &PrivateKey, master_key: &PrivateKey) -> MintKey {
    MintKey {
        cdd_serial: CDD_SERIAL,
        coins_expiry_date: date(COINS_EXPIRY),
        denomination,
        id: key.public_key().id().clone(),
        issuer_id: master_key.public_key().id().clone(),
        public_mint_key: key.public_key().document().clone(),
        sign_coins_not_after: date(SIGNING_END),
        sign_coins_not_before: date(BEGIN),
    }
}

fn date(text: &str) -> Timestamp {
    text.parse().expect("a date of this module")
}

fn blinds(minted: &[Minted]) -> Vec<Blind> {
    minted.iter().map(|minted| minted.blind.clone()).collect()
}

fn coins(minted: &[Minted]) -> Vec<Coin> {
    minted.iter().map(|minted| minted.coin.clone()).collect()
}

fn signed(minted: &[Minted], message_reference: i128) -> ResponseMint {
    ResponseMint {
        blind_signatures: minted
            .iter()
            .map(|minted| minted.blind_signature.clone())
            .collect(),
        message_reference,
        status_code: STATUS_OK,
        status_description: STATUS_DESCRIPTION.to_owned(),
    }
}

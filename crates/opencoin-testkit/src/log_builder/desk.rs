//! What the issuer of a log answers to holders: documents, signatures and promises, honest or not.
//!
//! Accounts have as much money as anybody wants, and coins are taken without a look at them: what is tested is what an
//! issuer does to honest holders.

mod documents;

use std::collections::BTreeMap;

use opencoin_crypto::VerifiedMintKey;
use opencoin_log::digest::{IssuedDigest, KeyFingerprint, SpentDigest};
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{Leaf, issued_leaf, spent_leaf};
use opencoin_log::promise::{request_root, sign_commit};
use opencoin_schema::{
    BigInt, Blind, BlindSignature, Cddc, Coin, Request, ResponseDelay, ResponseMint, ResponseRedeem, text,
};

use super::LogBuilder;

/// How an issuer treats holders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conduct {
    /// Whether what was promised enters the log.
    pub enters: bool,
    /// Whether accepted blinds are signed; otherwise the signatures are said to come later.
    pub signs: bool,
    /// Whether coins are taken; otherwise they are said to be spent.
    pub takes: bool,
    /// When promises are dated, in seconds since 1970.
    pub promised_s: u64,
}

/// Answers requests, and remembers what was accepted.
#[derive(Debug)]
pub struct Desk {
    /// The description that holders get.
    pub cddc: Cddc,
    /// Mint keys that are not in the log. Holders get them instead of those of the same denominations.
    pub secret_keys: Vec<VerifiedMintKey>,
    /// The blinds of a request, and the conduct in which it was accepted, by its reference.
    accepted: BTreeMap<BigInt, (Vec<Blind>, Conduct)>,
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskAnswer {
    /// The status.
    pub status: u16,
    /// The word of a refusal.
    pub word: Option<&'static str>,
    /// The places of the coins that are said to be spent.
    pub refused: Option<&'static str>,
    /// The promise, as in the header of the answer.
    pub promise: Option<String>,
    /// The JSON text.
    pub body: String,
}

impl Desk {
    /// A desk that hands out this description.
    #[must_use]
    pub fn new(cddc: Cddc) -> Self {
        Self {
            cddc,
            secret_keys: Vec::new(),
            accepted: BTreeMap::new(),
        }
    }

    /// Answers a POST; `None` if it is no request that wallets or auditors send. What is accepted waits for the next batch of
    /// the log.
    ///
    /// # Panics
    /// The request is of a key that the log does not have.
    pub fn answer(&mut self, log: &mut LogBuilder, json: &[u8], conduct: Conduct) -> Option<DeskAnswer> {
        let (blinds, coins, reference) = match Request::from_json(json).ok()? {
            Request::RequestCddSerial(request) => return Some(self.serial(&request)),
            Request::RequestCddc(request) => return Some(self.description(&request)),
            Request::RequestMintKeyCertificates(request) => return Some(self.certificates(log, &request)),
            Request::RequestMint(request) => {
                (request.blinds, Vec::new(), Some(request.transaction_reference))
            }
            Request::RequestRenew(request) => {
                (request.blinds, request.coins, Some(request.transaction_reference))
            }
            Request::RequestRedeem(request) => (Vec::new(), request.coins, None),
            Request::RequestResume(request) => {
                return Some(self.resume(log, &request.transaction_reference, conduct));
            }
            Request::RequestRecoup(_) => return None,
        };
        if !coins.is_empty() && !conduct.takes {
            return Some(DeskAnswer {
                refused: Some("0"),
                ..refused("double-spend", "coins were spent before: 0")
            });
        }
        let repeated = reference
            .as_ref()
            .is_some_and(|reference| self.accepted.contains_key(reference));
        let leaves = log.leaves_of(&blinds, &coins);
        if conduct.enters && !repeated {
            log.enter(&leaves);
        }
        if let Some(reference) = reference {
            self.accepted
                .entry(reference)
                .or_insert_with(|| (blinds.clone(), conduct));
        }
        let promise = log.promise(&leaves, conduct.promised_s);
        Some(answered(log, &blinds, conduct, promise))
    }

    fn resume(&self, log: &LogBuilder, reference: &BigInt, conduct: Conduct) -> DeskAnswer {
        let Some((blinds, accepted)) = self.accepted.get(reference) else {
            return refused("not-found", "no such reference");
        };
        let promise = log.promise(&log.leaves_of(blinds, &[]), accepted.promised_s);
        answered(log, blinds, conduct, promise)
    }
}

fn answered(log: &LogBuilder, blinds: &[Blind], conduct: Conduct, promise: String) -> DeskAnswer {
    let message_reference = 0;
    let (status, body) = if blinds.is_empty() {
        let response = ResponseRedeem {
            message_reference,
            status_code: 200,
            status_description: "ok".to_owned(),
        };
        (200, text::compact(&response))
    } else if conduct.signs {
        let response = ResponseMint {
            blind_signatures: blinds.iter().map(|blind| log.sign_blind(blind)).collect(),
            message_reference,
            status_code: 200,
            status_description: "ok".to_owned(),
        };
        (200, text::compact(&response))
    } else {
        let response = ResponseDelay {
            message_reference,
            status_code: 300,
            status_description: "later".to_owned(),
        };
        (202, text::compact(&response))
    };
    DeskAnswer {
        status,
        word: None,
        refused: None,
        promise: Some(promise),
        body,
    }
}

impl DeskAnswer {
    fn ok(body: String) -> Self {
        Self {
            status: 200,
            word: None,
            refused: None,
            promise: None,
            body,
        }
    }
}

fn refused(word: &'static str, description: &str) -> DeskAnswer {
    let status = if word == "not-found" { 404 } else { 409 };
    let response = ResponseRedeem {
        message_reference: 0,
        status_code: status,
        status_description: format!("{word}: {description}"),
    };
    DeskAnswer {
        status,
        word: Some(word),
        refused: None,
        promise: None,
        body: text::compact(&response),
    }
}

impl LogBuilder {
    fn mint_key_with(&self, id: &BigInt) -> (KeyNo, VerifiedMintKey) {
        let mut keys = self.mint_keys().into_iter();
        let found = keys.find(|(.., key)| key.public_key().id() == id);
        let (key_no, _, key) = found.expect("a key in the log");
        (key_no, key)
    }

    /// The leaves of a request, in the order of its promise.
    fn leaves_of(&self, blinds: &[Blind], coins: &[Coin]) -> Vec<Vec<u8>> {
        let suite = self.cddc().cipher_suite();
        let issued = blinds.iter().map(|blind| {
            let (key_no, key) = self.mint_key_with(&blind.mint_key_id);
            let fingerprint = KeyFingerprint::of(key.public_key().document());
            let width = key.public_key().modulus_bytes();
            let digest = IssuedDigest::of(&fingerprint, width, &blind.blinded_payload_hash);
            issued_leaf(key_no, &digest.expect("a blind of this width")).to_vec()
        });
        let spent = coins.iter().map(|coin| {
            let (key_no, key) = self.mint_key_with(&coin.payload.mint_key_id);
            let fingerprint = KeyFingerprint::of(key.public_key().document());
            let digest = SpentDigest::of(&fingerprint, &suite.payload_hash(&coin.payload));
            spent_leaf(key_no, &digest).to_vec()
        });
        issued.chain(spent).collect()
    }

    /// Orders leaves of coins and blinds.
    fn enter(&mut self, leaves: &[Vec<u8>]) {
        for leaf in leaves {
            match Leaf::decode(leaf) {
                Ok(Leaf::Issued { key_no, digest }) => {
                    self.issue_blind(key_no, Hash::new(*digest.as_bytes()));
                }
                Ok(Leaf::Spent { key_no, digest }) => {
                    self.spend_again(key_no, Hash::new(*digest.as_bytes()));
                }
                _ => unreachable!("requests have no other leaves"),
            }
        }
    }

    fn sign_blind(&self, blind: &Blind) -> BlindSignature {
        let mut keys = (0..self.keys.len()).map(|number| self.currency.private_key(number));
        let key = keys.find(|key| *key.public_key().id() == blind.mint_key_id);
        let key = key.expect("a key that the builder has made");
        let width = key.public_key().modulus_bytes();
        let blinded = blind.blinded_payload_hash.to_padded_be_bytes(width);
        let signature = key.raw_sign(&blinded.expect("a blind of this width"));
        BlindSignature {
            blind_signature: BigInt::from_be_bytes(&signature.expect("a number below the modulus")),
            reference: blind.reference.clone(),
        }
    }

    /// The promise of these leaves, as in the header of an answer: they are in the next batch or in one of the two after it.
    ///
    /// # Panics
    /// There are no leaves.
    #[must_use]
    pub fn promise(&self, leaves: &[Vec<u8>], time_s: u64) -> String {
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        // Another request is in the same commit.
        let roots = [leaf_hash(b"another request"), request_root(&hashes)];
        let (key, origin) = (self.currency.promise_key(), self.currency.origin());
        let (batch, within) = (self.batches.len() as u64 + 1, self.currency.terms().within_s);
        let promises = sign_commit(key, origin, time_s, batch, within, &roots).expect("a promise key");
        promises[1].to_string()
    }
}

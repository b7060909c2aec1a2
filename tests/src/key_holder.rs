//! The holder of a key's account, written from docs/API.md and docs/LOG.md alone. It uses no code of this project.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64;
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384};

use crate::foreign_wallet::{Blinded, compact};
use crate::replayed_log::{from_hex, hex, leaf_hash, root};

/// The zero bits with which the hash of a proof of work begins.
const WORK_BITS: u32 = 20;
/// When the payments of the tests end: in the year 2100.
pub const LATE: u64 = 4_102_444_800;

/// A key whose account is at one issuer.
pub struct KeyHolder {
    key: Ed25519KeyPair,
    seed: u8,
    http: Client,
    url: String,
    /// The origin of the issuer's log.
    domain: String,
}

/// An answer of the issuer.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The header `OpenCoin-Error`.
    pub word: Option<String>,
    /// The header `OpenCoin-Log-Promise`.
    pub promise: Option<String>,
    /// The body.
    pub text: String,
    /// The body as JSON.
    pub body: Value,
}

impl KeyHolder {
    /// The key that grows from this number, at the issuer with this URL.
    #[must_use]
    pub fn new(url: &str, seed: u8) -> Self {
        Self {
            key: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            seed,
            http: Client::new(),
            url: url.to_owned(),
            domain: format!("{}/log", url.split_once("://").unwrap().1),
        }
    }

    /// The same key at another server of the same currency.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self {
            key: Ed25519KeyPair::from_seed_unchecked(&[self.seed; 32]).unwrap(),
            seed: self.seed,
            http: self.http.clone(),
            url: url.to_owned(),
            domain: self.domain.clone(),
        }
    }

    /// The key in hex digits, which is the name of its account.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(self.key.public_key().as_ref())
    }

    /// Asks for a path.
    #[must_use]
    pub fn get(&self, path: &str) -> KeyAnswer {
        KeyAnswer::of(self.http.get(format!("{}{path}", self.url)).send().unwrap())
    }

    /// Sends JSON.
    #[must_use]
    pub fn post(&self, path: &str, message: &Value) -> KeyAnswer {
        self.post_text(path, None, &message.to_string())
    }

    /// Sends a text, with the statement of a key in place of a token.
    #[must_use]
    pub fn post_text(&self, path: &str, statement: Option<&str>, text: &str) -> KeyAnswer {
        let mut request = self
            .http
            .post(format!("{}{path}", self.url))
            .body(text.to_owned());
        if let Some(statement) = statement {
            let statement = BASE64.encode(statement.as_bytes());
            request = request.header("Authorization", format!("OpenCoin-Key {statement}"));
        }
        KeyAnswer::of(request.send().unwrap())
    }

    /// The introduction of the key, with a proof of work for a challenge of the issuer.
    #[must_use]
    pub fn introduction(&self) -> Value {
        let challenge = self.get(&format!("/v1/key-accounts/challenge?key={}", self.hex()));
        assert_eq!(challenge.status, 200, "{challenge:?}");
        assert_eq!(challenge.body["bits"], WORK_BITS);
        assert_eq!(challenge.body["domain"], self.domain.as_str());
        self.work_for(challenge.body["challenge"].as_str().unwrap(), 0)
    }

    /// The introduction of the key, with the first proof of work for this challenge from a nonce on.
    #[must_use]
    pub fn work_for(&self, challenge: &str, from: u64) -> Value {
        let prefix = Sha256::new()
            .chain_update(format!("opencoin.org/pow/v1\n{}\n", self.domain))
            .chain_update(from_hex(challenge))
            .chain_update(self.key.public_key().as_ref());
        let has_work = |nonce: &u64| {
            let hash = prefix.clone().chain_update(nonce.to_be_bytes()).finalize();
            u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).leading_zeros() >= WORK_BITS
        };
        let nonce = (from..).find(has_work).unwrap();
        json!({"challenge": challenge, "key": self.hex(), "nonce": nonce, "type": "log key introduction"})
    }

    /// Introduces the key.
    pub fn introduce(&self) -> KeyAnswer {
        let answer = self.post("/v1/key-accounts", &self.introduction());
        assert_eq!(
            (answer.status, &answer.body["id"]),
            (202, &self.hex().into()),
            "{answer:?}"
        );
        answer
    }

    /// A payment of this key, not signed yet.
    #[must_use]
    pub fn order(&self, seq: u64, amount: u64, to: &str) -> Value {
        json!({
            "amount": amount, "domain": self.domain, "expires": LATE, "from": self.hex(), "memo": "",
            "seq": seq, "to": to, "type": "log payment",
        })
    }

    /// Signs a payment.
    #[must_use]
    pub fn signed(&self, order: &Value) -> Value {
        let message = format!("opencoin.org/key-payment/v1\n{}", compact(order));
        let mut payment = order.clone();
        payment["sig"] = hex(self.key.sign(message.as_bytes()).as_ref()).into();
        payment
    }

    /// Pays another key.
    #[must_use]
    pub fn pay(&self, seq: u64, amount: u64, to: &str) -> KeyAnswer {
        let payment = self.signed(&self.order(seq, amount, to));
        self.post("/v1/key-payments", &json!({ "payment": payment }))
    }

    /// The request that pays a holder's account.
    #[must_use]
    pub fn payment_to_account(&self, seq: u64, amount: u64, name: &str) -> Value {
        let nonce = [seq as u8; 16];
        let mut order = self.order(seq, amount, "account");
        order["details"] = details(&nonce, name.as_bytes()).into();
        json!({"account": name, "nonce": hex(&nonce), "payment": self.signed(&order)})
    }

    /// The payment for a mint of these blinds.
    #[must_use]
    pub fn payment_for_mint(&self, seq: u64, amount: u64, reference: &str, blinds: &[Blinded]) -> Value {
        let numbers = self.key_numbers();
        let leaf = |blinded: &Blinded| issued_leaf(&numbers, blinded);
        let hashes: Vec<_> = blinds.iter().map(|blinded| leaf_hash(&leaf(blinded))).collect();
        let mut order = self.order(seq, amount, "mint");
        order["details"] = details(&from_hex(reference), &root(&hashes)).into();
        self.signed(&order)
    }

    /// The order to redeem these coins into the account of the key.
    #[must_use]
    pub fn redeem_order(&self, wallet_keys: impl Fn(u64) -> Value, coins: &[Value]) -> String {
        let numbers = self.key_numbers();
        let hash = |coin: &Value| {
            let payload = &coin["payload"];
            let key = wallet_keys(payload["denomination"].as_u64().unwrap());
            let digest = Sha256::new()
                .chain_update("opencoin.org/log/v1/spent\n")
                .chain_update(fingerprint(&key))
                .chain_update(Sha384::digest(compact(payload)))
                .finalize();
            leaf_hash(&[&[1, 0x11][..], &numbers(&key["id"]).to_be_bytes(), &digest].concat())
        };
        let hashes: Vec<_> = coins.iter().map(hash).collect();
        let prefix = format!("opencoin.org/key-redeem/v1\n{}\n", self.domain);
        let message = [prefix.as_bytes(), &root(&hashes)].concat();
        let sig = hex(self.key.sign(&message).as_ref());
        compact(&json!({"key": self.hex(), "sig": sig, "type": "key redeem"}))
    }

    /// The account in the books: balance, number of payments, number of credits.
    #[must_use]
    pub fn account(&self) -> (u64, u64, u64) {
        let shown = self.get(&format!("/v1/key-accounts/{}", self.hex()));
        assert_eq!(shown.status, 200, "{shown:?}");
        let number = |name: &str| shown.body[name].as_u64().unwrap();
        (number("balance"), number("seq"), number("credits"))
    }

    /// The numbers of mint keys in the log, by their ids.
    fn key_numbers(&self) -> impl Fn(&Value) -> u32 {
        let keys = self.get("/v1/log/keys").body["keys"].as_array().unwrap().clone();
        move |id| {
            let key = keys.iter().find(|key| key["id"] == *id).unwrap();
            u32::try_from(key["key_no"].as_u64().unwrap()).unwrap()
        }
    }
}

impl KeyAnswer {
    fn of(response: Response) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let (word, promise) = (header("opencoin-error"), header("opencoin-log-promise"));
        let status = response.status().as_u16();
        let text = response.text().unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self {
            status,
            word,
            promise,
            text,
            body,
        }
    }
}

/// Commits to a mint, or to an account.
#[must_use]
pub fn details(nonce: &[u8], content: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update("opencoin.org/key-payment-details/v1\n")
        .chain_update((nonce.len() as u64).to_be_bytes())
        .chain_update(nonce)
        .chain_update(content)
        .finalize();
    hex(&digest)
}

fn issued_leaf(numbers: &impl Fn(&Value) -> u32, blinded: &Blinded) -> Vec<u8> {
    let key = blinded.key();
    let modulus = from_hex(key["public_mint_key"]["modulus"].as_str().unwrap());
    let blind = blinded.blind["blinded_payload_hash"].as_str().unwrap();
    let number = from_hex(&format!("{blind:0>width$}", width = 2 * modulus.len()));
    let digest = Sha256::new()
        .chain_update("opencoin.org/log/v1/issued\n")
        .chain_update(fingerprint(key))
        .chain_update(number)
        .finalize();
    [&[1, 0x10][..], &numbers(&key["id"]).to_be_bytes(), &digest].concat()
}

fn fingerprint(key: &Value) -> Vec<u8> {
    Sha256::digest(compact(&key["public_mint_key"])).to_vec()
}

//! An independent wallet, written from the specification and the description of its wire format alone: JSON values, big
//! numbers and hashes, and for RFC 9474 the crate of its reference implementer. It uses no code of this project.

use blind_rsa_signatures::reexports::crypto_bigint::BoxedUint;
use blind_rsa_signatures::{BlindSignature, BlindingResult, DefaultRng, PublicKeySha384PSSDeterministic};
use num_bigint_dig::{BigUint, ModInverse, RandBigInt};
use rand::rngs::OsRng;
use reqwest::StatusCode;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::CHAUM82;

/// An answer of the issuer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub http_status: u16,
    /// The header `OpenCoin-Error`.
    pub error_word: Option<String>,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The body, exactly.
    pub text: String,
    /// The body as JSON.
    pub body: Value,
}

/// A wallet in memory.
pub struct ForeignWallet {
    http: Client,
    url: String,
    cdd: Value,
    keys: Vec<Value>,
}

/// A blind, and what the wallet needs to turn its signature into a coin.
pub struct Blinded {
    /// The blind that is sent to the issuer.
    pub blind: Value,
    payload: Value,
    key: Value,
    secret: Secret,
}

enum Secret {
    Chaum82 { r_inverse: BigUint },
    Rfc9474(BlindingResult),
}

impl Blinded {
    /// The mint key that is to sign the blind.
    #[must_use]
    pub fn key(&self) -> &Value {
        &self.key
    }
}

impl ForeignWallet {
    /// Fetches and checks the documents of the issuer at `url`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self::with_client(Client::new(), url)
    }

    /// As [`Self::new`], with a given HTTP client.
    #[must_use]
    pub fn with_client(http: Client, url: &str) -> Self {
        let mut wallet = Self {
            http,
            url: url.to_owned(),
            cdd: Value::Null,
            keys: Vec::new(),
        };
        let cddc = wallet.post(
            "/cddc",
            None,
            &json!({"cdd_serial": 0, "message_reference": 1, "type": "request cddc"}),
        );
        wallet.cdd = cddc.body["cddc"]["cdd"].clone();
        let master = wallet.cdd["issuer_public_master_key"].clone();
        assert_eq!(
            sha1_hex(&compact(&master)),
            wallet.cdd["id"],
            "the id is the hash of the master key"
        );
        verify_pss(
            &master,
            &pretty_text(&wallet.http, &format!("{url}/cddc"), "cdd"),
            &cddc.body["cddc"]["signature"],
        );
        let request = json!({"denominations": [], "message_reference": 2, "mint_key_ids": [], "type": "request mint key certificates"});
        let keys = wallet.post("/mkcs", None, &request).body["keys"]
            .as_array()
            .unwrap()
            .clone();
        for certificate in &keys {
            let key = &certificate["mint_key"];
            let id = key["id"].as_str().unwrap();
            assert_eq!(sha1_hex(&compact(&key["public_mint_key"])), *id);
            let signed = pretty_text(&wallet.http, &format!("{url}/mkcs/{id}"), "mint_key");
            verify_pss(&master, &signed, &certificate["signature"]);
        }
        wallet.keys = keys
            .into_iter()
            .map(|certificate| certificate["mint_key"].clone())
            .collect();
        wallet
    }

    /// The mint key of a denomination.
    #[must_use]
    pub fn key(&self, denomination: u64) -> &Value {
        self.keys
            .iter()
            .find(|key| key["denomination"] == denomination)
            .unwrap()
    }

    /// The payload of a new coin.
    #[must_use]
    pub fn payload(&self, denomination: u64) -> Value {
        let key = self.key(denomination);
        json!({
            "cdd_location": self.cdd["cdd_location"],
            "denomination": denomination,
            "issuer_id": self.cdd["id"],
            "mint_key_id": key["id"],
            "protocol_version": self.cdd["protocol_version"],
            "serial": OsRng.gen_biguint(128).to_str_radix(16),
            "type": "payload",
        })
    }

    /// Blinds a new payload of this denomination.
    #[must_use]
    pub fn blind(&self, denomination: u64, reference: &str) -> Blinded {
        let key = self.key(denomination).clone();
        let payload = self.payload(denomination);
        let (number, secret) = if self.cdd["issuer_cipher_suite"] == CHAUM82 {
            let (n, e) = numbers(&key["public_mint_key"]);
            let h = BigUint::from_bytes_be(&Sha1::digest(compact(&payload)));
            let r = OsRng.gen_biguint_below(&n);
            let r_inverse = (&r).mod_inverse(&n).unwrap().to_biguint().unwrap();
            (h * r.modpow(&e, &n) % &n, Secret::Chaum82 { r_inverse })
        } else {
            let result = rfc9474_key(&key)
                .blind(&mut DefaultRng, compact(&payload))
                .unwrap();
            (
                BigUint::from_bytes_be(&result.blind_message.0),
                Secret::Rfc9474(result),
            )
        };
        let blind = json!({
            "blinded_payload_hash": number.to_str_radix(16),
            "mint_key_id": key["id"],
            "reference": reference,
            "type": "blinded payload hash",
        });
        Blinded {
            blind,
            payload,
            key,
            secret,
        }
    }

    /// Blinds a new payload for each of these denominations.
    #[must_use]
    pub fn blinds(&self, denominations: &[u64]) -> Vec<Blinded> {
        let numbered = (0..).zip(denominations);
        numbered
            .map(|(number, denomination)| self.blind(*denomination, &format!("b{number}")))
            .collect()
    }

    /// Mints coins of these denominations.
    #[must_use]
    pub fn mint(&self, token: &str, denominations: &[u64], transaction_reference: &str) -> Vec<Value> {
        let blinds = self.blinds(denominations);
        let request = request_mint(&blinds, transaction_reference);
        self.unblind(&blinds, &self.post("/mint", Some(token), &request))
    }

    /// Makes coins from the signatures of a `response mint`.
    #[must_use]
    pub fn unblind(&self, blinded: &[Blinded], response: &Answer) -> Vec<Value> {
        assert_eq!(response.http_status, 200, "{response:?}");
        assert_eq!(response.body["type"], "response mint");
        let signatures = response.body["blind_signatures"].as_array().unwrap();
        assert_eq!(signatures.len(), blinded.len());
        blinded
            .iter()
            .map(|blinded| unblind(blinded, signatures))
            .collect()
    }

    /// Sends a message.
    #[must_use]
    pub fn post(&self, path: &str, token: Option<&str>, message: &Value) -> Answer {
        self.post_bytes(path, token, message.to_string().into_bytes())
    }

    /// Sends any bytes.
    #[must_use]
    pub fn post_bytes(&self, path: &str, token: Option<&str>, body: Vec<u8>) -> Answer {
        self.try_post_bytes(path, token, body).unwrap()
    }

    /// Sends any bytes over a connection that may fail.
    ///
    /// # Errors
    /// The answer is missing or incomplete.
    pub fn try_post_bytes(
        &self,
        path: &str,
        token: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Answer, reqwest::Error> {
        self.try_post(path, token, None, body)
    }

    /// As [`Self::try_post_bytes`], with an idempotency key.
    ///
    /// # Errors
    /// The answer is missing or incomplete.
    pub fn try_post(
        &self,
        path: &str,
        token: Option<&str>,
        idempotency_key: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let response = request.send()?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let (error_word, retry_after) = (header("opencoin-error"), header("retry-after"));
        let content_type = header("content-type").unwrap_or_default();
        let http_status = response.status().as_u16();
        let text = response.text()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer {
            http_status,
            error_word,
            retry_after,
            content_type,
            text,
            body,
        })
    }
}

/// A `request mint` of these blinds.
#[must_use]
pub fn request_mint(blinds: &[Blinded], transaction_reference: &str) -> Value {
    let blinds: Vec<&Value> = blinds.iter().map(|blinded| &blinded.blind).collect();
    json!({"blinds": blinds, "message_reference": 3, "transaction_reference": transaction_reference, "type": "request mint"})
}

/// A `request renew` of these coins for these blinds.
#[must_use]
pub fn request_renew(coins: &[Value], blinds: &[Blinded], transaction_reference: &str) -> Value {
    let blinds: Vec<&Value> = blinds.iter().map(|blinded| &blinded.blind).collect();
    json!({"blinds": blinds, "coins": coins, "message_reference": 4, "transaction_reference": transaction_reference, "type": "request renew"})
}

/// A `request resume`.
#[must_use]
pub fn request_resume(transaction_reference: &str) -> Value {
    json!({"message_reference": 5, "transaction_reference": transaction_reference, "type": "request resume"})
}

/// A `request redeem` of these coins.
#[must_use]
pub fn request_redeem(coins: &[Value]) -> Value {
    json!({"coins": coins, "message_reference": 6, "type": "request redeem"})
}

fn unblind(blinded: &Blinded, signatures: &[Value]) -> Value {
    let found = signatures
        .iter()
        .find(|signature| signature["reference"] == blinded.blind["reference"])
        .unwrap();
    let blind_signature = number(&found["blind_signature"]);
    let (n, e) = numbers(&blinded.key["public_mint_key"]);
    let signature = match &blinded.secret {
        Secret::Chaum82 { r_inverse } => {
            let signature = blind_signature * r_inverse % &n;
            let h = BigUint::from_bytes_be(&Sha1::digest(compact(&blinded.payload)));
            assert_eq!(signature.modpow(&e, &n), h, "the coin verifies");
            signature
        }
        Secret::Rfc9474(result) => {
            let blind_signature = BlindSignature(padded(&blind_signature, &n));
            let signature = rfc9474_key(&blinded.key)
                .finalize(&blind_signature, result, compact(&blinded.payload))
                .unwrap();
            BigUint::from_bytes_be(&signature.0)
        }
    };
    json!({"payload": blinded.payload, "signature": signature.to_str_radix(16), "type": "coin"})
}

/// The compact text of a document. `serde_json` keeps object fields in alphabetical order, and no text here needs an
/// escape.
#[must_use]
pub fn compact(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("\"{name}\": {}", compact(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// The pretty text of the document inside a certificate: the part of the certificate's text, indented one level less.
fn pretty_text(http: &Client, url: &str, field: &str) -> String {
    let response = http.get(url).send().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let certificate = response.text().unwrap();
    let begin = certificate.find(&format!("\"{field}\": {{")).unwrap() + field.len() + 4;
    let end = certificate.find("\n  },\n  \"signature\"").unwrap() + 4;
    let inside = &certificate[begin..end];
    let mut lines: Vec<String> = Vec::new();
    for line in inside.lines() {
        // Lists are indented by a fixed width at every level.
        let is_fixed = line.starts_with("        [") || line == "      ],";
        lines.push(if is_fixed {
            line.to_owned()
        } else {
            line.strip_prefix("  ").unwrap_or(line).to_owned()
        });
    }
    lines.join("\n")
}

fn verify_pss(master: &Value, text: &str, signature: &Value) {
    let (n, e) = numbers(master);
    let salt_bytes = n.bits().div_ceil(8) - 32 - 2;
    let signature = padded(&number(signature), &n);
    let key = rsa::RsaPublicKey::new(n, e).unwrap();
    let scheme = rsa::Pss::new_with_salt::<Sha256>(salt_bytes);
    key.verify(scheme, &Sha256::digest(text), &signature)
        .expect("the certificate verifies over the pretty text");
}

fn rfc9474_key(key: &Value) -> PublicKeySha384PSSDeterministic {
    let (n, e) = numbers(&key["public_mint_key"]);
    let boxed = |number: &BigUint| {
        let bytes = number.to_bytes_be();
        BoxedUint::from_be_slice(&bytes, u32::try_from(bytes.len() * 8).unwrap()).unwrap()
    };
    let key = blind_rsa_signatures::reexports::rsa::RsaPublicKey::new(boxed(&n), boxed(&e)).unwrap();
    PublicKeySha384PSSDeterministic::new(key)
}

fn numbers(key: &Value) -> (BigUint, BigUint) {
    (
        number(&key["modulus"]),
        BigUint::from(key["public_exponent"].as_u64().unwrap()),
    )
}

fn number(value: &Value) -> BigUint {
    BigUint::parse_bytes(value.as_str().unwrap().as_bytes(), 16).unwrap()
}

fn padded(number: &BigUint, n: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let mut padded = vec![0; n.bits().div_ceil(8) - bytes.len()];
    padded.extend(bytes);
    padded
}

fn sha1_hex(text: &str) -> String {
    BigUint::from_bytes_be(&Sha1::digest(text)).to_str_radix(16)
}

//! Requests to the master key, with documents to sign, and its answers, with their certificates.
//!
//! A request holds no secret. The holder of the master key reads it in plain words ([`crate::Vault::describe`])
//! before signing. The first request is made before the currency exists, so requests contain neither the master key
//! nor its id; the machine with the master key fills in both.

use opencoin_config::Window;
use opencoin_crypto::{PublicKey, VerifiedCddc};
use opencoin_schema::{BigInt, Cdd, Cddc, MintKey, Mkc, RsaPublicKey, Timestamp, WeightedUrl, text};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Documents for the master key to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningRequest {
    r#type: RequestType,
    /// The current CDDC; `None` in the first request of a currency.
    pub current: Option<Cddc>,
    /// The next CDD, if there is one.
    pub cdd: Option<CddDraft>,
    /// New mint keys.
    pub mint_keys: Vec<MintKeyDraft>,
}

/// The certificates that a [`SigningRequest`] asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedCertificates {
    r#type: AnswerType,
    /// The CDDC, if the request has a CDD.
    pub cddc: Option<Cddc>,
    /// A certificate for each mint key, in the order of the request.
    pub mkcs: Vec<Mkc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum RequestType {
    #[serde(rename = "signing request")]
    SigningRequest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum AnswerType {
    #[serde(rename = "signed certificates")]
    SignedCertificates,
}

/// A CDD without the master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the specification's CDD")]
pub struct CddDraft {
    pub additional_info: String,
    pub cdd_expiry_date: Timestamp,
    pub cdd_location: String,
    pub cdd_serial: u64,
    pub cdd_signing_date: Timestamp,
    pub currency_divisor: u64,
    pub currency_name: String,
    pub denominations: Vec<u64>,
    pub info_service: Vec<WeightedUrl>,
    pub issuer_cipher_suite: String,
    pub mint_service: Vec<WeightedUrl>,
    pub protocol_version: String,
    pub redeem_service: Vec<WeightedUrl>,
    pub renew_service: Vec<WeightedUrl>,
}

/// A mint key document without the issuer's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the specification's mint key")]
pub struct MintKeyDraft {
    pub cdd_serial: u64,
    pub coins_expiry_date: Timestamp,
    pub denomination: u64,
    pub public_mint_key: RsaPublicKey,
    pub sign_coins_not_after: Timestamp,
    pub sign_coins_not_before: Timestamp,
}

impl SignedCertificates {
    /// An answer with these certificates.
    #[must_use]
    pub fn new(cddc: Option<Cddc>, mkcs: Vec<Mkc>) -> Self {
        Self {
            r#type: AnswerType::SignedCertificates,
            cddc,
            mkcs,
        }
    }

    /// The same without the certificates of these mint keys.
    pub(crate) fn without(&self, left_out: &[&Mkc]) -> Self {
        let mkcs = self.mkcs.iter().filter(|mkc| !left_out.contains(mkc));
        Self::new(self.cddc.clone(), mkcs.cloned().collect())
    }
}

impl SigningRequest {
    /// A request for the certificates of these documents.
    #[must_use]
    pub fn new(current: Option<Cddc>, cdd: Option<CddDraft>, mint_keys: Vec<MintKeyDraft>) -> Self {
        Self {
            r#type: RequestType::SigningRequest,
            current,
            cdd,
            mint_keys,
        }
    }

    /// The request that these certificates answer.
    pub(crate) fn of(certificates: &SignedCertificates) -> Self {
        let cdd = certificates.cddc.as_ref().map(|cddc| CddDraft::of(&cddc.cdd));
        let mint_keys = certificates
            .mkcs
            .iter()
            .map(|mkc| MintKeyDraft::of(&mkc.mint_key));
        Self::new(None, cdd, mint_keys.collect())
    }

    /// Whether it begins a currency.
    pub(crate) const fn is_for_new_currency(&self) -> bool {
        self.current.is_none()
    }

    /// SHA-256 of the compact text. Operators compare it on both machines to see that the request is the same.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&text::compact(self))
    }

    /// Whether these are certificates for all requested documents and no others.
    #[must_use]
    pub fn is_answered_by(&self, answer: &SignedCertificates) -> bool {
        let answered = Self::of(answer);
        answered.cdd == self.cdd && answered.mint_keys == self.mint_keys
    }
}

impl CddDraft {
    /// The draft of this CDD.
    #[must_use]
    pub fn of(cdd: &Cdd) -> Self {
        let cdd = cdd.clone();
        Self {
            additional_info: cdd.additional_info,
            cdd_expiry_date: cdd.cdd_expiry_date,
            cdd_location: cdd.cdd_location,
            cdd_serial: cdd.cdd_serial,
            cdd_signing_date: cdd.cdd_signing_date,
            currency_divisor: cdd.currency_divisor,
            currency_name: cdd.currency_name,
            denominations: cdd.denominations,
            info_service: cdd.info_service,
            issuer_cipher_suite: cdd.issuer_cipher_suite,
            mint_service: cdd.mint_service,
            protocol_version: cdd.protocol_version,
            redeem_service: cdd.redeem_service,
            renew_service: cdd.renew_service,
        }
    }

    /// The CDD for this master key to sign.
    #[must_use]
    pub fn with_master_key(self, master_key: &PublicKey) -> Cdd {
        Cdd {
            additional_info: self.additional_info,
            cdd_expiry_date: self.cdd_expiry_date,
            cdd_location: self.cdd_location,
            cdd_serial: self.cdd_serial,
            cdd_signing_date: self.cdd_signing_date,
            currency_divisor: self.currency_divisor,
            currency_name: self.currency_name,
            denominations: self.denominations,
            id: master_key.id().clone(),
            info_service: self.info_service,
            issuer_cipher_suite: self.issuer_cipher_suite,
            issuer_public_master_key: master_key.document().clone(),
            mint_service: self.mint_service,
            protocol_version: self.protocol_version,
            redeem_service: self.redeem_service,
            renew_service: self.renew_service,
        }
    }
}

impl MintKeyDraft {
    /// A draft for a key that signs in this window.
    #[must_use]
    pub fn new(key: &PublicKey, denomination: u64, cdd_serial: u64, window: Window) -> Self {
        Self {
            cdd_serial,
            coins_expiry_date: Timestamp::from_utc(window.coins_expiry),
            denomination,
            public_mint_key: key.document().clone(),
            sign_coins_not_after: Timestamp::from_utc(window.sign_not_after),
            sign_coins_not_before: Timestamp::from_utc(window.sign_not_before),
        }
    }

    /// The draft of this mint key.
    #[must_use]
    pub fn of(mint_key: &MintKey) -> Self {
        let mint_key = mint_key.clone();
        Self {
            cdd_serial: mint_key.cdd_serial,
            coins_expiry_date: mint_key.coins_expiry_date,
            denomination: mint_key.denomination,
            public_mint_key: mint_key.public_mint_key,
            sign_coins_not_after: mint_key.sign_coins_not_after,
            sign_coins_not_before: mint_key.sign_coins_not_before,
        }
    }

    /// The id of the key.
    #[must_use]
    pub fn id(&self) -> BigInt {
        self.public_mint_key.id()
    }

    /// The document for the master key of this currency to sign.
    #[must_use]
    pub fn with_issuer(self, cddc: &VerifiedCddc) -> MintKey {
        MintKey {
            cdd_serial: self.cdd_serial,
            coins_expiry_date: self.coins_expiry_date,
            denomination: self.denomination,
            id: self.public_mint_key.id(),
            issuer_id: cddc.master_key().id().clone(),
            public_mint_key: self.public_mint_key,
            sign_coins_not_after: self.sign_coins_not_after,
            sign_coins_not_before: self.sign_coins_not_before,
        }
    }
}

/// SHA-256 of a text, in groups of digits that are easy to read aloud.
pub(crate) fn fingerprint(text: &str) -> String {
    const GROUP_BYTES: usize = 4;
    let hash = Sha256::digest(text);
    let groups: Vec<String> = hash.chunks(GROUP_BYTES).map(const_hex::encode).collect();
    groups.join(" ")
}

/// A valid draft for tests.
#[cfg(test)]
pub(crate) fn cdd_draft(serial: u64, denominations: Vec<u64>, expiry: Timestamp) -> CddDraft {
    CddDraft {
        additional_info: String::new(),
        cdd_expiry_date: expiry,
        cdd_location: String::new(),
        cdd_serial: serial,
        cdd_signing_date: Timestamp::from_utc("2026-01-01T00:00:00Z".parse().expect("a date")),
        currency_divisor: 100,
        currency_name: "OpenCent".to_owned(),
        denominations,
        info_service: Vec::new(),
        issuer_cipher_suite: "RSA-SHA384-PSS-RFC9474".to_owned(),
        mint_service: Vec::new(),
        protocol_version: opencoin_schema::PROTOCOL_VERSION.to_owned(),
        redeem_service: Vec::new(),
        renew_service: Vec::new(),
    }
}

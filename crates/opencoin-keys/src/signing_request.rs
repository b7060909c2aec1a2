//! What goes to the master key and what comes back: documents to be signed, and their certificates.
//!
//! The request holds no secret and names no key that it could not do without: whoever holds the master key
//! reads it in plain words ([`crate::Vault::describe`]) before signing. A first request is made before there
//! is a currency, so it has neither the master key nor its id; both are filled in where the master key is.

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
    /// The CDDC in force; none in the first request of a currency.
    pub current: Option<Cddc>,
    /// The next CDD, where there is to be one.
    pub cdd: Option<CddDraft>,
    /// New mint keys.
    pub mint_keys: Vec<MintKeyDraft>,
}

/// The certificates that a [`SigningRequest`] asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedCertificates {
    r#type: AnswerType,
    /// The CDDC, where the request had a CDD.
    pub cddc: Option<Cddc>,
    /// A certificate for each mint key, in their order.
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
    /// These certificates.
    #[must_use]
    pub fn new(cddc: Option<Cddc>, mkcs: Vec<Mkc>) -> Self {
        Self {
            r#type: AnswerType::SignedCertificates,
            cddc,
            mkcs,
        }
    }
}

impl SigningRequest {
    /// Asks for the certificates of these documents.
    #[must_use]
    pub fn new(current: Option<Cddc>, cdd: Option<CddDraft>, mint_keys: Vec<MintKeyDraft>) -> Self {
        Self {
            r#type: RequestType::SigningRequest,
            current,
            cdd,
            mint_keys,
        }
    }

    /// What these certificates answer.
    pub(crate) fn of(certificates: &SignedCertificates) -> Self {
        let cdd = certificates.cddc.as_ref().map(|cddc| CddDraft::of(&cddc.cdd));
        Self::new(
            None,
            cdd,
            certificates
                .mkcs
                .iter()
                .map(|mkc| MintKeyDraft::of(&mkc.mint_key))
                .collect(),
        )
    }

    /// What two machines compare to see that they speak of the same request: SHA-256 of its compact text.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&text::compact(self))
    }

    /// Whether these certificates are of what was asked for, all of it and nothing else.
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

    /// The CDD that this master key is to sign.
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
    /// The draft of a key that signs in this window.
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

    /// The document that the master key of this currency is to sign.
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

/// SHA-256 of a text, in groups that can be read aloud.
pub(crate) fn fingerprint(text: &str) -> String {
    const GROUP_CHARS: usize = 8;
    let hex = const_hex::encode(Sha256::digest(text));
    let groups: Vec<&str> = (0..hex.len())
        .step_by(GROUP_CHARS)
        .map(|start| &hex[start..start + GROUP_CHARS])
        .collect();
    groups.join(" ")
}

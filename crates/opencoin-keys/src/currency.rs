//! A currency as described by its signed documents. They are verified when they are loaded.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use opencoin_crypto::{
    CertificateError, CipherSuite, VerifiedCddc, VerifiedMintKey, verify_cddc, verify_mint_key_certificate,
};
use opencoin_ledger::{Amount, LedgerTime, MintKeyId, MintKeyIdentity, MintKeyTerms};
use opencoin_log::log_block::{LogBlock, LogBlockError};
use opencoin_schema::{BigInt, Cddc, MintKey, Mkc};
use thiserror::Error;

/// The documents of one currency.
#[derive(Debug)]
pub struct Currency {
    /// By serial; never empty.
    cddcs: BTreeMap<u64, VerifiedCddc>,
    current_serial: u64,
    mint_keys: BTreeMap<BigInt, CertifiedMintKey>,
    log: Option<LogBlock>,
}

/// A verified mint key, and its data in the ledger's form.
#[derive(Debug)]
pub struct CertifiedMintKey {
    /// The certificate and the parsed key.
    pub verified: VerifiedMintKey,
    /// The id in the ledger's form.
    pub ledger_id: MintKeyId,
    /// The identity in the public log, from which the digests of blinds and coins are computed.
    pub identity: MintKeyIdentity,
    /// Denomination and dates in the ledger's form.
    pub terms: MintKeyTerms,
}

/// The documents do not form a currency.
#[derive(Debug, Error)]
pub enum CurrencyError {
    /// There is no CDDC at all.
    #[error("there is no CDDC")]
    NoCddc,
    /// A CDDC does not verify.
    #[error("the CDDC with serial {serial} does not verify: {error}")]
    Cddc {
        /// The serial of the CDDC.
        serial: u64,
        /// The failed check.
        error: CertificateError,
    },
    /// Two CDDCs have the same serial or different master keys.
    #[error("the CDDC with serial {0} repeats a serial or belongs to another currency")]
    MixedCddcs(u64),
    /// The current CDD describes a public log, but not as it must.
    #[error("the CDD with serial {serial} has a malformed description of its log: {error}")]
    Log {
        /// The serial of the CDD.
        serial: u64,
        /// What is wrong.
        error: LogBlockError,
    },
    /// A mint key certificate does not verify, or its terms contradict themselves.
    #[error("the certificate of mint key {id} is not valid: {reason}")]
    Mkc {
        /// The id of the key.
        id: BigInt,
        /// What is wrong.
        reason: String,
    },
}

impl Currency {
    /// Verifies the documents of one currency.
    ///
    /// # Errors
    /// When a document does not verify or belongs to another currency.
    pub fn new(cddcs: Vec<Cddc>, mkcs: Vec<Mkc>) -> Result<Self, CurrencyError> {
        let mut verified = BTreeMap::new();
        for cddc in cddcs {
            let serial = cddc.cdd.cdd_serial;
            let cddc = verify_cddc(&cddc).map_err(|error| CurrencyError::Cddc { serial, error })?;
            let is_other = verified
                .values()
                .any(|known: &VerifiedCddc| known.master_key() != cddc.master_key());
            if is_other || verified.insert(serial, cddc).is_some() {
                return Err(CurrencyError::MixedCddcs(serial));
            }
        }
        let current_serial = *verified.keys().next_back().ok_or(CurrencyError::NoCddc)?;
        let info = &verified[&current_serial].cdd().additional_info;
        let log = LogBlock::find(info).map_err(|error| CurrencyError::Log {
            serial: current_serial,
            error,
        })?;
        let mut currency = Self {
            cddcs: verified,
            current_serial,
            mint_keys: BTreeMap::new(),
            log,
        };
        for mkc in mkcs {
            let id = mkc.mint_key.id.clone();
            let key = currency.certify(&mkc).map_err(|reason| CurrencyError::Mkc {
                id: id.clone(),
                reason,
            })?;
            currency.mint_keys.insert(id, key);
        }
        Ok(currency)
    }

    fn certify(&self, mkc: &Mkc) -> Result<CertifiedMintKey, String> {
        let serial = mkc.mint_key.cdd_serial;
        let cddc = self
            .cddcs
            .get(&serial)
            .ok_or_else(|| format!("there is no CDDC with its serial {serial}"))?;
        let verified = verify_mint_key_certificate(mkc, cddc).map_err(|error| error.to_string())?;
        let ledger_id =
            MintKeyId::from_be_bytes(mkc.mint_key.id.as_be_bytes()).map_err(|error| error.to_string())?;
        Ok(CertifiedMintKey {
            verified,
            ledger_id,
            identity: MintKeyIdentity::of(&mkc.mint_key.public_mint_key),
            terms: terms(&mkc.mint_key)?,
        })
    }

    /// The identifier of the currency, which is that of its master key.
    #[must_use]
    pub fn issuer_id(&self) -> &BigInt {
        self.current().master_key().id()
    }

    /// The cipher suite of its coins.
    #[must_use]
    pub fn cipher_suite(&self) -> CipherSuite {
        self.current().cipher_suite()
    }

    /// The current CDDC.
    #[must_use]
    pub fn current(&self) -> &VerifiedCddc {
        &self.cddcs[&self.current_serial]
    }

    /// The public log that the current CDD names.
    #[must_use]
    pub fn log(&self) -> Option<&LogBlock> {
        self.log.as_ref()
    }

    /// All CDDCs, in the order of their serials.
    pub fn cddcs(&self) -> impl Iterator<Item = &Cddc> {
        self.cddcs.values().map(VerifiedCddc::cddc)
    }

    /// The CDDC with this serial; 0 is the current one.
    #[must_use]
    pub fn cddc(&self, serial: u64) -> Option<&Cddc> {
        let serial = if serial == 0 { self.current_serial } else { serial };
        self.cddcs.get(&serial).map(VerifiedCddc::cddc)
    }

    /// The mint key with this id.
    #[must_use]
    pub fn mint_key(&self, id: &BigInt) -> Option<&CertifiedMintKey> {
        self.mint_keys.get(id)
    }

    /// Every mint key.
    pub fn mint_keys(&self) -> impl Iterator<Item = &CertifiedMintKey> {
        self.mint_keys.values()
    }

    /// The newest key of each denomination that signs at this moment and is not stopped, ordered by denomination.
    #[must_use]
    pub fn current_mint_keys(
        &self,
        now: DateTime<Utc>,
        stopped: &BTreeSet<MintKeyId>,
    ) -> Vec<&CertifiedMintKey> {
        let now = ledger_time(now);
        let mut current: BTreeMap<u64, &CertifiedMintKey> = BTreeMap::new();
        let signs = |key: &&CertifiedMintKey| {
            let is_in_use = self
                .current()
                .cdd()
                .denominations
                .contains(&key.verified.mint_key().denomination);
            is_in_use && key.terms.signs_at(now) && !stopped.contains(&key.ledger_id)
        };
        for key in self.mint_keys.values().filter(signs) {
            let newest = current.entry(key.terms.denomination().units()).or_insert(key);
            if newest.terms.sign_not_before() < key.terms.sign_not_before() {
                *newest = key;
            }
        }
        current.into_values().collect()
    }
}

/// A moment in the ledger's form.
#[must_use]
pub fn ledger_time(moment: DateTime<Utc>) -> LedgerTime {
    LedgerTime::from_unix_micros(moment.timestamp_micros())
}

fn terms(mint_key: &MintKey) -> Result<MintKeyTerms, String> {
    let denomination = Amount::new(mint_key.denomination).map_err(|error| error.to_string())?;
    MintKeyTerms::new(
        denomination,
        LedgerTime::from_unix_micros(mint_key.sign_coins_not_before.unix_us()),
        LedgerTime::from_unix_micros(mint_key.sign_coins_not_after.unix_us()),
        LedgerTime::from_unix_micros(mint_key.coins_expiry_date.unix_us()),
    )
    .map_err(|error| error.to_string())
}

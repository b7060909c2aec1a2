//! Certificates: a CDDC that its own master key signed, and the mint keys (MKC) which that master key signed.
//!
//! A document that was verified becomes a [`VerifiedCddc`] or [`VerifiedMintKey`]; functions that rely on it
//! take those. Both prove only what was signed and that it belongs together: whether the master key is the
//! one that the user means to trust, and whether a document has expired, the caller decides.

use opencoin_schema::{BigInt, Cdd, Cddc, MintKey, Mkc, text};
use rsa::rand_core::CryptoRngCore;
use thiserror::Error;

use crate::keys::{KeyError, OperationError};
use crate::suite::{MintKeyError, UnknownCipherSuite};
use crate::{CipherSuite, PrivateKey, PublicKey};

/// Which check a certificate failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The key in the document cannot be used.
    #[error("the key cannot be used: {0}")]
    Key(#[from] KeyError),
    /// The CDD names an unknown cipher suite.
    #[error(transparent)]
    CipherSuite(#[from] UnknownCipherSuite),
    /// The key cannot be a mint key of the currency's cipher suite.
    #[error(transparent)]
    MintKey(#[from] MintKeyError),
    /// The `id` is not the identifier of the key in the document.
    #[error("the id {named} is not the key's, which is {computed}")]
    Id {
        /// What the document says.
        named: BigInt,
        /// What its key gives.
        computed: BigInt,
    },
    /// The mint key belongs to another currency.
    #[error("the mint key is of issuer {named}, not of {expected}")]
    Issuer {
        /// What the mint key says.
        named: BigInt,
        /// The identifier of the master key at hand.
        expected: BigInt,
    },
    /// The mint key has a denomination that the currency does not have.
    #[error("the currency has no denomination {0}")]
    Denomination(u64),
    /// The mint key is the master key: whoever buys blind signatures from it could have certificates signed.
    #[error("the mint key is the master key itself")]
    MintKeyIsMasterKey,
    /// The signature is not the master key's over the document.
    #[error("the signature is not the master key's")]
    Signature,
    /// The private operation failed while signing.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

/// A CDDC whose id, cipher suite and signature were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCddc {
    cddc: Cddc,
    suite: CipherSuite,
    master_key: PublicKey,
}

/// A mint key whose id, issuer, denomination, size and signature were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedMintKey {
    mkc: Mkc,
    public_key: PublicKey,
}

impl VerifiedCddc {
    /// The certificate.
    #[must_use]
    pub fn cddc(&self) -> &Cddc {
        &self.cddc
    }

    /// The document in it.
    #[must_use]
    pub fn cdd(&self) -> &Cdd {
        &self.cddc.cdd
    }

    /// How the coins of this currency are made.
    #[must_use]
    pub fn cipher_suite(&self) -> CipherSuite {
        self.suite
    }

    /// The key that signed the CDD and signs the mint keys. Its [`id`](PublicKey::id) is the currency's.
    #[must_use]
    pub fn master_key(&self) -> &PublicKey {
        &self.master_key
    }
}

impl VerifiedMintKey {
    /// The certificate.
    #[must_use]
    pub fn mkc(&self) -> &Mkc {
        &self.mkc
    }

    /// The document in it.
    #[must_use]
    pub fn mint_key(&self) -> &MintKey {
        &self.mkc.mint_key
    }

    /// The key, to blind for and to verify coins with.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// Verifies a CDDC: its `id` is the master key's, the cipher suite is known, the master key inside signed the
/// document.
///
/// # Errors
/// Names the first check that failed.
pub fn verify_cddc(cddc: &Cddc) -> Result<VerifiedCddc, CertificateError> {
    let (suite, master_key) = check_cdd(&cddc.cdd)?;
    master_key
        .verify_certificate(&text::pretty(&cddc.cdd), &cddc.signature)
        .map_err(|_| CertificateError::Signature)?;
    Ok(VerifiedCddc {
        cddc: cddc.clone(),
        suite,
        master_key,
    })
}

/// Verifies a mint key certificate of the currency `cddc`: its issuer and `id`, that its denomination is one
/// of the currency's, that the cipher suite allows its key, and the master key's signature.
///
/// # Errors
/// Names the first check that failed.
pub fn verify_mint_key_certificate(
    mkc: &Mkc,
    cddc: &VerifiedCddc,
) -> Result<VerifiedMintKey, CertificateError> {
    let public_key = check_mint_key(&mkc.mint_key, cddc)?;
    cddc.master_key
        .verify_certificate(&text::pretty(&mkc.mint_key), &mkc.signature)
        .map_err(|_| CertificateError::Signature)?;
    Ok(VerifiedMintKey {
        mkc: mkc.clone(),
        public_key,
    })
}

/// Signs a CDD with the master key that it names.
///
/// # Errors
/// When the CDD would not verify: another key's, a wrong id, an unknown cipher suite; or when signing fails.
pub fn sign_cddc(
    cdd: Cdd,
    master_key: &PrivateKey,
    rng: &mut (impl CryptoRngCore + ?Sized),
) -> Result<VerifiedCddc, CertificateError> {
    let (suite, public_key) = check_cdd(&cdd)?;
    if public_key != *master_key.public_key() {
        return Err(CertificateError::Signature);
    }
    let signature = master_key.sign_certificate(&text::pretty(&cdd), rng)?;
    Ok(VerifiedCddc {
        cddc: Cddc { cdd, signature },
        suite,
        master_key: public_key,
    })
}

/// Signs a mint key of the currency `cddc` with its master key.
///
/// # Errors
/// When the certificate would not verify, or `master_key` is not the currency's; or when signing fails.
pub fn sign_mint_key_certificate(
    mint_key: MintKey,
    cddc: &VerifiedCddc,
    master_key: &PrivateKey,
    rng: &mut (impl CryptoRngCore + ?Sized),
) -> Result<VerifiedMintKey, CertificateError> {
    let public_key = check_mint_key(&mint_key, cddc)?;
    if cddc.master_key != *master_key.public_key() {
        return Err(CertificateError::Signature);
    }
    let signature = master_key.sign_certificate(&text::pretty(&mint_key), rng)?;
    Ok(VerifiedMintKey {
        mkc: Mkc { mint_key, signature },
        public_key,
    })
}

fn check_cdd(cdd: &Cdd) -> Result<(CipherSuite, PublicKey), CertificateError> {
    let suite = cdd.issuer_cipher_suite.parse()?;
    let master_key = PublicKey::parse(&cdd.issuer_public_master_key)?;
    check_id(&cdd.id, &master_key)?;
    Ok((suite, master_key))
}

fn check_mint_key(mint_key: &MintKey, cddc: &VerifiedCddc) -> Result<PublicKey, CertificateError> {
    let issuer_id = cddc.master_key.id();
    if mint_key.issuer_id != *issuer_id {
        return Err(CertificateError::Issuer {
            named: mint_key.issuer_id.clone(),
            expected: issuer_id.clone(),
        });
    }
    if !cddc.cdd().denominations.contains(&mint_key.denomination) {
        return Err(CertificateError::Denomination(mint_key.denomination));
    }
    let public_key = PublicKey::parse(&mint_key.public_mint_key)?;
    check_id(&mint_key.id, &public_key)?;
    cddc.suite.check_mint_key(&public_key)?;
    if public_key.document().modulus == cddc.master_key.document().modulus {
        return Err(CertificateError::MintKeyIsMasterKey);
    }
    Ok(public_key)
}

fn check_id(named: &BigInt, key: &PublicKey) -> Result<(), CertificateError> {
    if named == key.id() {
        Ok(())
    } else {
        Err(CertificateError::Id {
            named: named.clone(),
            computed: key.id().clone(),
        })
    }
}

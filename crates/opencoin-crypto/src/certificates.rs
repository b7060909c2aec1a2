//! Certificates: a CDDC, which its own master key signs, and mint key certificates (MKC), signed by the same key.
//!
//! Verification turns documents into [`VerifiedCddc`] and [`VerifiedMintKey`], and functions that rely on it take
//! these types. They prove that the signatures are right and that the documents belong together. The caller decides
//! whether to trust the master key and whether a document has expired.

use opencoin_schema::{BigInt, Cdd, Cddc, MintKey, Mkc, text};
use rsa::rand_core::CryptoRngCore;
use thiserror::Error;

use crate::key_error::{KeyError, OperationError};
use crate::suite::{MintKeyError, UnknownCipherSuite};
use crate::{CipherSuite, PrivateKey, PublicKey};

/// The check that a certificate failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The key in the document is not usable.
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
        /// The id in the document.
        named: BigInt,
        /// The id of the key.
        computed: BigInt,
    },
    /// The mint key belongs to another currency.
    #[error("the mint key is of issuer {named}, not of {expected}")]
    Issuer {
        /// The issuer id in the document.
        named: BigInt,
        /// The id of the currency's master key.
        expected: BigInt,
    },
    /// The mint key has a denomination that the currency does not have.
    #[error("the currency has no denomination {0}")]
    Denomination(u64),
    /// The mint key is the master key. Its blind signatures could be certificates.
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

    /// The cipher suite that the CDD names.
    #[must_use]
    pub fn cipher_suite(&self) -> CipherSuite {
        self.suite
    }

    /// The key that signed the CDD and signs the mint keys. Its [`id`](PublicKey::id) identifies the currency.
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

    /// The key, for blinding payloads and verifying coins.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// Verifies a CDDC: its `id` is that of the master key in it, it names a known cipher suite, and the master key
/// signed it.
///
/// # Errors
/// Returns the first check that failed.
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

/// Verifies a mint key certificate of the currency `cddc`: its issuer, denomination and `id`, that the cipher suite
/// allows its key, and the master key's signature.
///
/// # Errors
/// Returns the first check that failed.
pub fn verify_mint_key_certificate(
    mkc: &Mkc,
    cddc: &VerifiedCddc,
) -> Result<VerifiedMintKey, CertificateError> {
    check_issuer(&mkc.mint_key, cddc)?;
    check_denomination(&mkc.mint_key, cddc)?;
    verify_mint_key_of_issuer(mkc, cddc)
}

/// Verifies a mint key certificate as [`verify_mint_key_certificate`] does, except that the currency need not have the
/// denomination. A description that is older or newer than `cddc` may have it.
///
/// # Errors
/// Returns the first check that failed.
pub fn verify_mint_key_of_issuer(
    mkc: &Mkc,
    cddc: &VerifiedCddc,
) -> Result<VerifiedMintKey, CertificateError> {
    check_issuer(&mkc.mint_key, cddc)?;
    let public_key = check_key(&mkc.mint_key, cddc)?;
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
/// When the CDD would not verify (another key, a wrong id, an unknown cipher suite), or signing fails.
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
/// When the certificate would not verify, `master_key` is not the currency's, or signing fails.
pub fn sign_mint_key_certificate(
    mint_key: MintKey,
    cddc: &VerifiedCddc,
    master_key: &PrivateKey,
    rng: &mut (impl CryptoRngCore + ?Sized),
) -> Result<VerifiedMintKey, CertificateError> {
    check_issuer(&mint_key, cddc)?;
    check_denomination(&mint_key, cddc)?;
    let public_key = check_key(&mint_key, cddc)?;
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

fn check_denomination(mint_key: &MintKey, cddc: &VerifiedCddc) -> Result<(), CertificateError> {
    if cddc.cdd().denominations.contains(&mint_key.denomination) {
        Ok(())
    } else {
        Err(CertificateError::Denomination(mint_key.denomination))
    }
}

fn check_issuer(mint_key: &MintKey, cddc: &VerifiedCddc) -> Result<(), CertificateError> {
    let issuer_id = cddc.master_key.id();
    if mint_key.issuer_id == *issuer_id {
        Ok(())
    } else {
        Err(CertificateError::Issuer {
            named: mint_key.issuer_id.clone(),
            expected: issuer_id.clone(),
        })
    }
}

fn check_key(mint_key: &MintKey, cddc: &VerifiedCddc) -> Result<PublicKey, CertificateError> {
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

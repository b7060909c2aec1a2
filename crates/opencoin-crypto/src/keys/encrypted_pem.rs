//! Private keys as encrypted PKCS#8 (RFC 5958, RFC 8018) in PEM, the form in which all of them are stored.

use rsa::pkcs8::der::pem::PemLabel;
use rsa::pkcs8::der::{Encode, SecretDocument};
use rsa::pkcs8::pkcs5::{pbes2, scrypt};
use rsa::pkcs8::{EncryptedPrivateKeyInfo, LineEnding, PrivateKeyInfo};
use rsa::rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::key_error::KeyError;

/// The cost of scrypt (OWASP, Password Storage Cheat Sheet: N = 2^14, r = 8, p = 5). It needs 16 MiB, below
/// OpenSSL's limit of 32 MiB, so that OpenSSL can open the files as well.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 5;

/// In a debug build with this environment variable, scrypt costs almost nothing. Tests make and open hundreds of
/// keys that protect nothing.
#[cfg(debug_assertions)]
const CHEAP_KEYS_VARIABLE: &str = "OPENCOIN_TEST_CHEAP_KEYS";

#[cfg(debug_assertions)]
fn scrypt_log_n() -> u8 {
    const CHEAP_LOG_N: u8 = 4;
    if std::env::var_os(CHEAP_KEYS_VARIABLE).is_some() {
        CHEAP_LOG_N
    } else {
        SCRYPT_LOG_N
    }
}

#[cfg(not(debug_assertions))]
const fn scrypt_log_n() -> u8 {
    SCRYPT_LOG_N
}

/// Encrypts a key: AES-256-CBC under a key that scrypt (RFC 7914) derives from the passphrase. It takes about 0.2 s and
/// 16 MiB of memory.
pub(crate) fn encrypt(
    info: &PrivateKeyInfo<'_>,
    passphrase: &[u8],
    rng: &mut (impl CryptoRngCore + ?Sized),
) -> Zeroizing<String> {
    let [mut salt, mut vector] = [[0; 16]; 2];
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut vector);
    let key_bytes = scrypt::Params::RECOMMENDED_LEN;
    let parameters = scrypt::Params::new(scrypt_log_n(), SCRYPT_R, SCRYPT_P, key_bytes)
        .expect("these parameters are in scrypt's range");
    let parameters =
        pbes2::Parameters::scrypt_aes256cbc(parameters, &salt, &vector).expect("and in that of PBES2");
    let document = Zeroizing::new(info.to_der().expect("a private key can be encoded"));
    let encrypted = PrivateKeyInfo::try_from(&document[..])
        .expect("what was just written can be read")
        .encrypt_with_params(parameters, passphrase)
        .expect("any bytes can be encrypted");
    encrypted
        .to_pem(EncryptedPrivateKeyInfo::PEM_LABEL, LineEnding::LF)
        .expect("and written as PEM")
}

/// Decrypts a key. The caller reads the [`PrivateKeyInfo`] in the document.
///
/// # Errors
/// [`KeyError::NotEncryptedPem`] when the text is something else, [`KeyError::Passphrase`] when the passphrase is wrong.
pub(crate) fn decrypt(pem: &str, passphrase: &[u8]) -> Result<SecretDocument, KeyError> {
    let (label, document) = SecretDocument::from_pem(pem).map_err(|_| KeyError::NotEncryptedPem)?;
    if label != EncryptedPrivateKeyInfo::PEM_LABEL {
        return Err(KeyError::NotEncryptedPem);
    }
    let encrypted =
        EncryptedPrivateKeyInfo::try_from(document.as_bytes()).map_err(|_| KeyError::NotEncryptedPem)?;
    // A wrong passphrase gives random bytes with wrong padding or structure.
    encrypted.decrypt(passphrase).map_err(|_| KeyError::Passphrase)
}

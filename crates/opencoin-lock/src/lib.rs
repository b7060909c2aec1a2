//! Locks a message with a passphrase, as an age file (<https://age-encryption.org/v1>) with one recipient, scrypt.
//!
//! The format is not ours, so `age --decrypt` opens it too. It has three forms: the binary file, its ASCII armour for
//! files and mails ([`armored`]), and a CBOR byte string ([`to_cbor`]), which the payload of a Uniform Resource must be.
//! Nothing here knows what the message means.

use std::io::Read;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, scrypt};
use minicbor::{Decoder, Encoder};
use thiserror::Error;
use zeroize::Zeroizing;

/// The cost of a guess, when locking: 2^17 rounds of scrypt with r = 8 and p = 1. It takes 128 MiB and about half a
/// second.
pub const WORK_FACTOR: u8 = 17;

/// The highest cost that is paid to unlock: 256 MiB. It is what the program `age` writes. A stranger chooses it.
pub const WORK_FACTOR_MAX: u8 = 18;

/// The largest locked message, in each form.
pub const LOCKED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How each binary file begins.
const BINARY_BEGIN: &[u8] = b"age-encryption.org/v1\n";

/// How the armoured form begins.
const ARMOR_BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
/// How it ends.
const ARMOR_END: &str = "-----END AGE ENCRYPTED FILE-----";

/// Why a message cannot be unlocked. Nothing is lost: the locked message is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnlockError {
    /// The passphrase does not open it.
    #[error("the passphrase is wrong; nothing was done, so try again")]
    WrongPassphrase,
    /// It asks for more work than [`WORK_FACTOR_MAX`].
    #[error(
        "opening it would take 2^{0} rounds, more than the 2^{WORK_FACTOR_MAX} that this program does: it was locked with \
         an unusual setting"
    )]
    TooMuchWork(u8),
    /// It is locked with a key, not with a passphrase.
    #[error("it is locked with a key, not with a passphrase")]
    NoPassphrase,
    /// Bytes are missing or were changed.
    #[error("the locked message is damaged: part of it is missing or was changed; ask for it again")]
    Damaged,
    /// It is larger than [`LOCKED_BYTES_MAX`].
    #[error("the locked message has more than {LOCKED_BYTES_MAX} bytes")]
    TooLarge,
}

/// Locks a message. `work_factor` is the binary logarithm of scrypt's rounds, 1 to 63: [`WORK_FACTOR`], less in tests.
#[must_use]
pub fn lock(message: &[u8], passphrase: &str, work_factor: u8) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
    recipient.set_work_factor(work_factor);
    age::encrypt(&recipient, message).expect("writing to a vector cannot fail")
}

/// Unlocks a message in the binary form.
///
/// # Errors
/// The passphrase is wrong, or the message is damaged, too large or takes too much work.
pub fn unlock(locked: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, UnlockError> {
    if locked.len() > LOCKED_BYTES_MAX {
        return Err(UnlockError::TooLarge);
    }
    let decryptor = Decryptor::new_buffered(locked).map_err(unlock_error)?;
    if !decryptor.is_scrypt() {
        return Err(UnlockError::NoPassphrase);
    }
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let identities = std::iter::once(&identity as &dyn age::Identity);
    let mut reader = decryptor.decrypt(identities).map_err(unlock_error)?;
    let mut message = Zeroizing::new(Vec::with_capacity(locked.len()));
    reader
        .read_to_end(&mut message)
        .map_err(|_| UnlockError::Damaged)?;
    Ok(message)
}

fn unlock_error(error: DecryptError) -> UnlockError {
    match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => UnlockError::WrongPassphrase,
        DecryptError::ExcessiveWork { required, .. } => UnlockError::TooMuchWork(required),
        DecryptError::NoMatchingKeys => UnlockError::NoPassphrase,
        DecryptError::InvalidHeader
        | DecryptError::InvalidMac
        | DecryptError::Io(_)
        | DecryptError::UnknownFormat => UnlockError::Damaged,
        // The enum may grow. What this version cannot name, it cannot open either.
        _ => UnlockError::Damaged,
    }
}

/// Whether these are the bytes of a locked message in the binary form.
#[must_use]
pub fn is_locked(bytes: &[u8]) -> bool {
    bytes.starts_with(BINARY_BEGIN)
}

/// Writes a locked message in ASCII armour.
#[must_use]
pub fn armored(locked: &[u8]) -> String {
    let write = || -> std::io::Result<Vec<u8>> {
        let mut writer = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        std::io::Write::write_all(&mut writer, locked)?;
        writer.finish()
    };
    let text = write().expect("writing to a vector cannot fail");
    String::from_utf8(text).expect("the armour is ASCII")
}

/// Finds a locked message in ASCII armour in a text with other words. `None` if there is none.
#[must_use]
pub fn find_armored(text: &str) -> Option<Result<Vec<u8>, UnlockError>> {
    let text = &text[text.find(ARMOR_BEGIN)?..];
    let Some(end) = text.find(ARMOR_END) else {
        return Some(Err(UnlockError::Damaged));
    };
    let text = &text[..end + ARMOR_END.len()];
    if text.len() > 2 * LOCKED_BYTES_MAX {
        return Some(Err(UnlockError::TooLarge));
    }
    let mut locked = Vec::new();
    let read = ArmoredReader::new(text.as_bytes()).read_to_end(&mut locked);
    Some(read.map(|_| locked).map_err(|_| UnlockError::Damaged))
}

/// Writes a locked message as a CBOR byte string.
#[must_use]
pub fn to_cbor(locked: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.bytes(locked).expect("writing to a vector cannot fail");
    encoder.into_writer()
}

/// Reads a locked message from a CBOR byte string, in its shortest encoding and with nothing after it.
///
/// # Errors
/// It is none.
pub fn from_cbor(cbor: &[u8]) -> Result<Vec<u8>, UnlockError> {
    let locked = Decoder::new(cbor).bytes().map_err(|_| UnlockError::Damaged)?;
    if to_cbor(locked) != cbor {
        return Err(UnlockError::Damaged);
    }
    Ok(locked.to_vec())
}

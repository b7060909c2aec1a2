//! RSA keys that are the same in every run. They are public and protect nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use opencoin_crypto::{MINT_KEY_BITS_MIN, PrivateKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use tempfile::NamedTempFile;

use crate::rng;

/// A key that the first caller generates.
type Slot = Arc<OnceLock<Arc<PrivateKey>>>;

static MADE: Mutex<BTreeMap<String, Slot>> = Mutex::new(BTreeMap::new());

/// The key with this label: 2048 bits, the shortest length that new currencies may have.
///
/// Generating a key takes a tenth of a second, and every test runs in its own process. Each key is therefore
/// generated once and stored in `target/test-keys`. Threads can generate keys with different labels in parallel.
///
/// # Panics
/// The label is longer than 32 bytes.
#[must_use]
pub fn private_key(label: &str) -> Arc<PrivateKey> {
    let slot = Slot::clone(
        MADE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(label.to_owned())
            .or_default(),
    );
    Arc::clone(slot.get_or_init(|| Arc::new(read(label).unwrap_or_else(|| make(label)))))
}

fn file(label: &str) -> PathBuf {
    let hex: String = label.bytes().map(|byte| format!("{byte:02x}")).collect();
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/test-keys")
        .join(hex)
}

fn read(label: &str) -> Option<PrivateKey> {
    PrivateKey::from_pkcs8_pem(&fs::read_to_string(file(label)).ok()?).ok()
}

/// Generates the key and stores it. If it cannot be stored, the next process generates it again.
fn make(label: &str) -> PrivateKey {
    let key = generate(MINT_KEY_BITS_MIN, &mut rng::labelled(label));
    let file = file(label);
    let folder = file.parent().expect("it is in a folder");
    // Several processes may do this at once, so each writes a temporary file and renames it.
    let kept = fs::create_dir_all(folder).and_then(|()| {
        let mut new = NamedTempFile::new_in(folder)?;
        new.write_all(key.to_pkcs8_pem().as_bytes())?;
        Ok(new.persist(&file)?)
    });
    drop(kept);
    key
}

/// A key of any length that [`PrivateKey`] reads, for tests that need short keys. The same seed gives the same key.
#[must_use]
pub fn seeded_key(bits: usize, seed: u64) -> PrivateKey {
    generate(bits, &mut ChaCha20Rng::seed_from_u64(seed))
}

/// The product draws its keys from the system's randomness, which no test can repeat.
fn generate(bits: usize, rng: &mut ChaCha20Rng) -> PrivateKey {
    let key = RsaPrivateKey::new(rng, bits).expect("a supported length");
    let pem = key.to_pkcs8_pem(LineEnding::LF).expect("a key can be written");
    PrivateKey::from_pkcs8_pem(&pem).expect("a key that was written can be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_belongs_to_its_name() {
        let key = private_key("a test's key");
        assert!(Arc::ptr_eq(&key, &private_key("a test's key")));
        assert_ne!(key.public_key(), private_key("another key").public_key());
        assert_eq!(key.public_key().modulus_bits(), MINT_KEY_BITS_MIN);
        let kept = read("a test's key").unwrap();
        assert_eq!(kept.public_key(), make("a test's key").public_key());
    }
}

//! RSA keys that are the same in every run. Known to everybody: they protect nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use opencoin_crypto::{MINT_KEY_BITS_MIN, PrivateKey};

use crate::rng;

/// A key that is made once, by whoever asks first.
type Slot = Arc<OnceLock<Arc<PrivateKey>>>;

static MADE: Mutex<BTreeMap<String, Slot>> = Mutex::new(BTreeMap::new());

/// The key of this name, of the shortest length that new currencies may have (2048 bits).
///
/// Making one takes some tenths of a second, so each is made once in a process; those with different names
/// can be made at the same time.
///
/// # Panics
/// When the label is longer than 32 bytes.
#[must_use]
pub fn private_key(label: &str) -> Arc<PrivateKey> {
    let slot = Slot::clone(
        MADE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(label.to_owned())
            .or_default(),
    );
    let make =
        || PrivateKey::generate(MINT_KEY_BITS_MIN, &mut rng::labelled(label)).expect("a supported length");
    Arc::clone(slot.get_or_init(|| Arc::new(make())))
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
    }
}

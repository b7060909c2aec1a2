//! Randomness that can be had again.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// How long a label may be, in bytes: it is the generator's seed.
pub(crate) const LABEL_BYTES_MAX: usize = 32;

/// A generator of its own for everything that has a name, so that what is made under one name stays the same
/// whatever is made before it.
///
/// # Panics
/// When the label is longer than [`LABEL_BYTES_MAX`].
pub(crate) fn labelled(label: &str) -> ChaCha20Rng {
    assert!(
        label.len() <= LABEL_BYTES_MAX,
        "a label of more than {LABEL_BYTES_MAX} bytes: {label:?}"
    );
    let mut seed = [0; LABEL_BYTES_MAX];
    seed[..label.len()].copy_from_slice(label.as_bytes());
    ChaCha20Rng::from_seed(seed)
}

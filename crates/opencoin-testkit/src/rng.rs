//! Reproducible randomness.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// The label is the generator's seed, which has this many bytes.
pub(crate) const LABEL_BYTES_MAX: usize = 32;

/// A separate generator for each label, so that its output does not depend on what was generated before.
///
/// # Panics
/// The label is longer than [`LABEL_BYTES_MAX`].
pub(crate) fn labelled(label: &str) -> ChaCha20Rng {
    assert!(
        label.len() <= LABEL_BYTES_MAX,
        "a label of more than {LABEL_BYTES_MAX} bytes: {label:?}"
    );
    let mut seed = [0; LABEL_BYTES_MAX];
    seed[..label.len()].copy_from_slice(label.as_bytes());
    ChaCha20Rng::from_seed(seed)
}

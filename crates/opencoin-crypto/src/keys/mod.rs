//! RSA keys. Every [`PublicKey`] and [`PrivateKey`] has passed all checks, so later code need not check again.

mod encrypted_pem;
mod key_primes;
mod pkcs1;
mod private;
mod public;
mod seed_keys;

pub use key_primes::KeyPrimes;
pub use private::PrivateKey;
pub(crate) use public::verify_by_key;
pub use public::{PublicKey, are_signed};
pub use seed_keys::{SEED_BYTES, SeedScheme, decrypt_seed, encrypt_seed};

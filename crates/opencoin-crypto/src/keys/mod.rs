//! RSA keys. Every [`PublicKey`] and [`PrivateKey`] has passed all checks, so later code need not check again.

mod key_primes;
mod pkcs1;
mod private;
mod public;

pub use key_primes::KeyPrimes;
pub use private::PrivateKey;
pub(crate) use public::verify_by_key;
pub use public::{PublicKey, are_signed};

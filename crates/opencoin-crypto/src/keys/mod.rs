//! RSA keys. Every [`PublicKey`] and [`PrivateKey`] has passed all checks, so later code need not check again.

mod private;
mod public;

pub use private::PrivateKey;
pub use public::PublicKey;

//! Mint keys in a hardware token. The token makes them, they never leave it, and they are used through its PKCS#11
//! module.
//!
//! [`TokenKeyStore`] implements `KeyStore` of `opencoin-crypto`, and its engine implements `Signer`, as for keys in
//! files. The token must make RSA keys and sign without padding (`CKM_RSA_X_509`). The tests use SoftHSM 2.
//!
//! A token is trusted to keep secrets, but not to calculate correctly: every signature is checked with the public key
//! before it is returned, so that a fault cannot leak a factor of the modulus.
//!
//! When a token goes away, requests get "not available" until it is back; then new sessions are opened without a
//! restart. Only a refused PIN is never tried again, because tokens lock themselves after a few wrong PINs. If the
//! module never returns from a call, the calling thread hangs.
//!
//! The module is foreign code in this process. It is loaded once and stays loaded.

mod error;
mod generate;
mod key_store;
mod keys;
mod module;
mod options;
mod signer;
mod token;

pub use error::{PinRefusal, TokenError};
pub use key_store::TokenKeyStore;
pub use options::{Pin, TokenOptions};

//! Mint keys in a hardware token: made in it, never to leave it, and used through its PKCS#11 module.
//!
//! [`TokenKeyStore`] makes, lists and destroys keys, and [`TokenSigner`] signs with them; to the rest of an
//! issuer they are `opencoin-crypto`'s `KeyStore` and `Signer`, as for keys in files. Any token will do that
//! makes RSA keys and signs without padding (`CKM_RSA_X_509`); SoftHSM 2 is the one that is tested against.
//!
//! A token is trusted to keep a secret, and not to calculate well: every signature is checked with the public
//! key before it is given out, so that a fault cannot leak a factor of the modulus.
//!
//! A token that goes away is waited for: what was asked of it meanwhile is refused as "not available", new
//! sessions are opened when it is back, and nobody has to restart anything. Only a PIN that the token refused
//! is never tried again, because tokens lock themselves after a few wrong ones. A module that never returns
//! from a call cannot be helped: its threads wait.
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
pub use signer::TokenSigner;

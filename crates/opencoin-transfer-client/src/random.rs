//! Where random numbers come from.

use rand::{CryptoRng, RngCore};

/// A cryptographic random number generator.
pub trait Random: RngCore + CryptoRng + Send {}

impl<R: RngCore + CryptoRng + Send> Random for R {}

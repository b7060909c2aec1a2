//! RSA for eight numbers at once, with AVX-512 IFMA.
//!
//! A CPU with AVX-512 IFMA multiplies eight pairs of 52-bit numbers in one instruction. All numbers of a group use the
//! same key, so that each instruction does the same step for eight of them. This takes a third of the time of eight
//! operations one after the other.
//!
//! - [`Instructions::detect`] says whether the CPU can do it.
//! - [`PublicOperation`] computes x^e mod n. Its inputs are not secret.
//! - [`PrivateOperation`] computes x^d mod n in constant time, blinded, and checks each result.
//!
//! The crate knows nothing of coins and of other implementations of RSA. Its user compares both at start, and computes
//! again elsewhere what failed its check.
//!
//! Secrets are erased when dropped. Copies that the compiler leaves in registers or on the stack are not.

#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod kernel;
mod modulus;
mod numbers;
mod private;
mod public;
mod vector;

pub use kernel::Instructions;
pub use private::{PrimePart, PrivateOperation};
pub use public::PublicOperation;

/// The numbers that one operation takes: the 64-bit words of a register of 512 bits.
pub const LANES: usize = 8;

//! RSA by AWS-LC: the only module of this workspace that calls C.
//!
//! The private operation must run in constant time, and no Rust implementation does that today (the crate `rsa`
//! is subject to RUSTSEC-2023-0071). AWS-LC's `RSA_sign_raw` blinds its input, computes by the Chinese remainder
//! theorem in constant time, and checks every result with the public exponent before it returns it. So a fault
//! (a wrong key, a flipped bit) gives an error and never a signature that reveals the primes (Boneh, DeMillo,
//! Lipton 1997).
//!
//! All inputs and outputs are big-endian bytes. Errors carry no detail on purpose: AWS-LC's error queue is
//! cleared, and neither inputs nor secrets are repeated. A key is checked once, when its handle is made.
//!
//! AWS-LC has no keys with three primes. [`three_primes`] has their private operation, with the same properties.
#![expect(
    unsafe_code,
    reason = "AWS-LC is a C library; all calls to it are in this module"
)]

mod bignum;
mod generate;
mod three_primes;

use std::ptr::NonNull;

use aws_lc_sys as ffi;

use self::bignum::Bignum;
use self::three_primes::ThreePrimeKey;
use crate::key_error::{KeyError, OperationError};

pub(crate) use generate::{NewThreePrimeKey, generate_key, generate_three_primes};

/// The hash of a PSS signature; its mask generation function (MGF1) uses the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PssHash {
    Sha256,
    Sha384,
}

impl PssHash {
    fn function(self) -> *const ffi::EVP_MD {
        // SAFETY: takes nothing, returns a pointer to a static table.
        unsafe {
            match self {
                Self::Sha256 => ffi::EVP_sha256(),
                Self::Sha384 => ffi::EVP_sha384(),
            }
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// The parts n, e, d, p, q, dP, dQ, qInv of a private key with two primes, in this order and with the names of
/// RFC 8017 section 3.2.
type TwoPrimeParts<'a> = [&'a [u8]; 8];

/// Those of a private key with two primes, then the parts r_3, d_3, t_3 of its third.
type ThreePrimeParts<'a> = [&'a [u8]; 11];

/// A public key, ready to calculate with.
pub(crate) struct PublicHandle(Rsa);

/// A private key, ready to calculate with. AWS-LC erases its memory when the handle is dropped.
pub(crate) struct PrivateHandle(PrivateKind);

enum PrivateKind {
    TwoPrimes(Rsa),
    ThreePrimes(Box<ThreePrimeKey>),
}

impl PublicHandle {
    /// The key (n, e). AWS-LC requires odd numbers, `n` of at most 16,384 bits and `e` in 3..2^33.
    pub(crate) fn new(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let (n, e) = (bignum(n)?, bignum(e)?);
        // SAFETY: both arguments are live BIGNUMs, which the function copies. It returns an owned RSA,
        // checked by `RSA_check_key`, or null.
        let rsa = unsafe { ffi::RSA_new_public_key(n.as_ptr(), e.as_ptr()) };
        Rsa::own(rsa).map(Self)
    }

    /// The length of the modulus, and so of every input and output.
    pub(crate) fn modulus_bytes(&self) -> usize {
        self.0.modulus_bytes
    }

    /// `input ^ e mod n`. `input` must be [`Self::modulus_bytes`] long and less than n.
    pub(crate) fn public_operation(&self, input: &[u8]) -> Result<Vec<u8>, OperationError> {
        self.0.raw(ffi::RSA_verify_raw, input)
    }

    /// Whether `encoded` encodes `digest` with exactly `salt_bytes` of salt (RFC 8017 section 9.1.2). It is the result of
    /// the public operation, as long as the modulus.
    pub(crate) fn verify_pss_encoding(
        &self,
        hash: PssHash,
        digest: &[u8],
        salt_bytes: usize,
        encoded: &[u8],
    ) -> bool {
        let Ok(salt_bytes) = i32::try_from(salt_bytes) else {
            return false;
        };
        if digest.len() != hash.bytes() || encoded.len() != self.modulus_bytes() {
            return false;
        }
        let md = hash.function();
        // SAFETY: the RSA is live and only read. AWS-LC reads as many bytes of the digest as the hash has, and of the
        // encoding as the modulus has, which was compared above.
        let valid = unsafe {
            ffi::RSA_verify_PKCS1_PSS_mgf1(
                self.0.pointer.as_ptr(),
                digest.as_ptr(),
                md,
                md,
                encoded.as_ptr(),
                salt_bytes,
            )
        };
        if valid != 1 {
            clear_error_queue();
        }
        valid == 1
    }
}

impl PrivateHandle {
    /// The key of the parts n, e, d, p, q, dP, dQ, qInv, in this order and with the names of RFC 8017 section 3.2; for
    /// a key with three primes, r_3, d_3 and t_3 follow. All are checked against each other (for two primes by
    /// AWS-LC's `RSA_check_key`), but not whether the primes are prime.
    pub(crate) fn new(parts: &[&[u8]]) -> Result<Self, KeyError> {
        if let Ok(parts) = TwoPrimeParts::try_from(parts) {
            return Self::of_two_primes(parts);
        }
        let parts = ThreePrimeParts::try_from(parts).map_err(|_| KeyError::Inconsistent)?;
        let key = Box::new(ThreePrimeKey::new(parts)?);
        Ok(Self(PrivateKind::ThreePrimes(key)))
    }

    fn of_two_primes(parts: TwoPrimeParts<'_>) -> Result<Self, KeyError> {
        let [n, e, d, p, q, d_p, d_q, q_inv] = bignums(parts)?;
        // SAFETY: all arguments are live BIGNUMs, which the function copies. It returns an owned RSA, checked
        // by `RSA_check_key`, or null.
        let rsa = unsafe {
            ffi::RSA_new_private_key(
                n.as_ptr(),
                e.as_ptr(),
                d.as_ptr(),
                p.as_ptr(),
                q.as_ptr(),
                d_p.as_ptr(),
                d_q.as_ptr(),
                q_inv.as_ptr(),
            )
        };
        Ok(Self(PrivateKind::TwoPrimes(Rsa::own(rsa)?)))
    }

    /// The length of the modulus, and so of every input and output.
    pub(crate) fn modulus_bytes(&self) -> usize {
        match &self.0 {
            PrivateKind::TwoPrimes(rsa) => rsa.modulus_bytes,
            PrivateKind::ThreePrimes(key) => key.modulus_bytes(),
        }
    }

    /// `input ^ d mod n`: constant time, blinded, the result checked with the public exponent.
    /// `input` must be [`Self::modulus_bytes`] long; 0, 1, n - 1 and all above are refused.
    pub(crate) fn private_operation(&self, input: &[u8]) -> Result<Vec<u8>, OperationError> {
        match &self.0 {
            PrivateKind::TwoPrimes(rsa) => rsa.raw(ffi::RSA_sign_raw, input),
            PrivateKind::ThreePrimes(key) => key.private_operation(input),
        }
    }
}

/// The common shape of `RSA_sign_raw` and `RSA_verify_raw`.
type RawOperation =
    unsafe extern "C" fn(*mut ffi::RSA, *mut usize, *mut u8, usize, *const u8, usize, i32) -> i32;

/// An owned `RSA` that is complete and that we never change.
struct Rsa {
    pointer: NonNull<ffi::RSA>,
    modulus_bytes: usize,
}

// SAFETY: an RSA belongs to no thread: it is heap memory with atomic reference counts and pthread locks
// inside, and may be freed on another thread than the one that made it.
unsafe impl Send for Rsa {}

// SAFETY: rsa.h allows concurrent use "by non-mutating functions". After construction we call only
// `RSA_sign_raw`, `RSA_verify_raw` and functions that verify through a shared reference. They take a
// non-const pointer because they fill caches (Montgomery contexts, blinding factors); AWS-LC 0.47 guards each
// of those with the RSA's own lock (`BN_MONT_CTX_set_locked`, `freeze_private_key`, `rsa_blinding_get`), and
// one key on many threads is how TLS servers use it.
unsafe impl Sync for Rsa {}

impl Rsa {
    /// Takes ownership of a key; null is a key that AWS-LC refused.
    fn own(rsa: *mut ffi::RSA) -> Result<Self, KeyError> {
        let Some(pointer) = NonNull::new(rsa) else {
            clear_error_queue();
            return Err(KeyError::Inconsistent);
        };
        // SAFETY: the RSA is live and has a modulus.
        let modulus_bytes = unsafe { ffi::RSA_size(pointer.as_ptr()) } as usize;
        Ok(Self {
            pointer,
            modulus_bytes,
        })
    }

    fn raw(&self, operation: RawOperation, input: &[u8]) -> Result<Vec<u8>, OperationError> {
        if input.len() != self.modulus_bytes {
            return Err(OperationError);
        }
        let mut output = vec![0; self.modulus_bytes];
        let mut output_bytes = 0;
        // SAFETY: the RSA is live and shared as `Sync` explains; AWS-LC reads `input.len()` bytes and writes
        // at most `output.len()`, which is the `RSA_size` that both operations need without padding.
        let done = unsafe {
            operation(
                self.pointer.as_ptr(),
                &raw mut output_bytes,
                output.as_mut_ptr(),
                output.len(),
                input.as_ptr(),
                input.len(),
                ffi::RSA_NO_PADDING,
            )
        };
        if done != 1 {
            clear_error_queue();
            return Err(OperationError);
        }
        assert_eq!(
            output_bytes, self.modulus_bytes,
            "an operation without padding fills the modulus length"
        );
        Ok(output)
    }
}

impl Drop for Rsa {
    fn drop(&mut self) {
        // SAFETY: this is the only owner and nothing uses the RSA afterwards. `OPENSSL_free` erases what it
        // frees.
        unsafe { ffi::RSA_free(self.pointer.as_ptr()) }
    }
}

fn bignum(bytes: &[u8]) -> Result<Bignum, KeyError> {
    Bignum::new(bytes).map_err(|_| KeyError::Inconsistent)
}

fn bignums(parts: TwoPrimeParts<'_>) -> Result<[Bignum; 8], KeyError> {
    let numbers: Vec<Bignum> = parts.into_iter().map(bignum).collect::<Result<_, _>>()?;
    numbers.try_into().map_err(|_| KeyError::Inconsistent)
}

/// AWS-LC keeps a queue of errors per thread. Its other users in this process (TLS) must not find ours there.
fn clear_error_queue() {
    // SAFETY: touches only the calling thread's queue.
    unsafe { ffi::ERR_clear_error() }
}

#[cfg(test)]
mod tests {
    use num_bigint_dig::BigUint;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rsa::RsaPrivateKey;
    use rsa::traits::{PrivateKeyParts, PublicKeyParts};

    use super::*;

    /// The parts of a key, in the order of [`TwoPrimeParts`].
    #[derive(Clone)]
    struct Parts([Vec<u8>; 8]);

    impl Parts {
        fn generate() -> Self {
            let key = RsaPrivateKey::new(&mut ChaCha20Rng::seed_from_u64(1), 1024).unwrap();
            let q_inv = key.qinv().unwrap().to_biguint().unwrap();
            let [p, q] = key.primes() else {
                panic!("two primes")
            };
            let (d_p, d_q) = (key.dp().unwrap(), key.dq().unwrap());
            let parts = [key.n(), key.e(), key.d(), p, q, d_p, d_q, &q_inv];
            Self(parts.map(BigUint::to_bytes_be))
        }

        fn n(&self) -> BigUint {
            BigUint::from_bytes_be(&self.0[0])
        }

        /// Changes one part by two, so that its parity gives nothing away.
        fn spoiled(&self, part: usize) -> Self {
            let mut spoiled = self.clone();
            *spoiled.0[part].last_mut().unwrap() ^= 2;
            spoiled
        }

        fn handle(&self) -> Result<PrivateHandle, KeyError> {
            PrivateHandle::new(&self.0.each_ref().map(Vec::as_slice))
        }

        /// The key without `RSA_check_key`, as a memory fault after the check would leave it.
        fn unchecked_handle(&self) -> PrivateHandle {
            let numbers = bignums(self.0.each_ref().map(Vec::as_slice)).unwrap();
            let [n, e, d, p, q, d_p, d_q, q_inv] = numbers.map(Bignum::into_raw);
            // SAFETY: the RSA is fresh and ours; the three setters take ownership of the BIGNUMs, which
            // `into_raw` gave up.
            let rsa = unsafe {
                let rsa = ffi::RSA_new();
                assert_eq!(ffi::RSA_set0_key(rsa, n, e, d), 1);
                assert_eq!(ffi::RSA_set0_factors(rsa, p, q), 1);
                assert_eq!(ffi::RSA_set0_crt_params(rsa, d_p, d_q, q_inv), 1);
                rsa
            };
            PrivateHandle(PrivateKind::TwoPrimes(Rsa::own(rsa).unwrap()))
        }
    }

    /// A number that exercises every byte, and is below every modulus of 1024 bits.
    const INPUT: [u8; 128] = [0x42; 128];

    #[test]
    fn the_public_operation_undoes_the_private_one() {
        let parts = Parts::generate();
        let signature = parts.handle().unwrap().private_operation(&INPUT).unwrap();
        let public = PublicHandle::new(&parts.0[0], &parts.0[1]).unwrap();
        assert_eq!(public.public_operation(&signature).unwrap(), INPUT);
    }

    #[test]
    fn the_private_operation_is_exponentiation_by_d() {
        let parts = Parts::generate();
        let number = BigUint::from_bytes_be;
        let signature = parts.handle().unwrap().private_operation(&INPUT).unwrap();
        assert_eq!(
            number(&signature),
            number(&INPUT).modpow(&number(&parts.0[2]), &parts.n())
        );
    }

    #[test]
    fn a_key_with_any_wrong_part_is_refused() {
        let parts = Parts::generate();
        for part in 0..8 {
            assert!(parts.spoiled(part).handle().is_err(), "part {part}");
        }
    }

    /// From a signature with one wrong CRT exponent, anybody could compute a prime: its difference from the right
    /// one shares a factor with n (Boneh, DeMillo, Lipton 1997).
    #[test]
    fn a_fault_gives_an_error_and_never_a_wrong_signature() {
        let sound = Parts::generate();
        let signed = sound.unchecked_handle().private_operation(&INPUT);
        assert!(signed.is_ok(), "a sound key signs without the check");
        for part in 5..8 {
            let faulty = sound.spoiled(part).unchecked_handle();
            assert_eq!(
                faulty.private_operation(&INPUT),
                Err(OperationError),
                "part {part}"
            );
        }
    }

    #[test]
    fn inputs_that_are_out_of_range_or_of_the_wrong_length_are_refused() {
        let parts = Parts::generate();
        let key = parts.handle().unwrap();
        let padded = |number: BigUint| {
            let bytes = number.to_bytes_be();
            [vec![0; 128 - bytes.len()], bytes].concat()
        };
        let (n, small) = (parts.n(), |number: u8| BigUint::from(number));
        for refused in [small(0), small(1), &n - 1_u8, n.clone(), &n + 1_u8] {
            assert_eq!(key.private_operation(&padded(refused)), Err(OperationError));
        }
        for signed in [small(2), &n - 2_u8] {
            assert!(key.private_operation(&padded(signed)).is_ok());
        }
        for wrong_length in [&INPUT[1..], &[&[0], &INPUT[..]].concat()] {
            assert_eq!(key.private_operation(wrong_length), Err(OperationError));
        }
    }

    #[test]
    fn many_threads_can_use_one_key() {
        let key = Parts::generate().handle().unwrap();
        let expected = key.private_operation(&INPUT).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert_eq!(key.private_operation(&INPUT).unwrap(), expected);
                    }
                });
            }
        });
    }

    #[test]
    fn a_failure_leaves_nothing_in_the_error_queue() {
        let key = Parts::generate().handle().unwrap();
        assert!(key.private_operation(&[0; 128]).is_err());
        // SAFETY: looks at the calling thread's queue only.
        assert_eq!(unsafe { ffi::ERR_peek_error() }, 0);
    }
}

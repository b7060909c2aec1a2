//! Makes keys. All primes come from AWS-LC's own random number generator, and so do the tests that they are prime.

use std::ptr::{self, NonNull};

use aws_lc_sys as ffi;
use zeroize::Zeroizing;

use super::bignum::{Bignum, Scratch};
use super::{Rsa, clear_error_queue};
use crate::key_error::OperationError;

/// Primes of one key differ in one of their first bits, as many as this: FIPS 186-5 appendix A.1.3, step 5.4.
const DIFFERENT_BITS: usize = 100;

/// The number of the highest bits of a prime that decide whether it is large enough.
const TOP_BITS: usize = 16;
/// 2^16 divided by the cube root of 2, rounded up. The product of three primes that begin with at least these bits is
/// as long as their lengths together.
const TOP_MIN: [u8; 2] = 52_016_u16.to_be_bytes();

/// A new key with three primes, big-endian.
pub(crate) struct NewThreePrimeKey {
    pub(crate) primes: [Zeroizing<Vec<u8>>; 3],
    /// d.
    pub(crate) private_exponent: Zeroizing<Vec<u8>>,
}

/// Generates a private key of `bits`, a multiple of 128, and returns it as DER `RSAPrivateKey` (RFC 8017 appendix
/// A.1.2). AWS-LC draws the primes from its own random number generator, as FIPS 186-5 appendix A.1.3 describes.
pub(crate) fn generate_key(bits: i32, public_exponent: u64) -> Result<Zeroizing<Vec<u8>>, OperationError> {
    let failed = || {
        clear_error_queue();
        OperationError
    };
    let e = Bignum::new(&public_exponent.to_be_bytes())?;
    // SAFETY: takes nothing, returns an owned RSA or null.
    let rsa = NonNull::new(unsafe { ffi::RSA_new() }).ok_or(OperationError)?;
    // SAFETY: the RSA and the BIGNUM are live, and the function needs no callback.
    let generated = unsafe { ffi::RSA_generate_key_ex(rsa.as_ptr(), bits, e.as_ptr(), ptr::null_mut()) };
    // Frees the RSA in either case.
    let rsa = Rsa::own(rsa.as_ptr()).map_err(|_| OperationError)?;
    if generated != 1 {
        return Err(failed());
    }
    let (mut der, mut der_bytes) = (ptr::null_mut(), 0);
    // SAFETY: the RSA is a whole key. The function allocates the output and sets both variables if it returns 1.
    if unsafe { ffi::RSA_private_key_to_bytes(&raw mut der, &raw mut der_bytes, rsa.pointer.as_ptr()) } != 1 {
        return Err(failed());
    }
    // SAFETY: `der` points to `der_bytes` initialised bytes.
    let copy = Zeroizing::new(unsafe { std::slice::from_raw_parts(der, der_bytes) }.to_vec());
    // SAFETY: `der` was allocated by AWS-LC and is not used afterwards. `OPENSSL_free` erases what it frees.
    unsafe { ffi::OPENSSL_free(der.cast()) };
    Ok(copy)
}

/// Generates a private key of `bits` with three primes whose lengths differ by at most one bit (RFC 8017 section 3.2).
/// `public_exponent` is prime.
///
/// No standard describes this for three primes. It follows FIPS 186-5 appendix A.1.3 for two: each prime is a random
/// number that passed AWS-LC's test; its predecessor has no factor in common with e; it is at least `2^(length - 1/3)`,
/// where the standard has `2^(length - 1/2)`, so that the modulus has exactly `bits`; two primes differ by more than
/// `2^(length - 100)`; and d is the inverse of e modulo the least common multiple of the predecessors, and longer than
/// half of the modulus.
pub(crate) fn generate_three_primes(
    bits: usize,
    public_exponent: u64,
) -> Result<NewThreePrimeKey, OperationError> {
    let scratch = &mut Scratch::new()?;
    let e = Bignum::new(&public_exponent.to_be_bytes())?;
    loop {
        let mut p = random_prime(bits.div_ceil(3), &e, scratch)?;
        let mut q = random_prime((bits + 1) / 3, &e, scratch)?;
        let r = random_prime(bits / 3, &e, scratch)?;
        if p.is_below(&q) {
            std::mem::swap(&mut p, &mut q);
        }
        let d = private_exponent([&p, &q, &r], &e, scratch)?;
        let is_apart = are_apart(&p, &q)? && are_apart(&p, &r)? && are_apart(&q, &r)?;
        if !is_apart || d.bits() <= bits / 2 {
            continue;
        }
        return Ok(NewThreePrimeKey {
            primes: [
                p.to_bytes(p.bits().div_ceil(8))?,
                q.to_bytes(q.bits().div_ceil(8))?,
                r.to_bytes(r.bits().div_ceil(8))?,
            ],
            private_exponent: d.to_bytes(d.bits().div_ceil(8))?,
        });
    }
}

/// A prime that is large enough and whose predecessor has no factor in common with e.
fn random_prime(bits: usize, e: &Bignum, scratch: &mut Scratch) -> Result<Bignum, OperationError> {
    loop {
        let prime = Bignum::random_prime(bits)?;
        let is_large = !prime.top(TOP_BITS)?.is_below(&Bignum::new(&TOP_MIN)?);
        let order = prime.minus(&Bignum::new(&[1])?)?;
        if is_large && order.gcd(e, scratch)?.is_trivial() {
            return Ok(prime);
        }
    }
}

fn are_apart(a: &Bignum, b: &Bignum) -> Result<bool, OperationError> {
    let length = a.bits().max(b.bits());
    let difference = if a.is_below(b) { b.minus(a)? } else { a.minus(b)? };
    Ok(difference.bits() + DIFFERENT_BITS > length)
}

/// The inverse of e modulo the least common multiple of the predecessors of the primes.
fn private_exponent(
    primes: [&Bignum; 3],
    e: &Bignum,
    scratch: &mut Scratch,
) -> Result<Bignum, OperationError> {
    let one = Bignum::new(&[1])?;
    let mut multiple = Bignum::new(&[1])?;
    for prime in primes {
        let order = prime.minus(&one)?;
        let divisor = order.gcd(&multiple, scratch)?;
        let (cofactor, _) = order.divided(&divisor, scratch)?;
        multiple = multiple.times(&cofactor, scratch)?;
    }
    e.inverse(&multiple, scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC_EXPONENT: u64 = 65537;

    /// The length of a number without leading zeros.
    fn bits(bytes: &[u8]) -> usize {
        Bignum::new(bytes).unwrap().bits()
    }

    #[test]
    fn three_primes_share_the_length_of_the_modulus() {
        for (length, lengths) in [(1024, [342, 341, 341]), (2048, [683, 683, 682])] {
            let scratch = &mut Scratch::new().unwrap();
            let key = generate_three_primes(length, PUBLIC_EXPONENT).unwrap();
            assert_eq!(key.primes.each_ref().map(|prime| bits(prime)), lengths);
            let [p, q, r] = key.primes.each_ref().map(|prime| Bignum::new(prime).unwrap());
            assert!(q.is_below(&p));
            let modulus = p.times(&q, scratch).unwrap().times(&r, scratch).unwrap();
            assert_eq!(modulus.bits(), length);
            assert!(bits(&key.private_exponent) > length / 2);
        }
    }

    #[test]
    fn the_smallest_allowed_primes_fill_the_modulus() {
        let scratch = &mut Scratch::new().unwrap();
        let smallest = Bignum::new(&[&TOP_MIN[..], &[0; 10]].concat()).unwrap();
        let square = smallest.times(&smallest, scratch).unwrap();
        assert_eq!(square.times(&smallest, scratch).unwrap().bits(), 3 * 12 * 8);
        let smaller = (u16::from_be_bytes(TOP_MIN) - 1).to_be_bytes();
        let smaller = Bignum::new(&[&smaller[..], &[0; 10]].concat()).unwrap();
        let square = smaller.times(&smaller, scratch).unwrap();
        assert_eq!(square.times(&smaller, scratch).unwrap().bits(), 3 * 12 * 8 - 1);
    }

    #[test]
    fn close_primes_are_told_apart_from_others() {
        let number =
            |first: u8, last: u8| Bignum::new(&[&[0x80, first], &[0; 20][..], &[last]].concat()).unwrap();
        assert!(!are_apart(&number(1, 0), &number(1, 9)).unwrap());
        assert!(!are_apart(&number(1, 0), &number(1, 0)).unwrap());
        assert!(are_apart(&number(1, 0), &number(2, 0)).unwrap());
        assert!(are_apart(&number(2, 0), &number(1, 0)).unwrap());
    }
}

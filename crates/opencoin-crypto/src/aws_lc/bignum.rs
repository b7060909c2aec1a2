//! Numbers and Montgomery arithmetic of AWS-LC, with results that are values instead of out-parameters.
//!
//! Every function says whether it takes constant time. Every error is an [`OperationError`] without detail, and leaves
//! nothing in AWS-LC's error queue.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use aws_lc_sys as ffi;
use zeroize::Zeroizing;

use super::clear_error_queue;
use crate::key_error::OperationError;

/// The length of the words that AWS-LC calculates with, in bytes.
const WORD_BYTES: usize = size_of::<ffi::BN_ULONG>();

/// An owned BIGNUM, never negative, erased when dropped.
pub(super) struct Bignum {
    pointer: NonNull<ffi::BIGNUM>,
}

/// Scratch memory of a computation on one thread. `BN_CTX_free` erases it, as `OPENSSL_free` erases all it frees.
pub(super) struct Scratch {
    pointer: NonNull<ffi::BN_CTX>,
}

/// An odd modulus with what Montgomery multiplication needs. R is the power of two after its last word.
pub(super) struct Modulus {
    pointer: NonNull<ffi::BN_MONT_CTX>,
    number: Bignum,
    words: usize,
}

// SAFETY: a BIGNUM belongs to no thread: it is heap memory, and may be freed on another thread than the one that made
// it.
unsafe impl Send for Bignum {}

// SAFETY: a BIGNUM has no caches and no locks. AWS-LC changes it only through non-const pointers, and after its
// construction this module passes only const ones.
unsafe impl Sync for Bignum {}

// SAFETY: a BN_MONT_CTX is heap memory that consists of numbers; see `Bignum`.
unsafe impl Send for Modulus {}

// SAFETY: after its construction AWS-LC takes it by const pointers only, and changes nothing in it.
unsafe impl Sync for Modulus {}

impl Bignum {
    /// The number of these big-endian bytes. Leading zeros count for its width, so that functions that take constant
    /// time hide how many there are.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, OperationError> {
        // SAFETY: reads `bytes.len()` bytes; with a null target it returns a new, owned BIGNUM, or null when
        // out of memory.
        let pointer = unsafe { ffi::BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) };
        let pointer = NonNull::new(pointer).ok_or(OperationError)?;
        Ok(Self { pointer })
    }

    /// The number that `write` leaves in a new BIGNUM. It returns 1 on success.
    fn made_by(write: impl FnOnce(*mut ffi::BIGNUM) -> c_int) -> Result<Self, OperationError> {
        let number = Self::new(&[])?;
        if write(number.pointer.as_ptr()) == 1 {
            return Ok(number);
        }
        clear_error_queue();
        Err(OperationError)
    }

    /// A random prime of exactly `bits`, whose two highest bits are set, from AWS-LC's random number generator.
    pub(super) fn random_prime(bits: usize) -> Result<Self, OperationError> {
        let bits = c_int::try_from(bits).map_err(|_| OperationError)?;
        // SAFETY: the target is live, and the function needs neither a progression nor a callback.
        Self::made_by(|result| unsafe {
            ffi::BN_generate_prime_ex(result, bits, 0, ptr::null(), ptr::null(), ptr::null_mut())
        })
    }

    pub(super) fn as_ptr(&self) -> *const ffi::BIGNUM {
        self.pointer.as_ptr()
    }

    /// Gives the BIGNUM to its new owner.
    #[cfg(test)]
    pub(super) fn into_raw(self) -> *mut ffi::BIGNUM {
        std::mem::ManuallyDrop::new(self).pointer.as_ptr()
    }

    /// The number of the highest `bits`, without those below.
    pub(super) fn top(&self, bits: usize) -> Result<Self, OperationError> {
        let below = c_int::try_from(self.bits().saturating_sub(bits)).map_err(|_| OperationError)?;
        // SAFETY: both are live.
        Self::made_by(|result| unsafe { ffi::BN_rshift(result, self.as_ptr(), below) })
    }

    /// The length in bits without leading zeros.
    pub(super) fn bits(&self) -> usize {
        // SAFETY: the BIGNUM is live.
        unsafe { ffi::BN_num_bits(self.as_ptr()) as usize }
    }

    /// The number as `length` big-endian bytes. Takes constant time.
    ///
    /// # Errors
    /// When it does not fit.
    pub(super) fn to_bytes(&self, length: usize) -> Result<Zeroizing<Vec<u8>>, OperationError> {
        let mut bytes = Zeroizing::new(vec![0; length]);
        // SAFETY: the BIGNUM is live, and the function writes exactly `length` bytes if it returns 1.
        if unsafe { ffi::BN_bn2bin_padded(bytes.as_mut_ptr(), length, self.as_ptr()) } == 1 {
            return Ok(bytes);
        }
        clear_error_queue();
        Err(OperationError)
    }

    /// `self + other`. Shows only how many words the result has.
    pub(super) fn plus(&self, other: &Self) -> Result<Self, OperationError> {
        // SAFETY: all three are live.
        Self::made_by(|result| unsafe { ffi::BN_uadd(result, self.as_ptr(), other.as_ptr()) })
    }

    /// `self - other`.
    ///
    /// # Errors
    /// When `other` is larger.
    pub(super) fn minus(&self, other: &Self) -> Result<Self, OperationError> {
        // SAFETY: all three are live.
        Self::made_by(|result| unsafe { ffi::BN_usub(result, self.as_ptr(), other.as_ptr()) })
    }

    /// `self * other`. Shows only how many words the result has.
    pub(super) fn times(&self, other: &Self, scratch: &mut Scratch) -> Result<Self, OperationError> {
        // SAFETY: all four are live, and nobody else uses the scratch memory.
        Self::made_by(|result| unsafe {
            ffi::BN_mul(result, self.as_ptr(), other.as_ptr(), scratch.pointer.as_ptr())
        })
    }

    /// The quotient and the remainder of the division by `divisor`. Does not take constant time.
    pub(super) fn divided(
        &self,
        divisor: &Self,
        scratch: &mut Scratch,
    ) -> Result<(Self, Self), OperationError> {
        let remainder = Self::new(&[])?;
        // SAFETY: all five are live, and nobody else uses the scratch memory. AWS-LC refuses to divide by zero.
        let quotient = Self::made_by(|quotient| unsafe {
            ffi::BN_div(
                quotient,
                remainder.pointer.as_ptr(),
                self.as_ptr(),
                divisor.as_ptr(),
                scratch.pointer.as_ptr(),
            )
        })?;
        Ok((quotient, remainder))
    }

    /// The greatest common divisor. Takes constant time.
    pub(super) fn gcd(&self, other: &Self, scratch: &mut Scratch) -> Result<Self, OperationError> {
        // SAFETY: all four are live, and nobody else uses the scratch memory.
        Self::made_by(|result| unsafe {
            ffi::BN_gcd(result, self.as_ptr(), other.as_ptr(), scratch.pointer.as_ptr())
        })
    }

    /// The inverse modulo `modulus`. Takes constant time where `modulus` is even.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn inverse(&self, modulus: &Self, scratch: &mut Scratch) -> Result<Self, OperationError> {
        // SAFETY: all four are live, and nobody else uses the scratch memory. The function returns the target or
        // null.
        Self::made_by(|result| unsafe {
            let (number, scratch) = (self.as_ptr(), scratch.pointer.as_ptr());
            c_int::from(!ffi::BN_mod_inverse(result, number, modulus.as_ptr(), scratch).is_null())
        })
    }

    /// Whether both are the same number. Takes constant time for numbers of the same width.
    pub(super) fn equals(&self, other: &Self) -> bool {
        // SAFETY: both are live.
        unsafe { ffi::BN_equal_consttime(self.as_ptr(), other.as_ptr()) == 1 }
    }

    /// Whether this number is less than `other`.
    pub(super) fn is_below(&self, other: &Self) -> bool {
        // SAFETY: both are live.
        unsafe { ffi::BN_ucmp(self.as_ptr(), other.as_ptr()) < 0 }
    }

    /// Whether this is zero or one.
    pub(super) fn is_trivial(&self) -> bool {
        self.bits() <= 1
    }
}

impl Drop for Bignum {
    fn drop(&mut self) {
        // SAFETY: this is the only owner and nothing uses the BIGNUM afterwards.
        unsafe { ffi::BN_clear_free(self.pointer.as_ptr()) }
    }
}

impl Scratch {
    pub(super) fn new() -> Result<Self, OperationError> {
        // SAFETY: takes nothing, returns an owned BN_CTX or null.
        let pointer = NonNull::new(unsafe { ffi::BN_CTX_new() }).ok_or(OperationError)?;
        Ok(Self { pointer })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: this is the only owner and nothing uses the BN_CTX afterwards.
        unsafe { ffi::BN_CTX_free(self.pointer.as_ptr()) }
    }
}

impl Modulus {
    /// Prepares calculations modulo `number`, in constant time but for its length.
    ///
    /// # Errors
    /// When it is even, or longer than AWS-LC allows.
    pub(super) fn new(number: Bignum, scratch: &mut Scratch) -> Result<Self, OperationError> {
        // SAFETY: both are live, and nobody else uses the scratch memory. The function copies the number and returns
        // an owned BN_MONT_CTX or null.
        let pointer = unsafe { ffi::BN_MONT_CTX_new_consttime(number.as_ptr(), scratch.pointer.as_ptr()) };
        let Some(pointer) = NonNull::new(pointer) else {
            clear_error_queue();
            return Err(OperationError);
        };
        let words = number.bits().div_ceil(8 * WORD_BYTES);
        Ok(Self {
            pointer,
            number,
            words,
        })
    }

    pub(super) fn number(&self) -> &Bignum {
        &self.number
    }

    /// The length of numbers below R, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.words * WORD_BYTES
    }

    /// `a * b / R`, where `a * b` is less than R times the modulus. Takes constant time for numbers as wide as the
    /// modulus.
    pub(super) fn multiply(
        &self,
        a: &Bignum,
        b: &Bignum,
        scratch: &mut Scratch,
    ) -> Result<Bignum, OperationError> {
        // SAFETY: all five are live, and nobody else uses the scratch memory.
        Bignum::made_by(|result| unsafe {
            let scratch = scratch.pointer.as_ptr();
            ffi::BN_mod_mul_montgomery(result, a.as_ptr(), b.as_ptr(), self.pointer.as_ptr(), scratch)
        })
    }

    /// `number * R`, for a number below R: its Montgomery form. Takes constant time.
    pub(super) fn encode(&self, number: &Bignum, scratch: &mut Scratch) -> Result<Bignum, OperationError> {
        // SAFETY: all four are live, and nobody else uses the scratch memory.
        Bignum::made_by(|result| unsafe {
            let scratch = scratch.pointer.as_ptr();
            ffi::BN_to_montgomery(result, number.as_ptr(), self.pointer.as_ptr(), scratch)
        })
    }

    /// `number / R`, for a number below R times the modulus. Takes constant time.
    pub(super) fn decode(&self, number: &Bignum, scratch: &mut Scratch) -> Result<Bignum, OperationError> {
        // SAFETY: all four are live, and nobody else uses the scratch memory.
        Bignum::made_by(|result| unsafe {
            let scratch = scratch.pointer.as_ptr();
            ffi::BN_from_montgomery(result, number.as_ptr(), self.pointer.as_ptr(), scratch)
        })
    }

    /// `number` reduced, if it is below R times the modulus. Takes constant time.
    pub(super) fn reduce(&self, number: &Bignum, scratch: &mut Scratch) -> Result<Bignum, OperationError> {
        let decoded = self.decode(number, scratch)?;
        self.encode(&decoded, scratch)
    }

    /// `number` reduced, if it is below R^`digits`. Takes constant time.
    ///
    /// # Errors
    /// When it is larger.
    pub(super) fn reduce_long(
        &self,
        number: &Bignum,
        digits: usize,
        scratch: &mut Scratch,
    ) -> Result<Bignum, OperationError> {
        let bytes = number.to_bytes(digits * self.bytes())?;
        let mut sum = Bignum::new(&vec![0; self.bytes()])?;
        for digit in bytes.chunks_exact(self.bytes()) {
            let shifted = self.encode(&sum, scratch)?;
            let digit = self.reduce(&Bignum::new(digit)?, scratch)?;
            sum = self.add(&shifted, &digit)?;
        }
        Ok(sum)
    }

    /// `a + b` for reduced numbers. Takes constant time.
    fn add(&self, a: &Bignum, b: &Bignum) -> Result<Bignum, OperationError> {
        // SAFETY: all four are live.
        Bignum::made_by(|result| unsafe {
            ffi::BN_mod_add_quick(result, a.as_ptr(), b.as_ptr(), self.number.as_ptr())
        })
    }

    /// `a - b` for reduced numbers. Takes constant time.
    pub(super) fn subtract(&self, a: &Bignum, b: &Bignum) -> Result<Bignum, OperationError> {
        // SAFETY: all four are live.
        Bignum::made_by(|result| unsafe {
            ffi::BN_mod_sub_quick(result, a.as_ptr(), b.as_ptr(), self.number.as_ptr())
        })
    }

    /// `base ^ exponent` for a reduced base. Takes constant time: it depends on the width of the exponent only.
    pub(super) fn power(
        &self,
        base: &Bignum,
        exponent: &Bignum,
        scratch: &mut Scratch,
    ) -> Result<Bignum, OperationError> {
        // SAFETY: all six are live, and nobody else uses the scratch memory.
        Bignum::made_by(|result| unsafe {
            ffi::BN_mod_exp_mont_consttime(
                result,
                base.as_ptr(),
                exponent.as_ptr(),
                self.number.as_ptr(),
                scratch.pointer.as_ptr(),
                self.pointer.as_ptr(),
            )
        })
    }

    /// `base ^ exponent` for a reduced base. Its time depends on the exponent, and not on the base.
    pub(super) fn power_public(
        &self,
        base: &Bignum,
        exponent: &Bignum,
        scratch: &mut Scratch,
    ) -> Result<Bignum, OperationError> {
        // SAFETY: all six are live, and nobody else uses the scratch memory.
        Bignum::made_by(|result| unsafe {
            ffi::BN_mod_exp_mont(
                result,
                base.as_ptr(),
                exponent.as_ptr(),
                self.number.as_ptr(),
                scratch.pointer.as_ptr(),
                self.pointer.as_ptr(),
            )
        })
    }

    /// The inverse of a reduced number. AWS-LC blinds it, because the algorithm itself does not take constant time.
    ///
    /// # Errors
    /// When there is none. Whoever finds such a number has found a factor of the modulus.
    pub(super) fn invert(&self, number: &Bignum, scratch: &mut Scratch) -> Result<Bignum, OperationError> {
        let mut no_inverse = 0;
        // SAFETY: all five are live, and nobody else uses the scratch memory.
        Bignum::made_by(|result| unsafe {
            ffi::BN_mod_inverse_blinded(
                result,
                &raw mut no_inverse,
                number.as_ptr(),
                self.pointer.as_ptr(),
                scratch.pointer.as_ptr(),
            )
        })
    }

    /// A random number from 1 to the modulus less one, from AWS-LC's random number generator.
    pub(super) fn random(&self) -> Result<Bignum, OperationError> {
        // SAFETY: both are live.
        Bignum::made_by(|result| unsafe { ffi::BN_rand_range_ex(result, 1, self.number.as_ptr()) })
    }
}

impl Drop for Modulus {
    fn drop(&mut self) {
        // SAFETY: this is the only owner and nothing uses the BN_MONT_CTX afterwards. `OPENSSL_free` erases what it
        // frees.
        unsafe { ffi::BN_MONT_CTX_free(self.pointer.as_ptr()) }
    }
}

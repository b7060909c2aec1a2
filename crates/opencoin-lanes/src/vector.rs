//! Vectors of eight 64-bit words, one for each lane, and the few instructions that the kernels need.
//!
//! [`Ifma`] is AVX-512 IFMA. [`Portable`] is the same in plain Rust: slow, but it runs on every CPU and under Miri,
//! and tests compare the two word by word.

use zeroize::DefaultIsZeroes;

use crate::LANES;

/// The bits of a limb. The multiplier of AVX-512 IFMA takes factors of 52 bits.
pub(crate) const LIMB_BITS: usize = 52;

/// The largest limb.
pub(crate) const LIMB_MAX: u64 = (1 << LIMB_BITS) - 1;

/// One limb of eight numbers, in memory.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[repr(C, align(64))]
pub(crate) struct Limb(pub(crate) [u64; LANES]);

impl DefaultIsZeroes for Limb {}

/// Eight words in a register.
pub(crate) trait Vector: Copy {
    fn zero() -> Self;
    /// The same word in every lane.
    fn splat(word: u64) -> Self;
    fn load(limb: &Limb) -> Self;
    fn store(self, limb: &mut Limb);
    /// Addition modulo 2^64.
    fn plus(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    /// `other` in the lanes where `a` equals `b`, and `self` in the others.
    fn replace_where_equal(self, a: Self, b: Self, other: Self) -> Self;
    /// All bits above the lowest [`LIMB_BITS`], moved down.
    fn carry(self) -> Self;
    /// `self + (a * b) % 2^52` of the lowest 52 bits of `a` and `b`.
    fn add_low(self, a: Self, b: Self) -> Self;
    /// `self + (a * b) / 2^52` of the lowest 52 bits of `a` and `b`.
    fn add_high(self, a: Self, b: Self) -> Self;
}

/// The same as [`Ifma`] in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Portable([u64; LANES]);

impl Portable {
    #[inline(always)]
    fn each(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|lane| of(self.0[lane], other.0[lane])))
    }

    #[inline(always)]
    fn product(a: u64, b: u64) -> u128 {
        u128::from(a & LIMB_MAX) * u128::from(b & LIMB_MAX)
    }
}

impl Vector for Portable {
    #[inline(always)]
    fn zero() -> Self {
        Self([0; LANES])
    }

    #[inline(always)]
    fn splat(word: u64) -> Self {
        Self([word; LANES])
    }

    #[inline(always)]
    fn load(limb: &Limb) -> Self {
        Self(limb.0)
    }

    #[inline(always)]
    fn store(self, limb: &mut Limb) {
        limb.0 = self.0;
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.each(other, u64::wrapping_add)
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.each(other, |a, b| a & b)
    }

    #[inline(always)]
    fn replace_where_equal(self, a: Self, b: Self, other: Self) -> Self {
        let lane = |lane: usize| {
            if a.0[lane] == b.0[lane] {
                other.0[lane]
            } else {
                self.0[lane]
            }
        };
        Self(std::array::from_fn(lane))
    }

    #[inline(always)]
    fn carry(self) -> Self {
        Self(self.0.map(|word| word >> LIMB_BITS))
    }

    #[inline(always)]
    fn add_low(self, a: Self, b: Self) -> Self {
        // The mask leaves 52 bits, which fit.
        self.plus(a.each(b, |a, b| (Self::product(a, b) as u64) & LIMB_MAX))
    }

    #[inline(always)]
    fn add_high(self, a: Self, b: Self) -> Self {
        // The product has at most 104 bits, so that 52 remain.
        self.plus(a.each(b, |a, b| (Self::product(a, b) >> LIMB_BITS) as u64))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use ifma::Ifma;

#[cfg(target_arch = "x86_64")]
mod ifma {
    #![expect(unsafe_code, reason = "instructions that not every CPU has")]

    use std::arch::x86_64::{
        __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epi64_mask, _mm512_load_si512,
        _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_mov_epi64, _mm512_set1_epi64,
        _mm512_setzero_si512, _mm512_srli_epi64, _mm512_store_si512,
    };

    use super::{LIMB_BITS, Limb, Vector};

    /// A register of AVX-512.
    ///
    /// A value of this type exists only in functions with the target features `avx512f` and `avx512ifma`, which
    /// are called only after the CPU was found to have them (`kernel.rs`). All methods are inlined into them. This is
    /// what makes each `unsafe` below sound.
    #[derive(Clone, Copy)]
    pub(crate) struct Ifma(__m512i);

    impl Vector for Ifma {
        #[inline(always)]
        fn zero() -> Self {
            // SAFETY: the CPU has AVX-512F, see the type.
            Self(unsafe { _mm512_setzero_si512() })
        }

        #[inline(always)]
        fn splat(word: u64) -> Self {
            // SAFETY: the CPU has AVX-512F, see the type.
            Self(unsafe { _mm512_set1_epi64(word.cast_signed()) })
        }

        #[inline(always)]
        fn load(limb: &Limb) -> Self {
            // SAFETY: the CPU has AVX-512F, see the type. A limb is 64 bytes, aligned to 64.
            Self(unsafe { _mm512_load_si512(std::ptr::from_ref(limb).cast()) })
        }

        #[inline(always)]
        fn store(self, limb: &mut Limb) {
            // SAFETY: the CPU has AVX-512F, see the type. A limb is 64 bytes, aligned to 64.
            unsafe { _mm512_store_si512(std::ptr::from_mut(limb).cast(), self.0) }
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            // SAFETY: the CPU has AVX-512F, see the type.
            Self(unsafe { _mm512_add_epi64(self.0, other.0) })
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            // SAFETY: the CPU has AVX-512F, see the type.
            Self(unsafe { _mm512_and_si512(self.0, other.0) })
        }

        #[inline(always)]
        fn replace_where_equal(self, a: Self, b: Self, other: Self) -> Self {
            // SAFETY: the CPU has AVX-512F, see the type.
            Self(unsafe { _mm512_mask_mov_epi64(self.0, _mm512_cmpeq_epi64_mask(a.0, b.0), other.0) })
        }

        #[inline(always)]
        fn carry(self) -> Self {
            // SAFETY: the CPU has AVX-512F, see the type.
            Self(unsafe { _mm512_srli_epi64::<{ LIMB_BITS as u32 }>(self.0) })
        }

        #[inline(always)]
        fn add_low(self, a: Self, b: Self) -> Self {
            // SAFETY: the CPU has AVX-512 IFMA, see the type.
            Self(unsafe { _mm512_madd52lo_epu64(self.0, a.0, b.0) })
        }

        #[inline(always)]
        fn add_high(self, a: Self, b: Self) -> Self {
            // SAFETY: the CPU has AVX-512 IFMA, see the type.
            Self(unsafe { _mm512_madd52hi_epu64(self.0, a.0, b.0) })
        }
    }
}

#[cfg(test)]
mod tests;

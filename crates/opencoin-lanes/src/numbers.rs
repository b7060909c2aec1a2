//! Numbers in limbs of 52 bits: conversion from and to bytes, and arithmetic that is too rare to need a kernel.
//!
//! Everything here runs in constant time for a given length.

#![expect(clippy::needless_range_loop, reason = "a lane indexes several arrays at once")]

use std::hint::black_box;
use std::ops::{Deref, DerefMut};

use zeroize::{Zeroize, Zeroizing};

use crate::LANES;
use crate::vector::{LIMB_BITS, LIMB_MAX, Limb};

/// Eight numbers of the same length, erased when dropped.
#[derive(Clone)]
pub(crate) struct Numbers(Vec<Limb>);

impl Numbers {
    pub(crate) fn zero(limbs: usize) -> Self {
        Self(vec![Limb::default(); limbs])
    }

    /// The same number in all lanes, extended by zeros to `limbs`.
    pub(crate) fn splat(shared: &[u64], limbs: usize) -> Self {
        let mut numbers = Self::zero(limbs);
        for (limb, shared) in numbers.iter_mut().zip(shared) {
            limb.0 = [*shared; LANES];
        }
        numbers
    }

    /// Big-endian numbers of at most [`LANES`] lanes, which must fit into `limbs`. The first one fills the lanes that
    /// are left.
    pub(crate) fn from_be_bytes(inputs: &[&[u8]], limbs: usize) -> Self {
        assert!((1..=LANES).contains(&inputs.len()), "1 to 8 numbers");
        let mut numbers = Self::zero(limbs);
        for lane in 0..LANES {
            let input = inputs.get(lane).unwrap_or(&inputs[0]);
            for (limb, word) in numbers.iter_mut().zip(shared_from_be_bytes(input, limbs).iter()) {
                limb.0[lane] = *word;
            }
        }
        numbers
    }

    /// The number of one lane as big-endian bytes. It must fit.
    pub(crate) fn to_be_bytes(&self, lane: usize, bytes: usize) -> Vec<u8> {
        let mut output = vec![0; bytes];
        let (mut bits, mut bit_count) = (0_u128, 0);
        let mut limbs = self.0.iter();
        for byte in output.iter_mut().rev() {
            if bit_count < 8 {
                let limb = limbs.next().map_or(0, |limb| limb.0[lane]);
                bits |= u128::from(limb) << bit_count;
                bit_count += LIMB_BITS;
            }
            *byte = (bits & 0xff) as u8;
            bits >>= 8;
            bit_count -= 8;
        }
        output
    }

    /// Subtracts `other` in the lanes that are not less than it. All limbs have 52 bits.
    pub(crate) fn subtract_if_not_less(&mut self, other: &[Limb]) {
        let mut borrow = [0_u64; LANES];
        let mut difference = Self::zero(self.len());
        for ((limb, other), result) in self.iter().zip(other).zip(difference.iter_mut()) {
            for lane in 0..LANES {
                let signed = limb.0[lane]
                    .wrapping_sub(other.0[lane])
                    .wrapping_sub(borrow[lane]);
                result.0[lane] = signed & LIMB_MAX;
                borrow[lane] = signed >> 63;
            }
        }
        // All ones in the lanes that keep their number. The black box hides from the compiler that it is a condition.
        let keep = black_box(borrow.map(u64::wrapping_neg));
        for (limb, difference) in self.iter_mut().zip(difference.iter()) {
            for lane in 0..LANES {
                limb.0[lane] = (limb.0[lane] & keep[lane]) | (difference.0[lane] & !keep[lane]);
            }
        }
    }

    /// Adds `times * summand` and subtracts `other`, with a result that is not negative. `times` is small.
    pub(crate) fn add_multiple_and_subtract(&mut self, times: u64, summand: &[Limb], other: &Self) {
        let mut carry = [0_i64; LANES];
        for ((limb, summand), other) in self.iter_mut().zip(summand).zip(other.iter()) {
            for lane in 0..LANES {
                let positive = limb.0[lane] + times * summand.0[lane];
                let sum = positive.cast_signed() - other.0[lane].cast_signed() + carry[lane];
                limb.0[lane] = sum.cast_unsigned() & LIMB_MAX;
                carry[lane] = sum >> LIMB_BITS;
            }
        }
    }

    /// Adds, and leaves limbs of 52 bits.
    pub(crate) fn add(&mut self, other: &Self) {
        let mut carry = [0; LANES];
        for (limb, other) in self.iter_mut().zip(other.iter()) {
            for lane in 0..LANES {
                let sum = limb.0[lane] + other.0[lane] + carry[lane];
                limb.0[lane] = sum & LIMB_MAX;
                carry[lane] = sum >> LIMB_BITS;
            }
        }
    }

    /// In each lane, the number of that lane in the one of `choices` that `choice` names.
    pub(crate) fn side_by_side(choices: &[&Self], choice: impl Fn(usize) -> usize) -> Self {
        let mut numbers = Self::zero(choices[0].len());
        for (place, from) in choices.iter().enumerate() {
            numbers.copy_lanes(from, |lane| (choice(lane) == place).then_some(lane));
        }
        numbers
    }

    /// Each lane gets the number of the lane of `other` that `source` names, or keeps its own.
    pub(crate) fn copy_lanes(&mut self, other: &[Limb], source: impl Fn(usize) -> Option<usize>) {
        let sources: [Option<usize>; LANES] = std::array::from_fn(source);
        for (limb, other) in self.iter_mut().zip(other) {
            for (word, source) in limb.0.iter_mut().zip(sources) {
                *word = source.map_or(*word, |source| other.0[source]);
            }
        }
    }

    /// In which lanes the numbers are equal.
    pub(crate) fn equal(&self, other: &Self) -> [bool; LANES] {
        let mut differences = [0; LANES];
        for (limb, other) in self.iter().zip(other.iter()) {
            for lane in 0..LANES {
                differences[lane] |= limb.0[lane] ^ other.0[lane];
            }
        }
        differences.map(|difference| difference == 0)
    }
}

impl Deref for Numbers {
    type Target = [Limb];

    fn deref(&self) -> &[Limb] {
        &self.0
    }
}

impl DerefMut for Numbers {
    fn deref_mut(&mut self) -> &mut [Limb] {
        &mut self.0
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The limbs of one big-endian number, which must fit.
pub(crate) fn shared_from_be_bytes(bytes: &[u8], limbs: usize) -> Zeroizing<Vec<u64>> {
    const WORD_BYTES: usize = size_of::<u64>();
    assert!(bytes.len() * 8 <= limbs * LIMB_BITS + 7, "the number fits");
    // One word more, so that a whole word can be read anywhere.
    let mut little_endian = Zeroizing::new(vec![0; (limbs * LIMB_BITS).div_ceil(8) + WORD_BYTES]);
    for (place, byte) in little_endian.iter_mut().zip(bytes.iter().rev()) {
        *place = *byte;
    }
    let limb = |index: usize| {
        let bit = index * LIMB_BITS;
        let word = little_endian[bit / 8..]
            .first_chunk::<WORD_BYTES>()
            .expect("there is a word more");
        (u64::from_le_bytes(*word) >> (bit % 8)) & LIMB_MAX
    };
    Zeroizing::new((0..limbs).map(limb).collect())
}

/// The product of two numbers, as long as both together.
pub(crate) fn shared_product(a: &[u64], b: &[u64]) -> Zeroizing<Vec<u64>> {
    let mut product = Zeroizing::new(vec![0; a.len() + b.len()]);
    for (i, a) in a.iter().enumerate() {
        let mut carry = 0;
        for (j, b) in b.iter().enumerate() {
            let sum = u128::from(*a) * u128::from(*b) + u128::from(product[i + j]) + u128::from(carry);
            product[i + j] = (sum as u64) & LIMB_MAX;
            carry = (sum >> LIMB_BITS) as u64;
        }
        product[i + b.len()] = carry;
    }
    product
}

/// `a - b`, which is not negative.
pub(crate) fn shared_difference(a: &[u64], b: &[u64]) -> Zeroizing<Vec<u64>> {
    let mut borrow = 0;
    let limbs = a.iter().zip(b).map(|(a, b)| {
        let signed = a.wrapping_sub(*b).wrapping_sub(borrow);
        borrow = signed >> 63;
        signed & LIMB_MAX
    });
    Zeroizing::new(limbs.collect())
}

/// The number of significant bits of a big-endian number.
pub(crate) fn bit_length(bytes: &[u8]) -> usize {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let significant = &bytes[zeros..];
    significant
        .first()
        .map_or(0, |byte| significant.len() * 8 - byte.leading_zeros() as usize)
}

#[cfg(test)]
mod tests;

//! An odd modulus for each of eight lanes, and calculation modulo them.

use zeroize::{Zeroize, Zeroizing};

use crate::LANES;
use crate::kernel::{Block, HEADROOM_BITS, Instructions, KernelModulus, SCRATCH_LIMBS};
use crate::numbers::{Numbers, bit_length, shared_from_be_bytes};
use crate::vector::{LIMB_BITS, LIMB_MAX, Limb};

/// The bits of a window of a secret exponent. The look-up reads the whole table of 2^4 powers, which fits into the
/// first-level cache for primes of 1024 bits; larger windows save less than their look-up costs.
const WINDOW_BITS: usize = 4;

/// A modulus of fewer bits is refused. RSA has none so small.
const MODULUS_BITS_MIN: usize = 128;

/// An odd modulus in each lane, all of the same shape. Erased when dropped.
pub(crate) struct Modulus {
    instructions: Instructions,
    block: Block,
    limbs: Numbers,
    /// -1 / m modulo 2^52, one limb.
    negative_inverse: Numbers,
    /// R modulo m: the Montgomery form of 1.
    one: Numbers,
    /// R^2 modulo m: a product with it is in Montgomery form.
    r_squared: Numbers,
}

/// Room for the kernels. It holds secrets, and is erased when dropped.
pub(crate) struct Scratch(Box<[Limb; SCRATCH_LIMBS]>);

/// A secret exponent for each lane, in windows, the highest first. Erased when dropped.
pub(crate) struct SecretExponent(Zeroizing<Vec<[u8; LANES]>>);

impl Modulus {
    /// The same modulus in all lanes. `None` when the big-endian number is even, or of an unsupported length.
    pub(crate) fn new(instructions: Instructions, bytes: &[u8]) -> Option<Self> {
        let bits = bit_length(bytes);
        if bits < MODULUS_BITS_MIN || bytes.last().is_none_or(|byte| byte % 2 == 0) {
            return None;
        }
        let (block, block_count) = shape(bits)?;
        let limbs = shared_from_be_bytes(bytes, block.limbs() * block_count);
        let mut modulus = Self {
            instructions,
            block,
            limbs: Numbers::splat(&limbs, limbs.len()),
            negative_inverse: Numbers::splat(&[negative_inverse(limbs[0])], 1),
            one: Numbers::zero(limbs.len()),
            r_squared: Numbers::zero(limbs.len()),
        };
        modulus.prepare(bits);
        Some(modulus)
    }

    /// In each lane, the modulus of that lane in the one of `moduli` that `choice` names. All have the same shape.
    pub(crate) fn side_by_side(moduli: &[&Self], choice: impl Fn(usize) -> usize) -> Self {
        let Self {
            instructions, block, ..
        } = *moduli[0];
        let numbers = |of: fn(&Self) -> &Numbers| {
            let numbers: Vec<&Numbers> = moduli.iter().map(|modulus| of(modulus)).collect();
            Numbers::side_by_side(&numbers, &choice)
        };
        Self {
            instructions,
            block,
            limbs: numbers(|modulus| &modulus.limbs),
            negative_inverse: numbers(|modulus| &modulus.negative_inverse),
            one: numbers(|modulus| &modulus.one),
            r_squared: numbers(|modulus| &modulus.r_squared),
        }
    }

    fn prepare(&mut self, bits: usize) {
        let r_bits = self.limbs.len() * LIMB_BITS;
        // 2^(bits - 1) is less than the modulus. Doubled until it is R.
        let mut power = Numbers::zero(self.limbs.len());
        let highest = bits - 1;
        power[highest / LIMB_BITS] = Limb([1 << (highest % LIMB_BITS); LANES]);
        for _ in highest..r_bits {
            self.double(&mut power);
        }
        self.one = power.clone();
        // The Montgomery form of 2, raised to the power of r_bits: the Montgomery form of R.
        self.double(&mut power);
        let two = power.clone();
        self.raise_to_public(&mut power, &two, r_bits as u64, &mut Scratch::new());
        self.reduce_once(&mut power);
        self.r_squared = power;
    }

    /// Doubles a number below m, modulo m.
    fn double(&self, x: &mut Numbers) {
        let same = x.clone();
        x.add(&same);
        x.subtract_if_not_less(&self.limbs);
    }

    pub(crate) fn limbs(&self) -> &Numbers {
        &self.limbs
    }

    /// R^2 modulo m, where R = 2^(52 * limbs).
    pub(crate) fn r_squared(&self) -> &Numbers {
        &self.r_squared
    }

    pub(crate) fn kernel(&self) -> KernelModulus<'_> {
        KernelModulus {
            instructions: self.instructions,
            block: self.block,
            limbs: &self.limbs,
            negative_inverse: &self.negative_inverse[0],
        }
    }

    /// `x = x * y / R`, below 2 * m, for factors below 8 * m. A factor may also be any number of as many limbs, if
    /// the other one is below m.
    pub(crate) fn multiply(&self, x: &mut Numbers, y: &[Limb], scratch: &mut Scratch) {
        self.kernel().multiply(x, y, &mut scratch.0);
    }

    pub(crate) fn square(&self, x: &mut Numbers, scratch: &mut Scratch) {
        self.kernel().square(x, &mut scratch.0);
    }

    /// `x = x / R`, below m + 1: out of Montgomery form.
    pub(crate) fn leave_montgomery_form(&self, x: &mut Numbers, scratch: &mut Scratch) {
        let one = Numbers::splat(&[1], self.limbs.len());
        self.multiply(x, &one, scratch);
    }

    /// Reduces a number below 2 * m to the least one.
    pub(crate) fn reduce_once(&self, x: &mut Numbers) {
        x.subtract_if_not_less(&self.limbs);
    }

    /// Raises `base` to an exponent of at least 1 that need not be secret, by squaring and multiplying. `x` is a copy
    /// of the base.
    pub(crate) fn raise_to_public(
        &self,
        x: &mut Numbers,
        base: &Numbers,
        exponent: u64,
        scratch: &mut Scratch,
    ) {
        assert!(exponent > 0, "the highest bit starts");
        for bit in (0..exponent.ilog2()).rev() {
            self.square(x, scratch);
            if exponent >> bit & 1 == 1 {
                self.multiply(x, base, scratch);
            }
        }
    }

    /// `base ^ exponent`, both powers in Montgomery form, in a time that depends only on the lengths: fixed windows, each with
    /// the same squarings, one look-up that reads the whole table (Gueron and Krasnov, "Software implementation of
    /// modular exponentiation, using advanced vector instructions architectures", 2012), and one multiplication.
    pub(crate) fn raise_to_secret(
        &self,
        base: &Numbers,
        exponent: &SecretExponent,
        scratch: &mut Scratch,
    ) -> Numbers {
        let limbs = self.limbs.len();
        let mut table = Numbers::zero(limbs << WINDOW_BITS);
        table[..limbs].copy_from_slice(&self.one);
        let mut power = base.clone();
        for entry in table[limbs..].chunks_exact_mut(limbs) {
            entry.copy_from_slice(&power);
            self.multiply(&mut power, base, scratch);
        }
        let mut factor = Numbers::zero(limbs);
        for (place, window) in exponent.0.iter().enumerate() {
            let indices = Limb(window.map(u64::from));
            self.kernel().look_up(&mut factor, &table, &indices);
            if place == 0 {
                power.copy_from_slice(&factor);
                continue;
            }
            for _ in 0..WINDOW_BITS {
                self.square(&mut power, scratch);
            }
            self.multiply(&mut power, &factor, scratch);
        }
        power
    }
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(Box::new([Limb::default(); SCRATCH_LIMBS]))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl SecretExponent {
    /// The exponent of these limbs, below 2^`bits`, in all lanes.
    pub(crate) fn new(limbs: &[u64], bits: usize) -> Self {
        const { assert!(LIMB_BITS.is_multiple_of(WINDOW_BITS), "no window spans two limbs") };
        let window = |index: usize| {
            let bit = index * WINDOW_BITS;
            [(limbs[bit / LIMB_BITS] >> (bit % LIMB_BITS)) as u8 & ((1 << WINDOW_BITS) - 1); LANES]
        };
        let windows = (0..bits.div_ceil(WINDOW_BITS)).rev();
        Self(Zeroizing::new(windows.map(window).collect()))
    }

    /// In each lane, the exponent of that lane in the one of `exponents` that `choice` names. All have as many windows.
    pub(crate) fn side_by_side(exponents: &[&Self], choice: impl Fn(usize) -> usize) -> Self {
        let windows = 0..exponents[0].0.len();
        let lane = |window: usize, lane: usize| exponents[choice(lane)].0[window][lane];
        let side_by_side = windows.map(|window| std::array::from_fn(|index| lane(window, index)));
        Self(Zeroizing::new(side_by_side.collect()))
    }
}

/// The smallest shape with [`HEADROOM_BITS`] for a modulus of `bits`. `None` if it is too long.
fn shape(bits: usize) -> Option<(Block, usize)> {
    const SHAPES: [(Block, usize); 8] = [
        (Block::Limbs14, 1),
        (Block::Limbs15, 1),
        (Block::Limbs20, 1),
        (Block::Limbs14, 2),
        (Block::Limbs15, 2),
        (Block::Limbs20, 2),
        (Block::Limbs20, 3),
        (Block::Limbs20, 4),
    ];
    SHAPES
        .into_iter()
        .find(|(block, count)| block.limbs() * count * LIMB_BITS >= bits + HEADROOM_BITS)
}

/// -1 / m modulo 2^52, for an odd m: Newton's iteration, which doubles the number of right bits each time.
fn negative_inverse(lowest: u64) -> u64 {
    // An odd number is its own inverse modulo 8.
    let mut inverse = lowest;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(lowest.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg() & LIMB_MAX
}

#[cfg(test)]
mod tests;

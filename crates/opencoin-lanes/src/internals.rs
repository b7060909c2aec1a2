//! The calculations that operations are made of, so that a program can measure their times. Not part of the interface
//! of this crate: they check less, and change with the code.

use crate::LANES;
use crate::kernel::Instructions;
use crate::modulus::{Modulus, Scratch, SecretExponent};
use crate::numbers::{Numbers, bit_length};
use crate::vector::{LIMB_MAX, Limb};

/// A modulus, and room to calculate.
pub struct Calculation {
    bits: usize,
    modulus: Modulus,
    scratch: Scratch,
}

/// A number in each lane, as long as the modulus; or a table of them.
#[derive(Clone)]
pub struct Operand(Numbers);

/// A secret exponent in windows, the same in all lanes.
pub struct Exponent(SecretExponent);

impl Calculation {
    /// See [`crate::PublicOperation::new`].
    #[must_use]
    pub fn new(instructions: Instructions, modulus: &[u8]) -> Option<Self> {
        Some(Self {
            bits: bit_length(modulus),
            modulus: Modulus::new(instructions, modulus)?,
            scratch: Scratch::new(),
        })
    }

    /// A table of `count` numbers, whose limbs come one after the other from `limb`. Only the lowest 52 bits are used.
    pub fn table(&self, count: usize, mut limb: impl FnMut() -> u64) -> Operand {
        let mut numbers = Numbers::zero(count * self.modulus.limbs().len());
        for place in numbers.iter_mut() {
            place.0 = std::array::from_fn(|_| limb() & LIMB_MAX);
        }
        Operand(numbers)
    }

    /// A number below the modulus, whose limbs come from `limb`.
    pub fn number(&mut self, limb: impl FnMut() -> u64) -> Operand {
        let mut number = self.table(1, limb);
        self.modulus
            .multiply(&mut number.0, self.modulus.r_squared(), &mut self.scratch);
        self.modulus.reduce_once(&mut number.0);
        number
    }

    /// The modulus plus a number below it.
    #[must_use]
    pub fn plus_modulus(&self, number: &Operand) -> Operand {
        let mut sum = self.modulus.limbs().clone();
        sum.add(&number.0);
        Operand(sum)
    }

    /// An exponent as long as the modulus.
    pub fn exponent(&self, mut limb: impl FnMut() -> u64) -> Exponent {
        let limbs: Vec<u64> = self.modulus.limbs().iter().map(|_| limb() & LIMB_MAX).collect();
        Exponent(SecretExponent::new(&limbs, self.bits))
    }

    pub fn multiply(&mut self, x: &mut Operand, y: &Operand) {
        self.modulus.multiply(&mut x.0, &y.0, &mut self.scratch);
    }

    pub fn square(&mut self, x: &mut Operand) {
        self.modulus.square(&mut x.0, &mut self.scratch);
    }

    /// Subtracts the modulus where the number is not less.
    pub fn reduce_once(&self, x: &mut Operand) {
        self.modulus.reduce_once(&mut x.0);
    }

    /// Copies the number of this index in all lanes.
    pub fn look_up(&self, found: &mut Operand, table: &Operand, index: usize) {
        let indices = Limb([index as u64; LANES]);
        self.modulus.kernel().look_up(&mut found.0, &table.0, &indices);
    }

    #[must_use]
    pub fn raise(&mut self, base: &Operand, exponent: &Exponent) -> Operand {
        Operand(
            self.modulus
                .raise_to_secret(&base.0, &exponent.0, &mut self.scratch),
        )
    }
}

impl Operand {
    /// The limbs of one place after the other, each with those of all lanes.
    pub fn limbs(&self) -> impl Iterator<Item = [u64; LANES]> {
        self.0.iter().map(|limb| limb.0)
    }

    /// Takes the value of another number, without a new allocation.
    pub fn copy_from(&mut self, other: &Self) {
        self.0.copy_from_slice(&other.0);
    }
}

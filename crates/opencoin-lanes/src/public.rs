//! The public operation: x^e mod n of eight numbers.

use crate::LANES;
use crate::kernel::Instructions;
use crate::modulus::{Modulus, Scratch};
use crate::numbers::Numbers;

/// A public key, ready to calculate with.
pub struct PublicOperation {
    modulus: Modulus,
    modulus_be: Vec<u8>,
    exponent: u64,
    /// R^e mod n. It corrects for the divisions by R, because the inputs are not brought into Montgomery form.
    correction: Numbers,
}

impl PublicOperation {
    /// The key (n, e) with a big-endian modulus. `None` when the modulus is even, shorter than 128 bits, longer than
    /// 4152 bits, or begins with a zero byte, or when the exponent is zero.
    #[must_use]
    pub fn new(instructions: Instructions, modulus: &[u8], exponent: u64) -> Option<Self> {
        if modulus.first().is_none_or(|byte| *byte == 0) || exponent == 0 {
            return None;
        }
        let modulus_be = modulus.to_vec();
        let modulus = Modulus::new(instructions, modulus)?;
        let mut scratch = Scratch::new();
        let r = modulus.r_squared();
        let mut correction = r.clone();
        modulus.raise_to_public(&mut correction, r, exponent, &mut scratch);
        modulus.leave_montgomery_form(&mut correction, &mut scratch);
        modulus.reduce_once(&mut correction);
        Some(Self {
            modulus,
            modulus_be,
            exponent,
            correction,
        })
    }

    /// The length of the modulus, and so of every input and output.
    #[must_use]
    pub fn modulus_bytes(&self) -> usize {
        self.modulus_be.len()
    }

    /// `input ^ e mod n` for each of 1 to [`LANES`] big-endian inputs. `None` for an input of another length than the
    /// modulus or not less than it. Not constant time.
    ///
    /// # Panics
    /// When there are no inputs, or too many.
    #[must_use]
    pub fn raise(&self, inputs: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let (mut numbers, in_range) = self.numbers(inputs);
        self.raise_numbers(&mut numbers, &mut Scratch::new());
        let output = |(lane, in_range): (usize, bool)| {
            in_range.then(|| numbers.to_be_bytes(lane, self.modulus_bytes()))
        };
        in_range.into_iter().enumerate().map(output).collect()
    }

    /// The inputs, and which of them are in range. Those that are not are replaced by zero.
    pub(crate) fn numbers(&self, inputs: &[&[u8]]) -> (Numbers, Vec<bool>) {
        assert!((1..=LANES).contains(&inputs.len()), "1 to 8 inputs");
        let zero = vec![0; self.modulus_bytes()];
        let in_range: Vec<bool> = inputs.iter().map(|input| self.is_in_range(input)).collect();
        let usable: Vec<&[u8]> = inputs
            .iter()
            .zip(&in_range)
            .map(|(input, in_range)| if *in_range { input } else { &zero[..] })
            .collect();
        (
            Numbers::from_be_bytes(&usable, self.modulus.limbs().len()),
            in_range,
        )
    }

    /// `x = x ^ e mod n`, for numbers below 2 * n, fully reduced.
    pub(crate) fn raise_numbers(&self, x: &mut Numbers, scratch: &mut Scratch) {
        let base = x.clone();
        // Each of the e - 1 multiplications divides by R, and so does the correction.
        self.modulus.raise_to_public(x, &base, self.exponent, scratch);
        self.modulus.multiply(x, &self.correction, scratch);
        self.modulus.reduce_once(x);
    }

    pub(crate) fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// Whether the length is that of the modulus, and the number is less than it.
    fn is_in_range(&self, input: &[u8]) -> bool {
        input.len() == self.modulus_be.len() && *input < *self.modulus_be
    }
}

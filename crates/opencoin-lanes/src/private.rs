//! The private operation: x^d mod n of eight numbers, by the Chinese remainder theorem with two or more primes.
//!
//! A full group is raised modulo one prime after the other, each in all lanes. In a small group, the lanes are divided
//! among the primes: with two primes, four numbers are raised modulo both at once, in half of the time.
//!
//! - **Blinding.** A number is multiplied by A = t^-e before the primes are used, and by t afterwards (Kocher, "Timing
//!   attacks on implementations of Diffie-Hellman, RSA, DSS, and other systems", 1996). Each lane has its own t. After
//!   each use both factors are squared, and after [`BLINDING_USES_MAX`] uses t is drawn again, as in OpenSSL.
//! - **Constant time.** The exponentiation is [`Modulus::raise_to_secret`]; the recombination has no condition and no
//!   division.
//! - **Checked.** Each result is raised to e and compared with the input before it leaves. From a wrong signature, anybody
//!   could compute a prime (Boneh, DeMillo, Lipton 1997).

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::LANES;
use crate::kernel::Instructions;
use crate::modulus::{Modulus, Scratch, SecretExponent};
use crate::numbers::{Numbers, bit_length, shared_difference, shared_from_be_bytes, shared_product};
use crate::public::PublicOperation;
use crate::vector::{LIMB_BITS, LIMB_MAX, Limb};

/// How often a blinding is used, squared each time, before another one is drawn. Drawing costs as much as eight
/// signatures.
const BLINDING_USES_MAX: u32 = 32;

/// One prime of a private key, in big-endian bytes.
#[derive(Clone, Copy)]
pub struct PrimePart<'a> {
    /// The prime p.
    pub prime: &'a [u8],
    /// The private exponent modulo p - 1.
    pub exponent: &'a [u8],
    /// The inverse modulo p of the product of all primes before this one in the list. Not used for the first prime.
    pub coefficient: &'a [u8],
}

/// A private key, ready to calculate with. Erased when dropped.
pub struct PrivateOperation {
    public: PublicOperation,
    primes: Vec<Prime>,
    side_by_side: SideBySide,
    /// Blindings that no thread is using.
    blindings: Mutex<Vec<Blinding>>,
}

/// Residues modulo a prime, or in some lanes modulo one prime and in others modulo another.
struct Residues {
    modulus: Modulus,
    /// R^(k + 2) mod p, for the k-th part of a number: a product with it is that part's contribution to the number, in
    /// Montgomery form. A part has as many limbs as p.
    entry: Vec<Numbers>,
}

struct Prime {
    residues: Residues,
    exponent: SecretExponent,
    /// p - 1 - e: the exponent of a blinding factor's inverse e-th power.
    blinding_exponent: SecretExponent,
    /// As [`Residues::entry`], with the coefficient and without Montgomery form: coefficient * R^(k + 1) mod p.
    coefficient: Vec<Numbers>,
    /// The product of the primes before this one, in all lanes.
    product_before: Numbers,
}

/// All primes at once: the first lanes belong to the first prime, the next ones to the second, and so on.
struct SideBySide {
    residues: Residues,
    exponent: SecretExponent,
    /// The lanes of each prime.
    numbers_max: usize,
}

/// The secret factors of one group of eight, in Montgomery form modulo n.
struct Blinding {
    /// t^-e.
    factor: Numbers,
    /// t.
    unblinder: Numbers,
    uses: u32,
}

impl PrivateOperation {
    /// The key with the modulus n (big-endian), the public exponent e, and 2 to [`LANES`] primes of about the same length.
    ///
    /// `None` when the numbers are of an unsupported size, or the primes of different numbers of limbs. Whether they
    /// belong together is not checked; if not, no result passes its check.
    #[must_use]
    pub fn new(
        instructions: Instructions,
        modulus: &[u8],
        public_exponent: u64,
        primes: &[PrimePart<'_>],
    ) -> Option<Self> {
        let public = PublicOperation::new(instructions, modulus, public_exponent)?;
        if !(2..=LANES).contains(&primes.len()) {
            return None;
        }
        let sizes = Sizes {
            modulus_limbs: public.modulus().limbs().len(),
            exponent_bits: primes.iter().map(|part| bit_length(part.prime)).max()?,
        };
        let mut prepared: Vec<Prime> = Vec::with_capacity(primes.len());
        let mut before = Zeroizing::new(vec![1]);
        for part in primes {
            let prime = Prime::new(instructions, part, public_exponent, sizes, &before)?;
            let limbs = prime.residues.limbs();
            if prepared
                .first()
                .is_some_and(|first| first.residues.limbs() != limbs)
            {
                return None;
            }
            let shared = shared_from_be_bytes(part.prime, limbs);
            before = match before.as_slice() {
                [1] => shared,
                product => shared_product(product, &shared),
            };
            prepared.push(prime);
        }
        Some(Self {
            public,
            side_by_side: SideBySide::new(&prepared),
            primes: prepared,
            blindings: Mutex::default(),
        })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicOperation {
        &self.public
    }

    /// `input ^ d mod n` for each of 1 to [`LANES`](crate::LANES) big-endian inputs, in constant time, blinded and checked. `None`
    /// for an input of another length than the modulus or not less than it, and for a result that failed its check.
    ///
    /// # Panics
    /// When there are no inputs, or too many.
    #[must_use]
    pub fn raise<R: RngCore + CryptoRng + ?Sized>(
        &self,
        inputs: &[&[u8]],
        rng: &mut R,
    ) -> Vec<Option<Vec<u8>>> {
        let count = inputs.len();
        let (inputs, in_range) = self.public.numbers(inputs);
        let scratch = &mut Scratch::new();
        let n = self.public.modulus();

        let mut blinding = self.take_blinding(rng, scratch);
        let mut blinded = inputs.clone();
        n.multiply(&mut blinded, &blinding.factor, scratch);
        let mut results = if count.div_ceil(self.side_by_side.numbers_max) < self.primes.len() {
            self.raise_side_by_side(&blinded, count, scratch)
        } else {
            self.raise_in_turn(&blinded, |prime| &prime.exponent, scratch)
        };
        n.multiply(&mut results, &blinding.unblinder, scratch);
        n.reduce_once(&mut results);
        blinding.square(n, scratch);
        self.blindings().push(blinding);

        let mut check = results.clone();
        self.public.raise_numbers(&mut check, scratch);
        let is_right = check.equal(&inputs);
        let output = |(lane, in_range): (usize, bool)| {
            (in_range && is_right[lane]).then(|| results.to_be_bytes(lane, self.public.modulus_bytes()))
        };
        in_range.into_iter().enumerate().map(output).collect()
    }

    /// `x ^ exponent mod n`, where the exponent is given modulo each p - 1. One prime after the other.
    fn raise_in_turn(
        &self,
        x: &Numbers,
        exponent: impl Fn(&Prime) -> &SecretExponent,
        scratch: &mut Scratch,
    ) -> Numbers {
        let residues = self.primes.iter();
        let residues = residues.map(|prime| prime.residues.raise(x, exponent(prime), scratch));
        let residues = residues.collect();
        self.combine(residues, scratch)
    }

    /// `x ^ d mod n` in the first `count` lanes, with as many numbers modulo all primes at once as fit into the lanes.
    fn raise_side_by_side(&self, x: &Numbers, count: usize, scratch: &mut Scratch) -> Numbers {
        let SideBySide {
            residues: primes,
            exponent,
            numbers_max,
        } = &self.side_by_side;
        let mut residues = vec![Numbers::zero(primes.limbs()); self.primes.len()];
        for first in (0..count).step_by(*numbers_max) {
            let mut numbers = Numbers::zero(x.len());
            numbers.copy_lanes(x, |lane| Some(first + lane % numbers_max));
            let raised = primes.raise(&numbers, exponent, scratch);
            let taken = first..first + numbers_max;
            for (place, residue) in residues.iter_mut().enumerate() {
                let source = |lane: usize| place * numbers_max + lane - first;
                residue.copy_lanes(&raised, |lane| taken.contains(&lane).then(|| source(lane)));
            }
        }
        self.combine(residues, scratch)
    }

    /// The numbers with these residues modulo each prime.
    fn combine(&self, residues: Vec<Numbers>, scratch: &mut Scratch) -> Numbers {
        let combined = self.primes.iter().zip(residues);
        let combined = combined.fold(None, |lower: Option<Numbers>, (prime, residue)| {
            Some(match lower {
                None => residue,
                Some(lower) => prime.combine(&lower, residue, scratch),
            })
        });
        let result = combined.expect("a key has primes");
        // The primes together can have a few limbs more than the modulus, or fewer. The result is less than the modulus.
        let mut resized = Numbers::zero(self.public.modulus().limbs().len());
        for (to, from) in resized.iter_mut().zip(result.iter()) {
            *to = *from;
        }
        resized
    }

    fn take_blinding<R: RngCore + CryptoRng + ?Sized>(&self, rng: &mut R, scratch: &mut Scratch) -> Blinding {
        let free = self.blindings().pop();
        match free {
            Some(blinding) if blinding.uses < BLINDING_USES_MAX => blinding,
            _ => self.draw_blinding(rng, scratch),
        }
    }

    fn draw_blinding<R: RngCore + CryptoRng + ?Sized>(&self, rng: &mut R, scratch: &mut Scratch) -> Blinding {
        let n = self.public.modulus();
        // R is longer than n, so that all numbers below n are nearly equally likely: R >= 2^8 * n.
        let mut unblinder = Numbers::zero(n.limbs().len());
        let mut random = Zeroizing::new(vec![0; unblinder.len() * size_of::<Limb>()]);
        rng.fill_bytes(&mut random);
        let (words, _) = random.as_chunks();
        let words = unblinder.iter_mut().flat_map(|limb| &mut limb.0).zip(words);
        words.for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes) & LIMB_MAX);
        n.multiply(&mut unblinder, n.r_squared(), scratch);
        let mut plain = unblinder.clone();
        n.leave_montgomery_form(&mut plain, scratch);
        // By Fermat's little theorem, t^(p - 1 - e) = t^-e modulo p.
        let mut factor = self.raise_in_turn(&plain, |prime| &prime.blinding_exponent, scratch);
        n.multiply(&mut factor, n.r_squared(), scratch);
        Blinding {
            factor,
            unblinder,
            uses: 0,
        }
    }

    fn blindings(&self) -> MutexGuard<'_, Vec<Blinding>> {
        // Whole blindings are pushed and popped, so that a panic elsewhere cannot leave half of one.
        self.blindings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lengths that all primes of a key have in common.
#[derive(Clone, Copy)]
struct Sizes {
    modulus_limbs: usize,
    /// Of the longest prime, so that all exponents have as many windows.
    exponent_bits: usize,
}

impl Prime {
    fn new(
        instructions: Instructions,
        part: &PrimePart<'_>,
        public_exponent: u64,
        sizes: Sizes,
        product_before: &[u64],
    ) -> Option<Self> {
        let modulus = Modulus::new(instructions, part.prime)?;
        let limbs = modulus.limbs().len();
        let longest = part.prime.len();
        if part.exponent.len() > longest || part.coefficient.len() > longest {
            return None;
        }
        // The longest prime may need more limbs than this one. Such a key is refused.
        let Sizes {
            modulus_limbs,
            exponent_bits,
        } = sizes;
        if exponent_bits > limbs * LIMB_BITS {
            return None;
        }
        let exponent = SecretExponent::new(&shared_from_be_bytes(part.exponent, limbs), exponent_bits);
        let mut e_plus_one = vec![0; limbs];
        e_plus_one[0] = public_exponent.checked_add(1).filter(|e| *e <= LIMB_MAX)?;
        let blinding_exponent = shared_difference(&shared_from_be_bytes(part.prime, limbs), &e_plus_one);
        let blinding_exponent = SecretExponent::new(&blinding_exponent, exponent_bits);

        let scratch = &mut Scratch::new();
        let mut powers_of = |first: Numbers, count: usize| -> Vec<Numbers> {
            let mut next = first;
            let mut power = || {
                let mut power = next.clone();
                modulus.reduce_once(&mut power);
                modulus.multiply(&mut next, modulus.r_squared(), scratch);
                power
            };
            (0..count).map(|_| power()).collect()
        };
        let entry = powers_of(modulus.r_squared().clone(), modulus_limbs.div_ceil(limbs));
        let coefficient = Numbers::splat(&shared_from_be_bytes(part.coefficient, limbs), limbs);
        // The first one is without R, and is left out.
        let mut coefficient = powers_of(coefficient, product_before.len().div_ceil(limbs) + 1);
        coefficient.remove(0);
        Some(Self {
            residues: Residues { modulus, entry },
            exponent,
            blinding_exponent,
            coefficient,
            product_before: Numbers::splat(product_before, product_before.len()),
        })
    }

    /// The number that is `lower` modulo the primes before this one, and `residue` modulo this one (Garner).
    fn combine(&self, lower: &Numbers, mut residue: Numbers, scratch: &mut Scratch) -> Numbers {
        let modulus = &self.residues.modulus;
        let parts = lower.len().div_ceil(self.residues.limbs()) as u64;
        let subtrahend = self.residues.weighted_sum(lower, &self.coefficient, scratch);
        modulus.multiply(&mut residue, &self.coefficient[0], scratch);
        // The subtrahend is below 2 * parts * p.
        let times = 2 * parts;
        residue.add_multiple_and_subtract(times, modulus.limbs(), &subtrahend);
        for _ in 0..times + 1 {
            modulus.reduce_once(&mut residue);
        }
        let mut result = Numbers::zero(self.product_before.len() + residue.len());
        result[..lower.len()].copy_from_slice(lower);
        modulus
            .kernel()
            .add_multiple(&mut result, &residue, &self.product_before);
        result
    }
}

impl SideBySide {
    fn new(primes: &[Prime]) -> Self {
        let numbers_max = LANES / primes.len();
        // Lanes that are left belong to the last prime.
        let prime_of = |lane: usize| (lane / numbers_max).min(primes.len() - 1);
        let moduli: Vec<&Modulus> = primes.iter().map(|prime| &prime.residues.modulus).collect();
        let exponents: Vec<&SecretExponent> = primes.iter().map(|prime| &prime.exponent).collect();
        let entry = |part: usize| {
            let entries: Vec<&Numbers> = primes.iter().map(|prime| &prime.residues.entry[part]).collect();
            Numbers::side_by_side(&entries, prime_of)
        };
        Self {
            residues: Residues {
                modulus: Modulus::side_by_side(&moduli, prime_of),
                entry: (0..primes[0].residues.entry.len()).map(entry).collect(),
            },
            exponent: SecretExponent::side_by_side(&exponents, prime_of),
            numbers_max,
        }
    }
}

impl Residues {
    fn limbs(&self) -> usize {
        self.modulus.limbs().len()
    }

    /// `x ^ exponent` modulo the prime, for any number `x`.
    fn raise(&self, x: &Numbers, exponent: &SecretExponent, scratch: &mut Scratch) -> Numbers {
        let base = self.weighted_sum(x, &self.entry, scratch);
        let mut residue = self.modulus.raise_to_secret(&base, exponent, scratch);
        self.modulus.leave_montgomery_form(&mut residue, scratch);
        self.modulus.reduce_once(&mut residue);
        residue
    }

    /// The sum of the parts of `x`, each multiplied by its weight, modulo p, and below 2 * p for each part. A part has
    /// as many limbs as p.
    fn weighted_sum(&self, x: &[Limb], weights: &[Numbers], scratch: &mut Scratch) -> Numbers {
        let limbs = self.limbs();
        assert!(x.len() <= weights.len() * limbs, "each part has a weight");
        let mut sum = Numbers::zero(limbs);
        for (part, weight) in x.chunks(limbs).zip(weights) {
            let mut product = Numbers::zero(limbs);
            product[..part.len()].copy_from_slice(part);
            self.modulus.multiply(&mut product, weight, scratch);
            sum.add(&product);
        }
        sum
    }
}

impl Blinding {
    fn square(&mut self, n: &Modulus, scratch: &mut Scratch) {
        n.square(&mut self.factor, scratch);
        n.square(&mut self.unblinder, scratch);
        self.uses += 1;
    }
}

impl fmt::Debug for PrivateOperation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PrivateOperation").finish_non_exhaustive()
    }
}

impl fmt::Debug for PublicOperation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PublicOperation").finish_non_exhaustive()
    }
}

//! The private operation: x^d mod n of eight numbers, by the Chinese remainder theorem with two or more primes.
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

use crate::kernel::Instructions;
use crate::modulus::{Modulus, Scratch, SecretExponent};
use crate::numbers::{Numbers, shared_difference, shared_from_be_bytes, shared_product};
use crate::public::PublicOperation;
use crate::vector::{LIMB_MAX, Limb};

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
    /// Blindings that no thread is using.
    blindings: Mutex<Vec<Blinding>>,
}

struct Prime {
    modulus: Modulus,
    exponent: SecretExponent,
    /// p - 1 - e: the exponent of a blinding factor's inverse e-th power.
    blinding_exponent: SecretExponent,
    /// R^(k + 2) mod p, for the k-th part of a number: a product with it is that part's contribution to the number, in
    /// Montgomery form. A part has as many limbs as p.
    entry: Vec<Numbers>,
    /// The same with the coefficient and without Montgomery form: coefficient * R^(k + 1) mod p.
    coefficient: Vec<Numbers>,
    /// The product of the primes before this one.
    product_before: Zeroizing<Vec<u64>>,
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
    /// The key with the modulus n (big-endian), the public exponent e, and two or more primes of about the same length.
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
        let modulus_limbs = public.modulus().limbs().len();
        let mut prepared: Vec<Prime> = Vec::with_capacity(primes.len());
        for part in primes {
            let before = prepared.last().map_or_else(
                || Zeroizing::new(vec![1]),
                |prime| match prime.product_before.as_slice() {
                    [1] => Zeroizing::new(prime.modulus.limbs().to_vec()),
                    product => shared_product(product, prime.modulus.limbs()),
                },
            );
            let prime = Prime::new(instructions, part, public_exponent, modulus_limbs, before)?;
            if let Some(first) = prepared.first()
                && first.modulus.limbs().len() != prime.modulus.limbs().len()
            {
                return None;
            }
            prepared.push(prime);
        }
        (prepared.len() >= 2).then_some(Self {
            public,
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
        let (inputs, in_range) = self.public.numbers(inputs);
        let scratch = &mut Scratch::new();
        let n = self.public.modulus();

        let mut blinding = self.take_blinding(rng, scratch);
        let mut blinded = inputs.clone();
        n.multiply(&mut blinded, &blinding.factor, scratch);
        let mut results = self.raise_by_primes(&blinded, |prime| &prime.exponent, scratch);
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

    /// `x ^ exponent mod n`, where the exponent is given modulo each p - 1.
    fn raise_by_primes(
        &self,
        x: &Numbers,
        exponent: impl Fn(&Prime) -> &SecretExponent,
        scratch: &mut Scratch,
    ) -> Numbers {
        let mut result: Option<Numbers> = None;
        for prime in &self.primes {
            let modulus = &prime.modulus;
            let base = prime.weighted_sum(x, &prime.entry, scratch);
            let mut residue = modulus.raise_to_secret(&base, exponent(prime), scratch);
            modulus.leave_montgomery_form(&mut residue, scratch);
            result = Some(match result {
                None => {
                    modulus.reduce_once(&mut residue);
                    residue
                }
                Some(lower) => prime.combine(&lower, residue, scratch),
            });
        }
        let result = result.expect("a key has primes");
        // The primes together can have a few limbs more than the modulus, or fewer. The result is less than the modulus.
        let mut resized = Numbers::zero(x.len());
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
        let mut factor = self.raise_by_primes(&plain, |prime| &prime.blinding_exponent, scratch);
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

impl Prime {
    fn new(
        instructions: Instructions,
        part: &PrimePart<'_>,
        public_exponent: u64,
        modulus_limbs: usize,
        product_before: Zeroizing<Vec<u64>>,
    ) -> Option<Self> {
        let modulus = Modulus::new(instructions, part.prime)?;
        let limbs = modulus.limbs().len();
        let (longest, bits) = (part.prime.len(), modulus.bits());
        if part.exponent.len() > longest || part.coefficient.len() > longest {
            return None;
        }
        let exponent = SecretExponent::new(&shared_from_be_bytes(part.exponent, limbs), bits);
        let mut e_plus_one = vec![0; limbs];
        e_plus_one[0] = public_exponent.checked_add(1).filter(|e| *e <= LIMB_MAX)?;
        let blinding_exponent = SecretExponent::new(&shared_difference(modulus.limbs(), &e_plus_one), bits);

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
            modulus,
            exponent,
            blinding_exponent,
            entry,
            coefficient,
            product_before,
        })
    }

    /// The sum of the parts of `x`, each multiplied by its weight, modulo p, and below 2 * p for each part. A part has
    /// as many limbs as p.
    fn weighted_sum(&self, x: &[Limb], weights: &[Numbers], scratch: &mut Scratch) -> Numbers {
        let limbs = self.modulus.limbs().len();
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

    /// The number that is `lower` modulo the primes before this one, and `residue` modulo this one (Garner).
    fn combine(&self, lower: &Numbers, mut residue: Numbers, scratch: &mut Scratch) -> Numbers {
        let parts = lower.len().div_ceil(self.modulus.limbs().len()) as u64;
        let subtrahend = self.weighted_sum(lower, &self.coefficient, scratch);
        self.modulus.multiply(&mut residue, &self.coefficient[0], scratch);
        // The subtrahend is below 2 * parts * p.
        let times = 2 * parts;
        residue.add_multiple_and_subtract(times, self.modulus.limbs(), &subtrahend);
        for _ in 0..times + 1 {
            self.modulus.reduce_once(&mut residue);
        }
        let mut result = Numbers::zero(self.product_before.len() + residue.len());
        result[..lower.len()].copy_from_slice(lower);
        self.modulus
            .kernel()
            .add_multiple(&mut result, &residue, &self.product_before);
        result
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

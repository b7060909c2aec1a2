//! The private operation with three primes (RFC 8017 section 5.1.2), which AWS-LC does not have.
//!
//! It is made of AWS-LC's functions in the same way as AWS-LC's own operation with two primes
//! (`rsa_default_private_transform`), and protected in the same three ways:
//!
//! - *Constant time.* Reductions are Montgomery multiplications of fixed width, powers are
//!   `BN_mod_exp_mont_consttime`, and exponents are padded to the width of their prime. Only the two sums and products
//!   of the recombination (Garner) drop leading words that are zero.
//! - *Blinding.* The input is multiplied by `r^e` for a random r, and the result by `r^-1`. So nobody outside knows a
//!   number that is calculated with, and time that depends on these numbers says nothing about the key.
//! - *A check of the result.* What leaves has been raised to the public exponent by AWS-LC's public operation and is
//!   the input again. A signature that is right for one prime and wrong for another would reveal both (Boneh, DeMillo,
//!   Lipton 1997).
//!
//! A key is checked once, when it is made, with divisions that do not take constant time.

use std::sync::Mutex;

use zeroize::Zeroize;

use super::bignum::{Bignum, Modulus, Scratch};
use super::{PublicHandle, ThreePrimeParts};
use crate::key_error::{KeyError, OperationError};

/// A blinding factor is squared for the next operation and replaced after this many, as in AWS-LC.
const BLINDING_USES_MAX: u32 = 32;

/// Numbers below n have at most this many digits of the size of R: one for each prime, and one more where R belongs to
/// a prime that is a bit shorter than the others.
const DIGITS: usize = 4;

const NEVER_POISONED: &str = "nothing panics while it holds the blinding factors";

/// A private key with three primes, ready to calculate with.
pub(super) struct ThreePrimeKey {
    /// The same n and e once more, to check results independently of all that follows.
    public: PublicHandle,
    n: Modulus,
    e: Bignum,
    n_less_one: Vec<u8>,
    p: Prime,
    q: Prime,
    r: Prime,
    /// `q^-1 mod p`, in Montgomery form.
    q_inverse: Bignum,
    pq: Bignum,
    /// `(p q)^-1 mod r`, in Montgomery form.
    pq_inverse: Bignum,
    /// Those that no thread uses at the moment: never more than there were threads at once.
    blindings: Mutex<Vec<Blinding>>,
}

/// A prime with its exponent.
struct Prime {
    modulus: Modulus,
    /// d modulo the prime less one, as wide as the prime.
    exponent: Bignum,
}

/// A random r that hides an input. Both in Montgomery form.
struct Blinding {
    /// `r^e`.
    factor: Bignum,
    /// `r^-1`.
    inverse: Bignum,
    uses: u32,
}

impl ThreePrimeKey {
    /// The key of these parts, after a check that they belong together. Whether the primes are prime is not checked,
    /// as AWS-LC does not check it for two: such a key fails at its first operation.
    pub(super) fn new(parts: ThreePrimeParts<'_>) -> Result<Self, KeyError> {
        match is_consistent(parts) {
            Ok(true) => Self::unchecked(parts).map_err(|_| KeyError::Inconsistent),
            Ok(false) | Err(OperationError) => Err(KeyError::Inconsistent),
        }
    }

    fn unchecked(parts: ThreePrimeParts<'_>) -> Result<Self, OperationError> {
        let [n, e, _, p, q, d_p, d_q, q_inverse, r, d_r, pq_inverse] = parts;
        let scratch = &mut Scratch::new()?;
        let public = PublicHandle::new(n, e).map_err(|_| OperationError)?;
        let n_less_one = Bignum::new(n)?.minus(&Bignum::new(&[1])?)?;
        let (p, q, r) = (
            Prime::new(p, d_p, scratch)?,
            Prime::new(q, d_q, scratch)?,
            Prime::new(r, d_r, scratch)?,
        );
        Ok(Self {
            n_less_one: n_less_one.to_bytes(public.modulus_bytes())?.to_vec(),
            n: Modulus::new(Bignum::new(n)?, scratch)?,
            e: Bignum::new(e)?,
            q_inverse: p.modulus.encode(&Bignum::new(q_inverse)?, scratch)?,
            pq: p.number().times(q.number(), scratch)?,
            pq_inverse: r.modulus.encode(&Bignum::new(pq_inverse)?, scratch)?,
            public,
            p,
            q,
            r,
            blindings: Mutex::default(),
        })
    }

    pub(super) fn modulus_bytes(&self) -> usize {
        self.public.modulus_bytes()
    }

    /// See [`super::PrivateHandle::private_operation`].
    pub(super) fn private_operation(&self, input: &[u8]) -> Result<Vec<u8>, OperationError> {
        if !self.is_in_range(input) {
            return Err(OperationError);
        }
        let scratch = &mut Scratch::new()?;
        let blinding = self.blinding(scratch)?;
        let blinded = self.n.multiply(&Bignum::new(input)?, &blinding.factor, scratch)?;
        let power = self.private_power(&blinded, scratch)?;
        let power = self.n.multiply(&power, &blinding.inverse, scratch)?;
        let mut output = power.to_bytes(self.modulus_bytes())?;
        if self.public.public_operation(&output)? != input {
            output.zeroize();
            return Err(OperationError);
        }
        // After an error the blinding is dropped, because it may be what is wrong.
        self.blindings.lock().expect(NEVER_POISONED).push(blinding);
        Ok(std::mem::take(&mut *output))
    }

    /// Whether `input` is as long as the modulus and in 2..=n-2. It comes from outside, so this may show where it
    /// differs from n.
    fn is_in_range(&self, input: &[u8]) -> bool {
        let Some((last, leading)) = input.split_last() else {
            return false;
        };
        let is_trivial = leading.iter().all(|byte| *byte == 0) && *last <= 1;
        input.len() == self.modulus_bytes() && !is_trivial && input < &self.n_less_one[..]
    }

    /// A blinding that nobody else uses.
    fn blinding(&self, scratch: &mut Scratch) -> Result<Blinding, OperationError> {
        let used = self.blindings.lock().expect(NEVER_POISONED).pop();
        match used {
            Some(used) if used.uses < BLINDING_USES_MAX => used.squared(&self.n, scratch),
            Some(_) | None => Blinding::random(&self.n, &self.e, scratch),
        }
    }

    /// `number ^ d mod n` for a number below n: step 2 b of RSADP, for three primes.
    fn private_power(&self, number: &Bignum, scratch: &mut Scratch) -> Result<Bignum, OperationError> {
        let (p, q, r) = (&self.p.modulus, &self.q.modulus, &self.r.modulus);
        let m_p = self.p.power(number, scratch)?;
        let m_q = self.q.power(number, scratch)?;
        let m_r = self.r.power(number, scratch)?;

        // The only number below p q that is m_p modulo p and m_q modulo q.
        let m_q_mod_p = p.reduce(&m_q, scratch)?;
        let difference = p.subtract(&m_p, &m_q_mod_p)?;
        let h = p.multiply(&difference, &self.q_inverse, scratch)?;
        let m_pq = h.times(q.number(), scratch)?.plus(&m_q)?;

        // The only number below n that is m_pq modulo p q and m_r modulo r.
        let m_pq_mod_r = r.reduce_long(&m_pq, DIGITS, scratch)?;
        let difference = r.subtract(&m_r, &m_pq_mod_r)?;
        let h = r.multiply(&difference, &self.pq_inverse, scratch)?;
        h.times(&self.pq, scratch)?.plus(&m_pq)
    }
}

impl Prime {
    fn new(prime: &[u8], exponent: &[u8], scratch: &mut Scratch) -> Result<Self, OperationError> {
        let modulus = Modulus::new(Bignum::new(prime)?, scratch)?;
        let exponent = Bignum::new(exponent)?.to_bytes(modulus.bytes())?;
        Ok(Self {
            exponent: Bignum::new(&exponent)?,
            modulus,
        })
    }

    fn number(&self) -> &Bignum {
        self.modulus.number()
    }

    /// `number ^ exponent` modulo the prime.
    fn power(&self, number: &Bignum, scratch: &mut Scratch) -> Result<Bignum, OperationError> {
        let base = self.modulus.reduce_long(number, DIGITS, scratch)?;
        self.modulus.power(&base, &self.exponent, scratch)
    }
}

impl Blinding {
    fn random(n: &Modulus, e: &Bignum, scratch: &mut Scratch) -> Result<Self, OperationError> {
        let r = n.random()?;
        let power = n.power_public(&r, e, scratch)?;
        let decoded = n.decode(&r, scratch)?;
        Ok(Self {
            factor: n.encode(&power, scratch)?,
            // (r / R)^-1 is the Montgomery form of r^-1.
            inverse: n.invert(&decoded, scratch)?,
            uses: 1,
        })
    }

    fn squared(&self, n: &Modulus, scratch: &mut Scratch) -> Result<Self, OperationError> {
        Ok(Self {
            factor: n.multiply(&self.factor, &self.factor, scratch)?,
            inverse: n.multiply(&self.inverse, &self.inverse, scratch)?,
            uses: self.uses + 1,
        })
    }
}

/// Whether the parts are those of RFC 8017 section 3.2, with primes of the same length but for a bit.
fn is_consistent(parts: ThreePrimeParts<'_>) -> Result<bool, OperationError> {
    let mut numbers = Vec::new();
    for part in parts {
        numbers.push(Bignum::new(part)?);
    }
    let [n, e, d, p, q, d_p, d_q, q_inverse, r, d_r, pq_inverse] = &numbers[..] else {
        return Ok(false);
    };
    let scratch = &mut Scratch::new()?;
    let lengths = [p, q, r].map(Bignum::bits);
    let (shortest, longest) = (lengths.into_iter().min(), lengths.into_iter().max());
    if [p, q, r].into_iter().any(Bignum::is_trivial) || longest > shortest.map(|bits| bits + 1) {
        return Ok(false);
    }
    let one = Bignum::new(&[1])?;
    for (prime, exponent) in [(p, d_p), (q, d_q), (r, d_r)] {
        let order = prime.minus(&one)?;
        let is_reduced_d = d.divided(&order, scratch)?.1.equals(exponent);
        if !is_reduced_d || !is_inverse(exponent, e, &order, scratch)? {
            return Ok(false);
        }
    }
    let pq = p.times(q, scratch)?;
    // A prime that occurs twice has no such inverse.
    Ok(pq.times(r, scratch)?.equals(n)
        && is_inverse(q_inverse, q, p, scratch)?
        && is_inverse(pq_inverse, &pq, r, scratch)?)
}

/// Whether `number` is the inverse of `other` modulo `modulus`, and reduced.
fn is_inverse(
    number: &Bignum,
    other: &Bignum,
    modulus: &Bignum,
    scratch: &mut Scratch,
) -> Result<bool, OperationError> {
    let (_, product) = number.times(other, scratch)?.divided(modulus, scratch)?;
    Ok(number.is_below(modulus) && product.equals(&Bignum::new(&[1])?))
}

#[cfg(test)]
mod tests;

//! Private keys of two, three and six primes.

use num_bigint_dig::{BigUint, ModInverse};
use opencoin_lanes::{Instructions, PrimePart, PrivateOperation};

use crate::padded;

pub(crate) const E: u64 = 65537;

/// Their sizes are those of real keys, the smallest one, and the longest, also with so many primes that a number has
/// six parts of the length of a prime.
const PRIMES: &str = include_str!("primes.txt");

pub(crate) struct Key {
    pub(crate) n: BigUint,
    pub(crate) primes: Vec<BigUint>,
    pub(crate) d: BigUint,
}

/// The bytes of a [`PrimePart`].
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) prime: Vec<u8>,
    pub(crate) exponent: Vec<u8>,
    pub(crate) coefficient: Vec<u8>,
}

/// All keys of the file.
pub(crate) fn all() -> Vec<Key> {
    let keys = PRIMES.split("\n\n").skip(1);
    keys.map(|primes| {
        let primes = primes.lines();
        Key::new(
            primes
                .map(|hex| BigUint::parse_bytes(hex.as_bytes(), 16).unwrap())
                .collect(),
        )
    })
    .collect()
}

/// The key with so many bits and primes.
pub(crate) fn key(bits: usize, primes: usize) -> Key {
    let key = all()
        .into_iter()
        .find(|key| key.n.bits() == bits && key.primes.len() == primes);
    key.unwrap()
}

impl Key {
    fn new(primes: Vec<BigUint>) -> Self {
        let one = BigUint::from(1_u8);
        let n: BigUint = primes.iter().product();
        let order: BigUint = primes.iter().map(|p| p - &one).product();
        let d = BigUint::from(E).mod_inverse(&order).unwrap();
        Self {
            n,
            primes,
            d: d.to_biguint().unwrap(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.n.bits().div_ceil(8)
    }

    pub(crate) fn padded(&self, x: &BigUint) -> Vec<u8> {
        padded(x, self.bytes())
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut before = BigUint::from(1_u8);
        let mut part = |p: &BigUint| {
            let coefficient = (&before % p).mod_inverse(p).unwrap().to_biguint().unwrap();
            before *= p;
            Part {
                prime: p.to_bytes_be(),
                exponent: (&self.d % (p - 1_u8)).to_bytes_be(),
                coefficient: coefficient.to_bytes_be(),
            }
        };
        self.primes.iter().map(&mut part).collect()
    }

    pub(crate) fn private(&self, instructions: Instructions) -> PrivateOperation {
        self.private_of(instructions, E, &self.parts()).unwrap()
    }

    /// A key with parts that may be wrong.
    pub(crate) fn private_of(
        &self,
        instructions: Instructions,
        exponent: u64,
        parts: &[Part],
    ) -> Option<PrivateOperation> {
        let parts: Vec<PrimePart<'_>> = parts
            .iter()
            .map(|part| PrimePart {
                prime: &part.prime,
                exponent: &part.exponent,
                coefficient: &part.coefficient,
            })
            .collect();
        PrivateOperation::new(instructions, &self.n.to_bytes_be(), exponent, &parts)
    }

    /// Whether `signature` is `input ^ d mod n`: raising to e is a permutation of the numbers below n.
    pub(crate) fn is_signed(&self, input: &BigUint, signature: &[u8]) -> bool {
        let signature = BigUint::from_bytes_be(signature);
        signature < self.n && signature.modpow(&E.into(), &self.n) == *input
    }
}

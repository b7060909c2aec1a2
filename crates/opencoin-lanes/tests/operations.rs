//! Both operations against a slow library of big numbers, with the portable model and, where the CPU has it, with
//! AVX-512.
use num_bigint_dig::{BigUint, ModInverse, RandBigInt, RandPrime};
use opencoin_lanes::{Instructions, LANES, PrimePart, PrivateOperation, PublicOperation};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// A key of primes, for both operations.
struct Key {
    n: BigUint,
    primes: Vec<BigUint>,
    d: BigUint,
}

const E: u64 = 65537;

impl Key {
    fn generate(rng: &mut ChaCha20Rng, bits: &[usize]) -> Self {
        loop {
            let primes: Vec<BigUint> = bits.iter().map(|bits| rng.gen_prime(*bits)).collect();
            let n = primes.iter().fold(BigUint::from(1_u8), |n, p| n * p);
            let phi = primes.iter().fold(BigUint::from(1_u8), |n, p| n * (p - 1_u8));
            if n.bits() != bits.iter().sum::<usize>() {
                continue;
            }
            if let Some(d) = BigUint::from(E).mod_inverse(&phi) {
                let d = d.to_biguint().expect("positive");
                return Self { n, primes, d };
            }
        }
    }

    fn bytes(&self) -> usize {
        self.n.bits().div_ceil(8)
    }

    fn padded(&self, x: &BigUint) -> Vec<u8> {
        let bytes = x.to_bytes_be();
        [vec![0; self.bytes() - bytes.len()], bytes].concat()
    }

    fn private(&self, instructions: Instructions) -> PrivateOperation {
        let mut before = BigUint::from(1_u8);
        let parts: Vec<[Vec<u8>; 3]> = self
            .primes
            .iter()
            .map(|p| {
                let coefficient = (&before % p)
                    .mod_inverse(p)
                    .expect("coprime")
                    .to_biguint()
                    .expect("positive");
                before *= p;
                [
                    p.to_bytes_be(),
                    (&self.d % (p - 1_u8)).to_bytes_be(),
                    coefficient.to_bytes_be(),
                ]
            })
            .collect();
        let parts: Vec<PrimePart<'_>> = parts
            .iter()
            .map(|[prime, exponent, coefficient]| PrimePart {
                prime,
                exponent,
                coefficient,
            })
            .collect();
        PrivateOperation::new(instructions, &self.n.to_bytes_be(), E, &parts).expect("a supported size")
    }
}

#[test]
fn smoke() {
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    for bits in [&[512, 512][..], &[683, 683, 682], &[1024, 1024]] {
        let key = Key::generate(rng, bits);
        let inputs: Vec<BigUint> = (0..LANES).map(|_| rng.gen_biguint_below(&key.n)).collect();
        let bytes: Vec<Vec<u8>> = inputs.iter().map(|x| key.padded(x)).collect();
        let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        for instructions in [Some(Instructions::PORTABLE), Instructions::detect()]
            .into_iter()
            .flatten()
        {
            let public = PublicOperation::new(instructions, &key.n.to_bytes_be(), E).unwrap();
            let raised = public.raise(&slices);
            for (x, y) in inputs.iter().zip(&raised) {
                assert_eq!(y.as_ref(), Some(&key.padded(&x.modpow(&E.into(), &key.n))));
            }
            let private = key.private(instructions);
            for _ in 0..3 {
                let signed = private.raise(&slices, rng);
                for (x, y) in inputs.iter().zip(&signed) {
                    assert_eq!(
                        y.as_ref(),
                        Some(&key.padded(&x.modpow(&key.d, &key.n))),
                        "{bits:?} {instructions:?}"
                    );
                }
            }
        }
    }
}

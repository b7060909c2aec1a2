//! Measures whether times depend on secrets, in the way of dudect (Reparaz, Balasch, Verbauwhede, "Dude, is my code
//! constant time?", 2017).
//!
//! Each test has two classes of secrets: one that is special, and random ones. The class is drawn for each measurement,
//! so that what else happens on the machine hits both alike. Welch's t-test compares their times. |t| below 4.5 is no
//! evidence of a difference, and above 10 there is one. Two controls are calculations that do depend on the secret: if
//! the test does not find them, its other results say nothing.
//!
//! `cargo xtask timing` builds it optimised and runs it. Exit code 1: a leak was found, or a control was not.

#![expect(clippy::print_stdout, reason = "a command line program")]

mod statistics;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use num_bigint_dig::{BigUint, ModInverse, RandBigInt, RandPrime};
use opencoin_lanes::internals::{Calculation, Operand};
use opencoin_lanes::{Instructions, LANES, PrimePart, PrivateOperation};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::statistics::{Samples, Verdict};

/// Measure whether the times of opencoin-lanes depend on secrets.
#[derive(Debug, Parser)]
#[command(name = "timing")]
struct Arguments {
    /// Measurements of each kernel; of an exponentiation an eighth as many, and of a private operation a sixteenth.
    #[arg(long, default_value_t = 200_000)]
    measurements: usize,
    /// Determines the secrets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Measure the portable model, even if the CPU has AVX-512.
    #[arg(long)]
    portable: bool,
}

/// The number of bits of the prime, and of the entries of a table of powers.
const PRIME_BITS: usize = 1024;
const ENTRIES: usize = 16;

/// Kernels are so short that the clock would hide them, so several calls are one measurement.
const CALLS: usize = 8;

const E: u32 = 65537;

/// The class with the special secret. The other one is 1.
const SPECIAL: usize = 0;

/// What a row must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// A difference would be a leak.
    NoDifference,
    /// The calculation is a control, so there must be one.
    Difference,
    /// Only shown: the secret cannot occur in an operation.
    Either,
}

struct Test {
    measurements: usize,
    rng: ChaCha20Rng,
    failures: u32,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let detected = Instructions::detect().filter(|_| !arguments.portable);
    let instructions = detected.unwrap_or(Instructions::PORTABLE);
    println!(
        "{instructions:?}, seed {}, modulus of {PRIME_BITS} bits",
        arguments.seed
    );
    println!(
        "{:<52} {:>12} {:>12} {:>12} {:>14} {:>8}",
        "special secret (against random ones)",
        "measurements",
        "median, ns",
        "random, ns",
        "difference, ns",
        "t"
    );
    let mut test = Test {
        measurements: arguments.measurements,
        rng: ChaCha20Rng::seed_from_u64(arguments.seed),
        failures: 0,
    };
    let modulus = test.rng.gen_prime(PRIME_BITS).to_bytes_be();
    let mut calculation = Calculation::new(instructions, &modulus).expect("a supported length");
    test.kernels(&mut calculation);
    test.controls(&calculation);
    test.exponents(&mut calculation);
    for primes in [&[1024, 1024][..], &[683, 683, 682]] {
        test.private_operation(instructions, primes);
    }
    if test.failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Test {
    /// Measures `run` with secrets of `draw`, which gets the class.
    fn measure<S>(
        &mut self,
        measurements: usize,
        mut draw: impl FnMut(&mut ChaCha20Rng, usize) -> S,
        mut run: impl FnMut(&S),
    ) -> Samples {
        let mut samples = Samples::default();
        for index in 0..measurements + measurements / 10 {
            let class = self.rng.gen_range(0..2);
            let secret = draw(&mut self.rng, class);
            let begun = Instant::now();
            run(black_box(&secret));
            let time = begun.elapsed();
            // The first ones warm the machine up.
            if index >= measurements / 10 {
                samples.push(class, time.as_nanos() as f64);
            }
        }
        samples
    }

    fn report(&mut self, name: &str, samples: &Samples, expected: Expected) {
        let t = samples.t();
        let verdict = Verdict::of(t);
        // What is suspicious may be chance: it is shown, but only a leak is a failure.
        let is_leak = verdict == Verdict::Leak;
        let (failed, remark) = match (expected, is_leak) {
            (Expected::NoDifference, true) => (true, ", FAILED"),
            (Expected::Difference, false) => (true, ", THE CONTROL FAILED"),
            (Expected::Difference, true) => (false, ", as it must (control)"),
            (Expected::Either, true) => (false, ", but cannot occur"),
            (Expected::NoDifference | Expected::Either, false) => (false, ""),
        };
        self.failures += u32::from(failed);
        println!(
            "{name:<52} {:>12} {:>12.0} {:>12.0} {:>14.1} {:>8.1}  {}{remark}",
            samples.len(),
            samples.median(SPECIAL),
            samples.median(1 - SPECIAL),
            samples.difference(),
            t,
            match verdict {
                Verdict::NoEvidence => "no evidence",
                Verdict::Suspicious => "suspicious: repeat it",
                Verdict::Leak => "differs",
            },
        );
    }

    fn kernels(&mut self, calculation: &mut Calculation) {
        let rng = &mut self.rng;
        let table = calculation.table(ENTRIES, || rng.next_u64());
        let mut found = calculation.table(1, || 0);
        let samples = self.measure(self.measurements, draw_index, |index| {
            for _ in 0..CALLS {
                calculation.look_up(&mut found, black_box(&table), *index);
            }
        });
        self.report("look-up: the first entry", &samples, Expected::NoDifference);

        // Some CPUs are faster, by a thousandth or less, if nearly all words of a number are the same. A blinded number,
        // and everything that is calculated from it, is such a number with a probability of less than 2^-500.
        let specials: [(&str, [u64; 2]); 3] = [
            ("zero", [0, 0]),
            ("one", [1, 0]),
            ("all ones", [u64::MAX, u64::MAX]),
        ];
        for (name, [lowest, others]) in specials {
            let y = calculation.number(|| self.rng.next_u64());
            let draw = |calculation: &Calculation, rng: &mut ChaCha20Rng, class| {
                let mut words = 0;
                calculation.table(1, || {
                    words += 1;
                    word(rng, class, if words <= LANES { lowest } else { others })
                })
            };
            let mut x = y.clone();
            let samples = self.measure_with(calculation, draw, |calculation, secret| {
                for _ in 0..CALLS {
                    x.copy_from(secret);
                    calculation.multiply(&mut x, black_box(&y));
                }
            });
            self.report(&format!("multiplication: {name}"), &samples, Expected::Either);
            let samples = self.measure_with(calculation, draw, |calculation, secret| {
                for _ in 0..CALLS {
                    x.copy_from(secret);
                    calculation.square(&mut x);
                }
            });
            self.report(&format!("squaring: {name}"), &samples, Expected::Either);
        }

        let number = calculation.number(|| self.rng.next_u64());
        let mut x = number.clone();
        let classes = [calculation.plus_modulus(&number), number];
        let draw = |_: &Calculation, _: &mut ChaCha20Rng, class: usize| classes[class].clone();
        let samples = self.measure_with(calculation, draw, |calculation, secret| {
            for _ in 0..CALLS {
                x.copy_from(secret);
                calculation.reduce_once(&mut x);
            }
        });
        self.report(
            "conditional subtraction: taken (against not)",
            &samples,
            Expected::NoDifference,
        );
    }

    /// [`Self::measure`] for code that needs the calculation to draw as well as to run.
    fn measure_with<S>(
        &mut self,
        calculation: &mut Calculation,
        mut draw: impl FnMut(&Calculation, &mut ChaCha20Rng, usize) -> S,
        mut run: impl FnMut(&mut Calculation, &S),
    ) -> Samples {
        let calculation = std::cell::RefCell::new(calculation);
        self.measure(
            self.measurements,
            |rng, class| draw(&calculation.borrow(), rng, class),
            |secret| run(&mut calculation.borrow_mut(), secret),
        )
    }

    /// Calculations as they must not be.
    fn controls(&mut self, calculation: &Calculation) {
        let rng = &mut self.rng;
        let table = calculation.table(ENTRIES, || rng.next_u64());
        let entries: Vec<[u64; LANES]> = table.limbs().collect();
        let limbs = entries.len() / ENTRIES;
        let mut found = vec![[0; LANES]; limbs];
        let samples = self.measure(self.measurements, draw_index, |index| {
            for _ in 0..CALLS {
                leaky_look_up(black_box(&mut found), &entries, *index);
            }
        });
        self.report(
            "control: a look-up that ends early, first entry",
            &samples,
            Expected::Difference,
        );

        let number: Vec<u64> = (0..limbs).map(|_| self.rng.next_u64() >> 12).collect();
        let mut x = number.clone();
        let samples = self.measure(
            self.measurements,
            |_, class| class == SPECIAL,
            |is_greater| {
                for _ in 0..CALLS {
                    x.copy_from_slice(&number);
                    x[limbs - 1] += u64::from(*is_greater);
                    leaky_subtraction(black_box(&mut x), &number);
                }
            },
        );
        self.report(
            "control: a subtraction with a branch, taken",
            &samples,
            Expected::Difference,
        );
    }

    fn exponents(&mut self, calculation: &mut Calculation) {
        let base = calculation.number(|| self.rng.next_u64());
        let measurements = std::mem::replace(&mut self.measurements, 0);
        self.measurements = measurements / 8;
        for (name, special) in [("zero", 0), ("all ones", u64::MAX)] {
            let draw = |calculation: &Calculation, rng: &mut ChaCha20Rng, class| {
                calculation.exponent(|| word(rng, class, special))
            };
            let samples = self.measure_with(calculation, draw, |calculation, exponent| {
                black_box(calculation.raise(&base, exponent));
            });
            self.report(
                &format!("exponentiation: exponent {name}"),
                &samples,
                Expected::NoDifference,
            );
        }
        let exponent = calculation.exponent(|| self.rng.next_u64());
        let draw = |calculation: &Calculation, rng: &mut ChaCha20Rng, class| -> Operand {
            calculation.table(1, || word(rng, class, 0))
        };
        let samples = self.measure_with(calculation, draw, |calculation, base| {
            black_box(calculation.raise(base, &exponent));
        });
        self.report("exponentiation: base zero", &samples, Expected::Either);
        self.measurements = measurements;
    }

    fn private_operation(&mut self, instructions: Instructions, bits: &[usize]) {
        let (operation, n) = private_operation(&mut self.rng, instructions, bits);
        let mut rng_of_blinding = ChaCha20Rng::seed_from_u64(self.rng.next_u64());
        for count in [LANES, 1] {
            self.group_of(count, &operation, &n, &mut rng_of_blinding, bits.len());
        }
    }

    fn group_of(
        &mut self,
        count: usize,
        operation: &PrivateOperation,
        n: &BigUint,
        rng_of_blinding: &mut ChaCha20Rng,
        primes: usize,
    ) {
        let bytes = operation.public().modulus_bytes();
        let group = |rng: &mut ChaCha20Rng| -> Vec<Vec<u8>> {
            let number = || {
                let number = rng.gen_biguint_below(n).to_bytes_be();
                [vec![0; bytes - number.len()], number].concat()
            };
            std::iter::repeat_with(number).take(count).collect()
        };
        let fixed = group(&mut self.rng);
        let samples = self.measure(
            self.measurements / 16,
            |rng, class| {
                let mut inputs = group(rng);
                if class == SPECIAL {
                    inputs.clone_from(&fixed);
                }
                inputs
            },
            |group| {
                let group: Vec<&[u8]> = group.iter().map(Vec::as_slice).collect();
                black_box(operation.raise(&group, rng_of_blinding));
            },
        );
        let name = format!("private operation, {primes} primes, {count} at once: fixed inputs");
        self.report(&name, &samples, Expected::NoDifference);
    }
}

/// A word of a secret. Random ones are drawn for both classes, and the choice is no branch, so that drawing a secret
/// leaves the same traces in caches and branch predictors for both.
fn word(rng: &mut ChaCha20Rng, class: usize, special: u64) -> u64 {
    let is_random = black_box((class as u64).wrapping_neg());
    (rng.next_u64() & is_random) | (special & !is_random)
}

fn draw_index(rng: &mut ChaCha20Rng, class: usize) -> usize {
    word(rng, class, 0) as usize % ENTRIES
}

/// Searches for the entry, and ends there.
#[inline(never)]
fn leaky_look_up(found: &mut [[u64; LANES]], table: &[[u64; LANES]], index: usize) {
    for (place, entry) in table.chunks_exact(found.len()).enumerate() {
        found.copy_from_slice(entry);
        if black_box(place == index) {
            return;
        }
    }
}

/// Subtracts only from a number that is greater.
#[inline(never)]
fn leaky_subtraction(x: &mut [u64], y: &[u64]) {
    if x.iter().rev().le(y.iter().rev()) {
        return;
    }
    let mut borrow = 0;
    for (x, y) in x.iter_mut().zip(y) {
        let difference = x.wrapping_sub(*y).wrapping_sub(borrow);
        borrow = difference >> 63;
        *x = difference & ((1 << 52) - 1);
    }
}

/// A new key of primes of these lengths, and its modulus.
fn private_operation(
    rng: &mut ChaCha20Rng,
    instructions: Instructions,
    bits: &[usize],
) -> (PrivateOperation, BigUint) {
    let (d, primes) = loop {
        let primes: Vec<BigUint> = bits.iter().map(|bits| rng.gen_prime(*bits)).collect();
        let order: BigUint = primes.iter().map(|p| p - 1_u8).product();
        if let Some(d) = BigUint::from(E).mod_inverse(&order) {
            break (d.to_biguint().expect("reduced"), primes);
        }
    };
    let mut before = BigUint::from(1_u8);
    let mut part = |p: &BigUint| {
        let coefficient = (&before % p).mod_inverse(p).expect("primes differ");
        before *= p;
        let coefficient = coefficient.to_biguint().expect("reduced");
        [p, &(&d % (p - 1_u8)), &coefficient].map(BigUint::to_bytes_be)
    };
    let parts: Vec<[Vec<u8>; 3]> = primes.iter().map(&mut part).collect();
    let parts: Vec<PrimePart<'_>> = parts
        .iter()
        .map(|[prime, exponent, coefficient]| PrimePart {
            prime,
            exponent,
            coefficient,
        })
        .collect();
    let operation = PrivateOperation::new(instructions, &before.to_bytes_be(), E.into(), &parts);
    (operation.expect("a supported length"), before)
}

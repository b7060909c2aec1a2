//! Each kernel in each shape: the model against big numbers, and AVX-512 against the model, limb by limb.

use num_bigint_dig::{BigUint, ModInverse};
use rand::{Rng, RngCore};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::LANES;
use crate::vector::LIMB_BITS;

/// Every block, with every number of blocks that fits.
const SHAPES: [(Block, usize); 8] = [
    (Block::Limbs14, 1),
    (Block::Limbs14, 2),
    (Block::Limbs15, 1),
    (Block::Limbs15, 2),
    (Block::Limbs20, 1),
    (Block::Limbs20, 2),
    (Block::Limbs20, 3),
    (Block::Limbs20, 4),
];

const ROUNDS: usize = if cfg!(miri) { 1 } else { 20 };

/// How the limbs of a number are drawn.
#[derive(Clone, Copy, Debug)]
enum Limbs {
    Zeros,
    Ones,
    Random,
    /// Each limb is zero, all ones or random.
    Mixed,
}

const KINDS: [Limbs; 4] = [Limbs::Zeros, Limbs::Ones, Limbs::Random, Limbs::Mixed];

fn draw(rng: &mut ChaCha20Rng, kind: Limbs) -> u64 {
    let random = rng.next_u64() & LIMB_MAX;
    match kind {
        Limbs::Zeros => 0,
        Limbs::Ones => LIMB_MAX,
        Limbs::Random => random,
        Limbs::Mixed => [0, LIMB_MAX, random][rng.gen_range(0..3)],
    }
}

fn number(rng: &mut ChaCha20Rng, limbs: usize, kind: Limbs) -> Vec<Limb> {
    (0..limbs)
        .map(|_| Limb(std::array::from_fn(|_| draw(rng, kind))))
        .collect()
}

/// A number below 2^`bits`.
fn number_of_bits(rng: &mut ChaCha20Rng, limbs: usize, bits: usize, kind: Limbs) -> Vec<Limb> {
    let mut number = number(rng, limbs, kind);
    for (index, limb) in number.iter_mut().enumerate() {
        let kept = bits.saturating_sub(index * LIMB_BITS).min(LIMB_BITS);
        limb.0 = limb.0.map(|word| word & ((1 << kept) - 1));
    }
    number
}

/// An odd modulus for each lane, with all bits that the headroom leaves.
struct Modulus {
    limbs: Vec<Limb>,
    negative_inverse: Limb,
}

impl Modulus {
    fn draw(rng: &mut ChaCha20Rng, limbs: usize, kind: Limbs) -> Self {
        let bits = limbs * LIMB_BITS - HEADROOM_BITS;
        let mut modulus = number_of_bits(rng, limbs, bits, kind);
        modulus[0].0 = modulus[0].0.map(|word| word | 1);
        let highest = &mut modulus[(bits - 1) / LIMB_BITS].0;
        *highest = highest.map(|word| word | 1 << ((bits - 1) % LIMB_BITS));
        Self {
            negative_inverse: Limb(modulus[0].0.map(negative_inverse)),
            limbs: modulus,
        }
    }

    fn kernel(&self, instructions: Instructions, block: Block) -> KernelModulus<'_> {
        KernelModulus {
            instructions,
            block,
            limbs: &self.limbs,
            negative_inverse: &self.negative_inverse,
        }
    }
}

fn negative_inverse(limb: u64) -> u64 {
    let r = BigUint::from(1_u8) << LIMB_BITS;
    let inverse = BigUint::from(limb).mod_inverse(&r).expect("odd");
    let inverse = inverse.to_biguint().expect("reduced").to_bytes_le();
    let mut word = [0; 8];
    word[..inverse.len()].copy_from_slice(&inverse);
    u64::from_le_bytes(word).wrapping_neg() & LIMB_MAX
}

fn value_of_lane(number: &[Limb], lane: usize) -> BigUint {
    let words = number.iter().rev().map(|limb| limb.0[lane]);
    words.fold(BigUint::default(), |value, word| (value << LIMB_BITS) + word)
}

fn scratch() -> Box<[Limb; SCRATCH_LIMBS]> {
    // What a kernel finds here must not matter.
    Box::new([Limb([0x5555_5555_5555_5555; LANES]); SCRATCH_LIMBS])
}

fn each_shape(mut test: impl FnMut(&mut ChaCha20Rng, Block, usize)) {
    let rng = &mut ChaCha20Rng::seed_from_u64(2);
    for (block, count) in SHAPES {
        test(rng, block, block.limbs() * count);
    }
}

fn avx512() -> Option<Instructions> {
    let instructions = Instructions::detect();
    if instructions.is_none() {
        println!("SKIPPED: this CPU has no AVX-512 IFMA");
    }
    instructions
}

fn multiplied(kernel: KernelModulus<'_>, x: &[Limb], y: &[Limb]) -> Vec<Limb> {
    let mut product = x.to_vec();
    kernel.multiply(&mut product, y, &mut scratch());
    product
}

fn squared(kernel: KernelModulus<'_>, x: &[Limb]) -> Vec<Limb> {
    let mut square = x.to_vec();
    kernel.square(&mut square, &mut scratch());
    square
}

/// `product` is x * y / R modulo m, below 2 * m, in limbs of 52 bits.
fn check_product(product: &[Limb], x: &[Limb], y: &[Limb], modulus: &Modulus) {
    assert!(
        product
            .iter()
            .all(|limb| limb.0.iter().all(|word| *word <= LIMB_MAX))
    );
    let r = BigUint::from(1_u8) << (LIMB_BITS * modulus.limbs.len());
    for lane in 0..LANES {
        let m = value_of_lane(&modulus.limbs, lane);
        let product = value_of_lane(product, lane);
        assert!(product < &m * 2_u8);
        let expected = value_of_lane(x, lane) * value_of_lane(y, lane);
        assert_eq!(product * &r % &m, expected % &m);
    }
}

#[test]
fn products_are_right_and_below_twice_the_modulus() {
    each_shape(|rng, block, limbs| {
        // Factors below 8 * m: m has eight bits less than R, of which it sets the highest.
        let bits = limbs * LIMB_BITS - HEADROOM_BITS + 2;
        for kind in KINDS {
            let modulus = Modulus::draw(rng, limbs, kind);
            let kernel = modulus.kernel(Instructions::PORTABLE, block);
            for (of_x, of_y) in KINDS.into_iter().flat_map(|x| KINDS.map(|y| (x, y))) {
                let x = number_of_bits(rng, limbs, bits, of_x);
                let y = number_of_bits(rng, limbs, bits, of_y);
                check_product(&multiplied(kernel, &x, &y), &x, &y, &modulus);
                check_product(&squared(kernel, &x), &x, &x, &modulus);
            }
        }
    });
}

#[test]
fn one_factor_may_be_any_number_of_as_many_limbs() {
    each_shape(|rng, block, limbs| {
        let modulus = Modulus::draw(rng, limbs, Limbs::Ones);
        let kernel = modulus.kernel(Instructions::PORTABLE, block);
        let mut less_one = modulus.limbs.clone();
        less_one[0].0 = less_one[0].0.map(|word| word - 1);
        for kind in KINDS {
            let x = number(rng, limbs, kind);
            check_product(&multiplied(kernel, &x, &less_one), &x, &less_one, &modulus);
            check_product(&multiplied(kernel, &less_one, &x), &x, &less_one, &modulus);
        }
    });
}

#[test]
fn avx512_multiplies_and_squares_like_the_model() {
    let Some(instructions) = avx512() else { return };
    each_shape(|rng, block, limbs| {
        for of_modulus in KINDS {
            let modulus = Modulus::draw(rng, limbs, of_modulus);
            let model = modulus.kernel(Instructions::PORTABLE, block);
            let tested = modulus.kernel(instructions, block);
            for (of_x, of_y) in KINDS.into_iter().flat_map(|x| KINDS.map(|y| (x, y))) {
                for _ in 0..ROUNDS {
                    let (x, y) = (number(rng, limbs, of_x), number(rng, limbs, of_y));
                    assert_eq!(
                        multiplied(tested, &x, &y),
                        multiplied(model, &x, &y),
                        "{block:?} {limbs} {of_x:?} {of_y:?}"
                    );
                    assert_eq!(
                        squared(tested, &x),
                        squared(model, &x),
                        "{block:?} {limbs} {of_x:?}"
                    );
                }
            }
        }
    });
}

#[test]
fn multiples_are_added_without_reduction() {
    each_shape(|rng, block, limbs| {
        let modulus = Modulus::draw(rng, limbs, Limbs::Random);
        let model = modulus.kernel(Instructions::PORTABLE, block);
        let tested = avx512().map(|instructions| modulus.kernel(instructions, block));
        for count in 1..=LIMBS_MAX / limbs {
            for (of_x, of_y) in KINDS.into_iter().flat_map(|x| KINDS.map(|y| (x, y))) {
                let x = number(rng, limbs, of_x);
                let y = number(rng, limbs * count, of_y);
                // A summand as long as the second factor, as in the recombination.
                let mut sum = number(rng, limbs * count, Limbs::Mixed);
                sum.resize(limbs * (count + 1), Limb::default());
                let before = sum.clone();
                model.add_multiple(&mut sum, &x, &y);
                for lane in 0..LANES {
                    let product = value_of_lane(&x, lane) * value_of_lane(&y, lane);
                    assert_eq!(value_of_lane(&sum, lane), value_of_lane(&before, lane) + product);
                }
                if let Some(tested) = tested {
                    let mut same = before;
                    tested.add_multiple(&mut same, &x, &y);
                    assert_eq!(same, sum, "{block:?} {limbs} {count}");
                }
            }
        }
    });
}

#[test]
fn look_up_copies_the_entry_of_each_lane() {
    let all = [Some(Instructions::PORTABLE), avx512()];
    each_shape(|rng, block, limbs| {
        let modulus = Modulus::draw(rng, limbs, Limbs::Random);
        for entries in [1, 2, 16, 32] {
            let table = number(rng, limbs * entries, Limbs::Random);
            for instructions in all.into_iter().flatten() {
                let kernel = modulus.kernel(instructions, block);
                for first in 0..entries {
                    let index = |lane: usize| (first + 3 * lane) % entries;
                    let indices = Limb(std::array::from_fn(|lane| index(lane) as u64));
                    let mut found = number(rng, limbs, Limbs::Ones);
                    kernel.look_up(&mut found, &table, &indices);
                    for lane in 0..LANES {
                        let expected = value_of_lane(&table[index(lane) * limbs..][..limbs], lane);
                        assert_eq!(value_of_lane(&found, lane), expected, "{block:?} {limbs} {first}");
                    }
                }
            }
        }
    });
}

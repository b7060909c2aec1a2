//! Each instruction against arithmetic with 128 bits.

#![expect(unsafe_code, reason = "instructions that not every CPU has")]

use rand::RngCore;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;

const ROUNDS: usize = if cfg!(miri) { 20 } else { 2000 };

/// The results of all instructions for these operands.
#[derive(Debug, PartialEq, Eq)]
struct Results {
    zero: Limb,
    splat: Limb,
    loaded: Limb,
    plus: Limb,
    and: Limb,
    replaced: Limb,
    carry: Limb,
    add_low: Limb,
    add_high: Limb,
}

#[inline(always)]
fn calculate<V: Vector>(x: &Limb, a: &Limb, b: &Limb) -> Results {
    let stored = |vector: V| {
        let mut limb = Limb([7; LANES]);
        vector.store(&mut limb);
        limb
    };
    let (x, a, b) = (V::load(x), V::load(a), V::load(b));
    Results {
        zero: stored(V::zero()),
        splat: stored(V::splat(stored(x).0[0])),
        loaded: stored(x),
        plus: stored(x.plus(a)),
        and: stored(x.and(a)),
        replaced: stored(x.replace_where_equal(a, b, x.plus(b))),
        carry: stored(x.carry()),
        add_low: stored(x.add_low(a, b)),
        add_high: stored(x.add_high(a, b)),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512ifma")]
fn calculate_ifma(x: &Limb, a: &Limb, b: &Limb) -> Results {
    calculate::<Ifma>(x, a, b)
}

fn expected(x: &Limb, a: &Limb, b: &Limb) -> Results {
    let of_lanes = |of: &dyn Fn(u128, u128, u128) -> u128| {
        let lane = |lane: usize| {
            let result = of(
                u128::from(x.0[lane]),
                u128::from(a.0[lane]),
                u128::from(b.0[lane]),
            );
            (result % (1 << 64)) as u64
        };
        Limb(std::array::from_fn(lane))
    };
    let product = |a, b| (a % (1_u128 << 52)) * (b % (1_u128 << 52));
    Results {
        zero: Limb([0; LANES]),
        splat: Limb([x.0[0]; LANES]),
        loaded: *x,
        plus: of_lanes(&|x, a, _| x + a),
        and: of_lanes(&|x, a, _| x & a),
        replaced: of_lanes(&|x, a, b| if a == b { x + b } else { x }),
        carry: of_lanes(&|x, _, _| x / (1 << 52)),
        add_low: of_lanes(&|x, a, b| x + product(a, b) % (1 << 52)),
        add_high: of_lanes(&|x, a, b| x + product(a, b) / (1 << 52)),
    }
}

/// A random word, or one at an edge.
fn word(rng: &mut ChaCha20Rng) -> u64 {
    const EDGES: [u64; 8] = [
        0,
        1,
        LIMB_MAX - 1,
        LIMB_MAX,
        LIMB_MAX + 1,
        1 << 51,
        1 << 63,
        u64::MAX,
    ];
    let random = rng.next_u64();
    EDGES
        .get((rng.next_u32() % 16) as usize)
        .copied()
        .unwrap_or(random)
}

fn operands() -> Vec<[Limb; 3]> {
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let mut limb = || Limb(std::array::from_fn(|_| word(rng)));
    (0..ROUNDS).map(|_| [limb(), limb(), limb()]).collect()
}

#[test]
fn the_model_calculates_like_arithmetic_with_128_bits() {
    for [x, a, b] in operands() {
        assert_eq!(
            calculate::<Portable>(&x, &a, &b),
            expected(&x, &a, &b),
            "{x:?} {a:?} {b:?}"
        );
    }
}

#[test]
fn avx512_calculates_like_arithmetic_with_128_bits() {
    if crate::Instructions::detect().is_none() {
        println!("SKIPPED: this CPU has no AVX-512 IFMA");
        return;
    }
    #[cfg(target_arch = "x86_64")]
    for [x, a, b] in operands() {
        // SAFETY: the CPU has the instructions.
        let results = unsafe { calculate_ifma(&x, &a, &b) };
        assert_eq!(results, expected(&x, &a, &b), "{x:?} {a:?} {b:?}");
    }
}

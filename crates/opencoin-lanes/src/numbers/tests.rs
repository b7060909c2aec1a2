//! The arithmetic without kernels against big numbers.

use num_bigint_dig::BigUint;
use proptest::prelude::*;

use super::*;

fn value(limbs: &[u64]) -> BigUint {
    let limbs = limbs.iter().rev();
    limbs.fold(BigUint::default(), |value, limb| (value << LIMB_BITS) + *limb)
}

fn lane_value(numbers: &Numbers, lane: usize) -> BigUint {
    value(&numbers.iter().map(|limb| limb.0[lane]).collect::<Vec<_>>())
}

/// Limbs that are random, zero or all ones.
fn limbs(count: usize) -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![0..=LIMB_MAX, Just(0), Just(LIMB_MAX)], count)
}

fn of_lanes(lanes: &[Vec<u64>]) -> Numbers {
    let mut numbers = Numbers::zero(lanes[0].len());
    for (index, limb) in numbers.iter_mut().enumerate() {
        limb.0 = std::array::from_fn(|lane| lanes[lane][index]);
    }
    numbers
}

fn eight(limb_count: usize) -> impl Strategy<Value = Vec<Vec<u64>>> {
    prop::collection::vec(limbs(limb_count), LANES)
}

fn power_of_two(bits: usize) -> BigUint {
    BigUint::from(1_u8) << bits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_become_numbers_and_bytes_again(inputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 83), 1..=LANES)) {
        let slices: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let numbers = Numbers::from_be_bytes(&slices, 13);
        for lane in 0..LANES {
            // The first one fills the lanes that are left.
            let input = inputs.get(lane).unwrap_or(&inputs[0]);
            prop_assert_eq!(&numbers.to_be_bytes(lane, 83), input);
            prop_assert_eq!(lane_value(&numbers, lane), BigUint::from_bytes_be(input));
            prop_assert_eq!(&numbers.to_be_bytes(lane, 90)[7..], &input[..]);
        }
        prop_assert!(numbers.iter().all(|limb| limb.0.iter().all(|word| *word <= LIMB_MAX)));
    }

    #[test]
    fn a_number_is_subtracted_where_it_is_not_greater(lanes in eight(5), other in eight(5), equal in 0..LANES) {
        let mut lanes = lanes;
        lanes[equal].clone_from(&other[equal]);
        let mut numbers = of_lanes(&lanes);
        numbers.subtract_if_not_less(&of_lanes(&other));
        for (lane, (before, other)) in lanes.iter().zip(&other).enumerate() {
            let (before, other) = (value(before), value(other));
            let expected = if before < other { before } else { before - other };
            prop_assert_eq!(lane_value(&numbers, lane), expected);
        }
    }

    #[test]
    fn a_multiple_is_added_before_a_number_is_subtracted(
        lanes in eight(5),
        summand in eight(5),
        other in eight(5),
        times in 1_u64..=16,
    ) {
        // The result is below 2^260 and not negative, as in the recombination.
        let small = |lanes: Vec<Vec<u64>>| -> Vec<Vec<u64>> {
            lanes.into_iter().map(|mut limbs| { limbs[4] >>= 8; limbs }).collect()
        };
        let (lanes, other) = (small(lanes), small(other));
        let mut summand = small(summand);
        for limbs in &mut summand {
            limbs[4] |= 1 << 43;
        }
        let mut numbers = of_lanes(&lanes);
        numbers.add_multiple_and_subtract(times + 1, &of_lanes(&summand), &of_lanes(&other));
        for (lane, ((before, summand), other)) in lanes.iter().zip(&summand).zip(&other).enumerate() {
            let expected = value(before) + value(summand) * (times + 1) - value(other);
            prop_assert_eq!(lane_value(&numbers, lane), expected);
        }
    }

    #[test]
    fn sums_products_and_differences_agree_with_big_numbers(lanes in eight(5), other in eight(5), a in limbs(7), b in limbs(4)) {
        let mut sum = of_lanes(&lanes);
        sum.add(&of_lanes(&other));
        for (lane, (a, b)) in lanes.iter().zip(&other).enumerate() {
            prop_assert_eq!(lane_value(&sum, lane), (value(a) + value(b)) % power_of_two(5 * LIMB_BITS));
        }
        let product = shared_product(&a, &b);
        prop_assert_eq!(product.len(), 11);
        prop_assert!(product.iter().all(|limb| *limb <= LIMB_MAX));
        prop_assert_eq!(value(&product), value(&a) * value(&b));
        let (low, high) = if value(&lanes[0]) < value(&other[0]) { (&lanes[0], &other[0]) } else { (&other[0], &lanes[0]) };
        prop_assert_eq!(value(&shared_difference(high, low)), value(high) - value(low));
    }

    #[test]
    fn equality_is_told_for_each_lane(lanes in eight(3), changed in any::<[bool; LANES]>(), limb in 0..3_usize, bit in 0..LIMB_BITS) {
        let numbers = of_lanes(&lanes);
        let mut other = numbers.clone();
        for lane in 0..LANES {
            other[limb].0[lane] ^= u64::from(changed[lane]) << bit;
        }
        prop_assert_eq!(numbers.equal(&other), changed.map(|changed| !changed));
    }
}

#[test]
fn lanes_are_copied_from_other_lanes() {
    let numbered = |first: u64| {
        of_lanes(
            &(0..LANES as u64)
                .map(|lane| vec![first + lane, 100 * (first + lane)])
                .collect::<Vec<_>>(),
        )
    };
    let (low, high) = (numbered(0), numbered(10));
    let chosen = Numbers::side_by_side(&[&low, &high], |lane| lane / 5);
    assert_eq!(chosen[0].0, [0, 1, 2, 3, 4, 15, 16, 17]);
    assert_eq!(chosen[1].0, [0, 100, 200, 300, 400, 1500, 1600, 1700]);
    let mut moved = low;
    moved.copy_lanes(&high, |lane| (lane < 3).then(|| lane + 5));
    assert_eq!(moved[0].0, [15, 16, 17, 3, 4, 5, 6, 7]);
}

#[test]
fn the_length_in_bits_does_not_count_leading_zeros() {
    for (bytes, bits) in [
        (&[][..], 0),
        (&[0], 0),
        (&[1], 1),
        (&[0, 0x80], 8),
        (&[1, 0], 9),
        (&[0, 0, 0xff, 0xff], 16),
    ] {
        assert_eq!(bit_length(bytes), bits, "{bytes:?}");
    }
}

#[test]
fn a_splat_number_is_in_all_lanes_and_extended_by_zeros() {
    let numbers = Numbers::splat(&[5, 6], 3);
    assert_eq!(&*numbers, &[Limb([5; LANES]), Limb([6; LANES]), Limb([0; LANES])]);
}

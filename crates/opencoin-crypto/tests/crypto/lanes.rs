//! Coins that are verified together, eight at once where the CPU can, against one after the other in AWS-LC.

use opencoin_crypto::{CipherSuite, LanesState, PublicKey, lanes_faults, lanes_state};
use opencoin_schema::{BigInt, Coin};

use crate::support::{MASTER_KEY, MINT_KEY, OTHER_MINT_KEY, mint, payload};

/// Whether lanes are used. A test says so where they are not, and tests what is left.
fn has_lanes() -> bool {
    let state = lanes_state();
    if state == LanesState::NotOnThisCpu {
        println!("SKIPPED: this CPU has no AVX-512 IFMA");
    } else {
        assert_eq!(state, LanesState::Used);
    }
    state == LanesState::Used
}

#[test]
fn coins_verified_together_have_the_results_of_each_alone() {
    has_lanes();
    let keys = [&*MINT_KEY, &OTHER_MINT_KEY, &MASTER_KEY];
    for suite in CipherSuite::ALL {
        let coin = |number: u8| {
            let key = keys[usize::from(number) % 7 % 3];
            let mut coin = mint(suite, key, &payload(&[1, number]), number.into());
            match number % 9 {
                // Another payload than the signed one.
                4 => coin.payload.denomination += 1,
                // A number that is not below the modulus, and one that is too long.
                5 => coin.signature = key.public_key().document().modulus.clone(),
                6 => coin.signature = BigInt::from_be_bytes(&[0xff; 300]),
                // Trivial signatures.
                7 => coin.signature = BigInt::from_be_bytes(&[1]),
                _ => (),
            }
            // The eighth of nine is verified with a key that did not sign it.
            let key = if number % 9 == 8 {
                keys[(usize::from(number) % 7 + 1) % 3]
            } else {
                key
            };
            (key.public_key(), coin)
        };
        let coins: Vec<(&PublicKey, Coin)> = (0..60).map(coin).collect();
        let coins: Vec<(&PublicKey, &Coin)> = coins.iter().map(|(key, coin)| (*key, coin)).collect();
        let alone: Vec<_> = coins
            .iter()
            .map(|(key, coin)| suite.verify_coin(key, coin))
            .collect();
        let good = alone.iter().filter(|result| result.is_ok()).count();
        assert!((25..40).contains(&good), "{good} of {} are good", coins.len());
        for count in (0..20).chain([coins.len()]) {
            assert_eq!(
                suite.verify_coins(&coins[..count]),
                alone[..count],
                "{count} coins, {suite}"
            );
        }
    }
    assert_eq!(lanes_faults(), 0);
}

#[test]
fn a_group_is_as_large_as_it_pays_only_with_lanes() {
    let group_min = MINT_KEY.group_min();
    if has_lanes() {
        assert!((2..=8).contains(&group_min), "{group_min}");
    } else {
        assert_eq!(group_min, usize::MAX);
    }
}

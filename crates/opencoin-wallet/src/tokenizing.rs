//! Which coins to hold, so that every amount up to the balance can be paid without change (the
//! specification's "RequestRenew Message", "Tokenizing").
//!
//! The rule behind it: coins that pay every amount from 1 to `reach` still do so, up to `reach + c`, when a
//! coin `c` of at most `reach + 1` joins them. A set to which this never fails is called *complete*. Two
//! complete sets together are complete.

use std::collections::BTreeMap;

use thiserror::Error;

/// The largest amount for which an exact choice of coins is searched when taking the largest first does not
/// find one.
const SEARCH_AMOUNT_MAX: u64 = 1_000_000;

/// Coins by value: how many of each.
pub(crate) type Counts = BTreeMap<u64, u64>;

/// The amount cannot be made of the currency's denominations.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{amount} cannot be made of coins of {denominations:?}; the nearest that can is {nearest:?}")]
pub struct NotRepresentable {
    /// The amount.
    pub amount: u64,
    /// The currency's denominations.
    pub denominations: Vec<u64>,
    /// The largest amount below and the smallest above that can be made.
    pub nearest: Vec<u64>,
}

/// A complete set of coins worth `amount`, with few coins. Without a coin that divides all others no set is
/// complete; then the fewest coins.
pub(crate) fn complete_set(amount: u64, denominations: &[u64]) -> Result<Counts, NotRepresentable> {
    let mut ascending = denominations.to_vec();
    ascending.sort_unstable();
    ascending.dedup();
    let Some(&unit) = ascending.first() else {
        return Err(not_representable(amount, &ascending));
    };
    if !ascending.iter().all(|value| value.is_multiple_of(unit)) {
        return fewest_coins(amount, &ascending).ok_or_else(|| not_representable(amount, &ascending));
    }
    if !amount.is_multiple_of(unit) {
        return Err(not_representable(amount, &ascending));
    }
    let mut counts = Counts::new();
    let mut rest = amount;
    let mut reach = 0;
    for (index, &value) in ascending.iter().enumerate() {
        // The next denomination joins when everything below it can be paid.
        let wanted = ascending.get(index + 1).map_or(u64::MAX, |next| next - unit);
        let missing = wanted.saturating_sub(reach).div_ceil(value);
        let coins = missing.min(rest / value);
        add(&mut counts, value, coins);
        rest -= coins * value;
        reach += coins * value;
    }
    // What is left is less than some coin that was wanted, so every coin of it is within reach.
    for &value in ascending.iter().rev() {
        add(&mut counts, value, rest / value);
        rest %= value;
    }
    debug_assert_eq!(
        (rest, total(&counts)),
        (0, amount),
        "the unit divides every amount"
    );
    Ok(counts)
}

/// Whether every amount up to the total can be paid, in steps of the smallest denomination.
pub(crate) fn is_complete(counts: &Counts, denominations: &[u64]) -> bool {
    let unit = denominations.iter().copied().min().unwrap_or(1);
    let mut reach = 0;
    for (&value, &coins) in counts {
        if value > reach + unit {
            return false;
        }
        reach += value * coins;
    }
    true
}

/// Coins worth exactly `amount`; of those choices that are tried, one that leaves a complete set if there is
/// one.
pub(crate) fn select(have: &Counts, amount: u64, denominations: &[u64]) -> Option<Counts> {
    // Keeping a complete set of what is left and paying with the rest is the best there is.
    if let Some(left) = total(have).checked_sub(amount)
        && let Ok(keep) = complete_set(left, denominations)
        && let Some(pay) = subtract(have, &keep)
    {
        return Some(pay);
    }
    let choices = [largest_first(have, amount), search(have, amount)];
    let mut found = choices.into_iter().flatten();
    let first = found.next()?;
    let leaves_complete =
        |choice: &Counts| subtract(have, choice).is_some_and(|left| is_complete(&left, denominations));
    if leaves_complete(&first) {
        Some(first)
    } else {
        Some(found.find(leaves_complete).unwrap_or(first))
    }
}

/// What to give and what to get, so that `have` becomes a complete set of the same value with `extra` added
/// to it.
pub(crate) fn exchange(
    have: &Counts,
    extra: u64,
    denominations: &[u64],
) -> Result<(Counts, Counts), NotRepresentable> {
    let target = complete_set(total(have) + extra, denominations)?;
    Ok((excess(have, &target), excess(&target, have)))
}

/// The value of all coins.
pub(crate) fn total(counts: &Counts) -> u64 {
    counts.iter().map(|(value, coins)| value * coins).sum()
}

/// The number of coins.
pub(crate) fn number(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// Counts values.
pub(crate) fn count(values: impl IntoIterator<Item = u64>) -> Counts {
    values.into_iter().fold(Counts::new(), |mut counts, value| {
        add(&mut counts, value, 1);
        counts
    })
}

fn add(counts: &mut Counts, value: u64, coins: u64) {
    if coins > 0 {
        *counts.entry(value).or_default() += coins;
    }
}

/// `a` without `b`, when `a` holds all of it.
fn subtract(a: &Counts, b: &Counts) -> Option<Counts> {
    if excess(b, a).is_empty() {
        Some(excess(a, b))
    } else {
        None
    }
}

/// The coins of `a` that `b` does not have.
fn excess(a: &Counts, b: &Counts) -> Counts {
    let mut excess = Counts::new();
    for (&value, &coins) in a {
        add(
            &mut excess,
            value,
            coins.saturating_sub(b.get(&value).copied().unwrap_or(0)),
        );
    }
    excess
}

fn largest_first(have: &Counts, amount: u64) -> Option<Counts> {
    let mut rest = amount;
    let mut chosen = Counts::new();
    for (&value, &coins) in have.iter().rev() {
        let take = coins.min(rest / value);
        add(&mut chosen, value, take);
        rest -= take * value;
    }
    (rest == 0).then_some(chosen)
}

/// Finds a choice if there is one, by going through all sums.
fn search(have: &Counts, amount: u64) -> Option<Counts> {
    if amount > SEARCH_AMOUNT_MAX {
        return None;
    }
    // For each sum: the last coin of one way to make it, and how many of that coin the way has.
    let mut ways: Vec<Option<(u64, u64)>> = vec![None; amount as usize + 1];
    ways[0] = Some((0, 0));
    for (&value, &coins) in have {
        for sum in value..=amount {
            if ways[sum as usize].is_some() {
                continue;
            }
            let used = match ways[(sum - value) as usize] {
                Some((last, used)) if last == value => used,
                Some(_) => 0,
                None => continue,
            };
            if used < coins {
                ways[sum as usize] = Some((value, used + 1));
            }
        }
    }
    let mut chosen = Counts::new();
    let mut rest = amount;
    while rest > 0 {
        let (value, _) = ways[rest as usize]?;
        add(&mut chosen, value, 1);
        rest -= value;
    }
    Some(chosen)
}

fn fewest_coins(amount: u64, denominations: &[u64]) -> Option<Counts> {
    let largest = *denominations.last()?;
    // Large amounts are made of the largest coin down to where every way is searched.
    let searched = amount.min(SEARCH_AMOUNT_MAX - SEARCH_AMOUNT_MAX % largest + amount % largest);
    let of_largest = (amount - searched) / largest;
    let searched = amount - of_largest * largest;
    let mut fewest: Vec<Option<(u64, u64)>> = vec![None; searched as usize + 1];
    fewest[0] = Some((0, 0));
    for sum in 1..=searched {
        let way = |value: &u64| {
            let (coins, _) = fewest[sum.checked_sub(*value)? as usize]?;
            Some((coins + 1, *value))
        };
        fewest[sum as usize] = denominations.iter().filter_map(way).min();
    }
    let mut counts = Counts::new();
    add(&mut counts, largest, of_largest);
    let mut rest = searched;
    while rest > 0 {
        let (_, value) = fewest[rest as usize]?;
        add(&mut counts, value, 1);
        rest -= value;
    }
    Some(counts)
}

fn not_representable(amount: u64, denominations: &[u64]) -> NotRepresentable {
    let has_unit = denominations
        .first()
        .is_some_and(|unit| denominations.iter().all(|value| value.is_multiple_of(*unit)));
    let can = |candidate: &u64| match denominations.first() {
        Some(unit) if has_unit => *candidate > 0 && candidate.is_multiple_of(*unit),
        Some(_) => *candidate > 0 && fewest_coins(*candidate, denominations).is_some(),
        None => false,
    };
    let largest = denominations.last().copied().unwrap_or(0);
    let below = (amount.saturating_sub(largest)..amount).rev().find(can);
    let above = (amount + 1..=amount.saturating_add(largest)).find(can);
    let nearest = below.into_iter().chain(above).collect();
    NotRepresentable {
        amount,
        denominations: denominations.to_vec(),
        nearest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USUAL: [u64; 4] = [1, 2, 5, 10];

    /// All sums of subsets, the long way.
    fn sums(counts: &Counts) -> Vec<bool> {
        let mut sums = vec![false; total(counts) as usize + 1];
        sums[0] = true;
        for (&value, &coins) in counts {
            for _ in 0..coins {
                for sum in (value as usize..sums.len()).rev() {
                    sums[sum] |= sums[sum - value as usize];
                }
            }
        }
        sums
    }

    #[test]
    fn the_specifications_example() {
        assert_eq!(complete_set(6, &[1, 2, 5]).unwrap(), count([1, 1, 2, 2]));
    }

    #[test]
    fn an_amount_that_no_coins_make_is_refused_with_the_nearest() {
        let error = complete_set(7, &[5, 10]).unwrap_err();
        assert_eq!(error.nearest, [5, 10]);
        assert_eq!(complete_set(3, &[2, 5]).unwrap_err().nearest, [2, 4]);
        assert_eq!(complete_set(8, &[2, 5]).unwrap(), count([2, 2, 2, 2]));
    }

    proptest! {
        #[test]
        fn every_amount_up_to_the_balance_can_be_paid(amount in 0_u64..400, more in prop::collection::btree_set(2_u64..60, 0..6)) {
            let denominations: Vec<u64> = std::iter::once(1).chain(more).collect();
            let set = complete_set(amount, &denominations).unwrap();
            prop_assert_eq!(total(&set), amount);
            prop_assert!(is_complete(&set, &denominations));
            prop_assert!(sums(&set).into_iter().all(|payable| payable));
        }

        #[test]
        fn few_coins_are_made(amount in 1_u64..100_000) {
            let set = complete_set(amount, &USUAL).unwrap();
            let at_least = amount / 10;
            prop_assert!(number(&set) <= at_least + 6, "{:?}", set);
        }

        #[test]
        fn completeness_is_told_right(values in prop::collection::vec(prop::sample::select(USUAL.to_vec()), 0..12)) {
            let counts = count(values);
            prop_assert_eq!(is_complete(&counts, &USUAL), sums(&counts).into_iter().all(|payable| payable));
        }

        #[test]
        fn a_choice_is_found_when_there_is_one(values in prop::collection::vec(1_u64..40, 0..12), amount in 1_u64..200) {
            let have = count(values);
            let is_payable = sums(&have).get(amount as usize).copied().unwrap_or(false);
            match select(&have, amount, &USUAL) {
                Some(chosen) => {
                    prop_assert_eq!(total(&chosen), amount);
                    prop_assert!(subtract(&have, &chosen).is_some());
                }
                None => prop_assert!(!is_payable),
            }
        }

        #[test]
        fn an_exchange_makes_the_set_complete(values in prop::collection::vec(prop::sample::select(USUAL.to_vec()), 0..30), extra in 0_u64..100) {
            let have = count(values);
            let (give, get) = exchange(&have, extra, &USUAL).unwrap();
            prop_assert_eq!(total(&give) + extra, total(&get));
            let mut after = subtract(&have, &give).unwrap();
            get.iter().for_each(|(value, coins)| add(&mut after, *value, *coins));
            prop_assert!(is_complete(&after, &USUAL));
        }

        #[test]
        fn paying_again_and_again_from_a_complete_set(start in 1_u64..500, payments in prop::collection::vec(1_u64..60, 1..10)) {
            let mut have = complete_set(start, &USUAL).unwrap();
            for payment in payments {
                if payment > total(&have) { continue; }
                let pay = select(&have, payment, &USUAL).expect("a complete set pays every amount");
                have = subtract(&have, &pay).unwrap();
                if !is_complete(&have, &USUAL) {
                    have = complete_set(total(&have), &USUAL).unwrap();
                }
            }
        }
    }
}

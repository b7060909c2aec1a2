//! Chooses the coins to hold, so that every amount up to the balance can be paid without change (section
//! "Tokenizing" of "RequestRenew Message" in the specification).
//!
//! If coins can pay every amount from 1 to `reach`, then with a further coin `c` of at most `reach + 1` they
//! can pay every amount up to `reach + c`. A set that can be built in this way is *complete*. The union of
//! two complete sets is complete.
//!
//! What the wallet asks of the issuer must not tell a price. Coins are changed into complete sets and never into the
//! coins of a payment, and a renewal has [decoys](with_decoys).

use std::collections::BTreeMap;

use rand::{Rng, RngCore};
use thiserror::Error;

/// The largest amount for which [`search`] looks for an exact choice of coins.
const SEARCH_AMOUNT_MAX: u64 = 1_000_000;
/// The most decoys of one value in a renewal.
const DECOYS_OF_VALUE_MAX: u64 = 2;
/// The most decoys of a renewal. Each costs the issuer and the wallet a signature, and waits if the issuer does not
/// answer.
const DECOYS_MAX: u64 = 16;
/// The largest table of [`Residues`].
const RESIDUES_MAX: u64 = 1 << 21;

/// The number of coins of each value.
pub(crate) type Counts = BTreeMap<u64, u64>;

/// The amount cannot be made of the currency's denominations.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{amount} cannot be made of coins of {denominations:?}; the nearest that can is {nearest:?}")]
pub struct NotRepresentable {
    /// The amount.
    pub amount: u64,
    /// The currency's denominations.
    pub denominations: Vec<u64>,
    /// The largest amount below and the smallest amount above that coins can make.
    pub nearest: Vec<u64>,
}

/// Returns a complete set of few coins worth `amount`. If no denomination divides all others, no set is
/// complete, and the result is a set of few coins.
pub(crate) fn complete_set(amount: u64, denominations: &[u64]) -> Result<Counts, NotRepresentable> {
    let mut ascending = denominations.to_vec();
    ascending.sort_unstable();
    ascending.dedup();
    ascending.retain(|value| *value > 0);
    let Some(&unit) = ascending.first() else {
        return Err(NotRepresentable {
            amount,
            denominations: ascending,
            nearest: Vec::new(),
        });
    };
    if !ascending.iter().all(|value| value.is_multiple_of(unit)) {
        let residues = Residues::new(&ascending);
        let coins = residues.as_ref().and_then(|residues| residues.coins(amount));
        return coins.ok_or_else(|| NotRepresentable {
            amount,
            nearest: residues.map_or_else(Vec::new, |residues| residues.nearest(amount)),
            denominations: ascending,
        });
    }
    if !amount.is_multiple_of(unit) {
        let below = amount - amount % unit;
        let above = below.checked_add(unit);
        return Err(NotRepresentable {
            amount,
            denominations: ascending,
            nearest: Some(below)
                .filter(|below| *below > 0)
                .into_iter()
                .chain(above)
                .collect(),
        });
    }
    let mut counts = Counts::new();
    let mut rest = amount;
    let mut reach = 0;
    for (index, &value) in ascending.iter().enumerate() {
        // The next denomination is added when every amount below it can be paid.
        let wanted = ascending.get(index + 1).map_or(u64::MAX, |next| next - unit);
        let missing = wanted.saturating_sub(reach).div_ceil(value);
        let coins = missing.min(rest / value);
        add(&mut counts, value, coins);
        rest -= coins * value;
        reach += coins * value;
    }
    // The rest is less than a coin that was still missing, so adding its coins keeps the set complete.
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
    let mut reach: u64 = 0;
    for (&value, &coins) in counts {
        if value > unit.saturating_add(reach) {
            return false;
        }
        reach = value.saturating_mul(coins).saturating_add(reach);
    }
    true
}

/// Chooses coins worth exactly `amount`. Prefers a choice that leaves a complete set.
pub(crate) fn select(have: &Counts, amount: u64, denominations: &[u64]) -> Option<Counts> {
    // The best choice keeps a complete set of the remaining value and pays with the other coins.
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

/// Returns the coins to give and to get, so that `have` becomes a complete set of its value plus `extra`.
pub(crate) fn exchange(
    have: &Counts,
    extra: u64,
    denominations: &[u64],
) -> Result<(Counts, Counts), NotRepresentable> {
    let target = complete_set(total(have).saturating_add(extra), denominations)?;
    Ok((excess(have, &target), excess(&target, have)))
}

/// Adds decoys to a renewal: random own coins of `have` that are given, and as many of the same values that come back.
///
/// Without them, the coins of a renewal are worth what was received, and a change lacks what was just paid. With them, an
/// issuer cannot tell how much of the sum is a payment. A wallet that holds nothing else has no decoys. Only values of
/// `denominations` can come back, and at most `room` coins are added to each side.
pub(crate) fn with_decoys(
    have: &Counts,
    denominations: &[u64],
    (mut get, mut give): (Counts, Counts),
    room: u64,
    rng: &mut dyn RngCore,
) -> (Counts, Counts) {
    if number(&get) == 0 {
        return (get, give);
    }
    let mut room = room.min(DECOYS_MAX);
    for (value, coins) in excess(have, &give) {
        if !denominations.contains(&value) {
            continue;
        }
        let decoys = rng.gen_range(0..=coins.min(DECOYS_OF_VALUE_MAX)).min(room);
        add(&mut get, value, decoys);
        add(&mut give, value, decoys);
        room -= decoys;
    }
    (get, give)
}

/// Returns the total value of coins, see [`sum`].
pub(crate) fn total(counts: &Counts) -> u64 {
    sum(counts.iter().map(|(value, coins)| value.saturating_mul(*coins)))
}

/// Adds amounts, up to `u64::MAX`. The limit is reached only with journals of older versions, because a
/// wallet holds at most [`opencoin_text::AMOUNT_MAX`] of a currency.
pub(crate) fn sum(amounts: impl IntoIterator<Item = u64>) -> u64 {
    amounts.into_iter().fold(0, u64::saturating_add)
}

/// Returns the number of coins.
pub(crate) fn number(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// Returns the value of each coin, in ascending order.
pub(crate) fn values(counts: &Counts) -> impl Iterator<Item = u64> {
    let repeated = |(value, coins): (&u64, &u64)| std::iter::repeat_n(*value, *coins as usize);
    counts.iter().flat_map(repeated)
}

/// Counts coins by value.
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

/// Returns `a` without `b`; `None` if `b` is not part of `a`.
fn subtract(a: &Counts, b: &Counts) -> Option<Counts> {
    excess(b, a).is_empty().then(|| excess(a, b))
}

/// Returns the coins of `a` that `b` does not have.
fn excess(a: &Counts, b: &Counts) -> Counts {
    let mut excess = Counts::new();
    for (&value, &coins) in a {
        let others = b.get(&value).copied().unwrap_or(0);
        add(&mut excess, value, coins.saturating_sub(others));
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

/// Finds a choice if there is one, by dynamic programming over all sums.
fn search(have: &Counts, amount: u64) -> Option<Counts> {
    if amount > SEARCH_AMOUNT_MAX {
        return None;
    }
    // For each sum, one way to make it: its last coin, and how many of that coin it has.
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

/// The amounts that coins can make, in a currency whose smallest denomination does not divide all others.
///
/// For each residue modulo the base coin, the table has the smallest amount with this residue that the other
/// coins make. Every larger amount with the same residue takes more base coins; no smaller one can be made.
/// This is the "round robin" algorithm of Böcker and Lipták ("A Fast and Simple Algorithm for the Money
/// Changing Problem", 2007). Its time and memory depend on the table of at most [`RESIDUES_MAX`] lines.
struct Residues {
    /// The greatest common divisor of all denominations. The table has values divided by it.
    unit: u64,
    base: u64,
    /// The smallest amount and its last coin; `None` if no coins make the residue.
    smallest: Vec<Option<(u64, u64)>>,
}

impl Residues {
    /// Returns `None` if every coin is too large for a table. The base is the largest possible coin, so that
    /// amounts have few coins.
    fn new(denominations: &[u64]) -> Option<Self> {
        let unit = denominations.iter().copied().reduce(gcd)?;
        let values: Vec<u64> = denominations.iter().map(|value| value / unit).collect();
        let base = *values.iter().rev().find(|value| **value <= RESIDUES_MAX)?;
        let mut smallest: Vec<Option<(u64, u64)>> = vec![None; base as usize];
        smallest[0] = Some((0, 0));
        for value in values.into_iter().filter(|value| *value != base) {
            let circles = gcd(value, base);
            for begin in 0..circles {
                let circle = || (0..base / circles).map(|step| (begin + step * circles) as usize);
                let known = circle().filter_map(|residue| Some((smallest[residue]?.0, residue)));
                let Some((mut amount, mut residue)) = known.min() else {
                    continue;
                };
                for _ in 1..base / circles {
                    let Some(next) = amount.checked_add(value) else {
                        break;
                    };
                    residue = ((residue as u64 + value % base) % base) as usize;
                    amount = match smallest[residue] {
                        Some((known, _)) if known <= next => known,
                        Some(_) | None => {
                            smallest[residue] = Some((next, value));
                            next
                        }
                    };
                }
            }
        }
        Some(Self { unit, base, smallest })
    }

    /// Coins worth exactly this amount.
    fn coins(&self, amount: u64) -> Option<Counts> {
        if !amount.is_multiple_of(self.unit) {
            return None;
        }
        let amount = amount / self.unit;
        let (smallest, _) = self.smallest[(amount % self.base) as usize]?;
        let mut counts = Counts::new();
        add(
            &mut counts,
            self.base * self.unit,
            amount.checked_sub(smallest)? / self.base,
        );
        let mut rest = smallest;
        while rest > 0 {
            let (_, value) = self.smallest[(rest % self.base) as usize]?;
            add(&mut counts, value * self.unit, 1);
            rest -= value;
        }
        Some(counts)
    }

    /// Returns the largest amount below this one and the smallest above it that coins make.
    fn nearest(&self, amount: u64) -> Vec<u64> {
        // In units: `until` is below the amount, `from` is above it.
        let (until, from) = ((amount.saturating_sub(1)) / self.unit, amount / self.unit + 1);
        let made = || self.smallest.iter().flatten().map(|(smallest, _)| *smallest);
        let below = made().filter(|smallest| *smallest <= until);
        let below = below.map(|smallest| smallest + (until - smallest) / self.base * self.base);
        let above = made().filter_map(|smallest| {
            let more = from.saturating_sub(smallest).div_ceil(self.base);
            more.checked_mul(self.base)?.checked_add(smallest)
        });
        let below = below.max().filter(|below| *below > 0);
        let nearest = below.into_iter().chain(above.min());
        nearest.filter_map(|units| units.checked_mul(self.unit)).collect()
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const USUAL: [u64; 4] = [1, 2, 5, 10];

    /// Computes which sums of subsets exist, by brute force.
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
    fn example_of_the_specification() {
        assert_eq!(complete_set(6, &[1, 2, 5]).unwrap(), count([1, 1, 2, 2]));
    }

    #[test]
    fn an_error_names_the_nearest_possible_amounts() {
        let error = complete_set(7, &[5, 10]).unwrap_err();
        assert_eq!(error.nearest, [5, 10]);
        assert_eq!(complete_set(3, &[2, 5]).unwrap_err().nearest, [2, 4]);
        assert_eq!(complete_set(8, &[2, 5]).unwrap(), count([2, 2, 2, 2]));
    }

    /// Time and memory do not depend on the amount.
    #[test]
    fn unusual_denominations_are_fast() {
        let refused =
            |amount, denominations: &[u64]| complete_set(amount, denominations).unwrap_err().nearest;
        assert_eq!(
            refused(5, &[1_000_000_000_000_000_000]),
            [1_000_000_000_000_000_000]
        );
        assert_eq!(refused(u64::MAX, &[1 << 63]), [1 << 63]);
        assert_eq!(refused(12_345, &[999_983, 1_000_003]), [999_983]);
        assert_eq!(refused(1_000_001, &[999_983, 1_000_003]), [999_983, 1_000_003]);
        assert_eq!(
            refused(7, &[1 << 62, (1 << 62) + 1]),
            [0; 0],
            "the coins are too large for a table"
        );
        assert_eq!(refused(7, &[0]), [0; 0]);
        let many = complete_set(9_000_000_001, &[2, 5, 10_000_000_000]).unwrap();
        assert_eq!(
            (total(&many), number(&many) < 4_500_000_000),
            (9_000_000_001, true)
        );
        let few = complete_set(10_000_000_000_000, &[999_983, 1_000_003]).unwrap();
        assert_eq!(total(&few), 10_000_000_000_000);
    }

    #[test]
    fn decoys_hide_what_was_received() {
        let have = complete_set(500, &USUAL).unwrap();
        let (give, get) = exchange(&have, 43, &USUAL).unwrap();
        let sums = (0..60).map(|seed| {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let (_, given) = with_decoys(&have, &USUAL, (get.clone(), give.clone()), 900, &mut rng);
            total(&given) + 43
        });
        let sums: std::collections::BTreeSet<u64> = sums.collect();
        assert!(sums.len() >= 10, "{sums:?}");
    }

    #[test]
    fn nothing_is_renewed_for_the_sake_of_decoys() {
        let have = complete_set(500, &USUAL).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let nothing = (Counts::new(), Counts::new());
        assert_eq!(
            with_decoys(&have, &USUAL, nothing.clone(), 900, &mut rng),
            nothing
        );
    }

    #[test]
    fn sums_stop_at_the_largest_number() {
        let have = Counts::from([(1 << 63, 3)]);
        assert_eq!(total(&have), u64::MAX);
        assert!(is_complete(&have, &[1 << 63]));
        assert!(exchange(&have, 1 << 63, &[1 << 63]).is_err());
    }

    proptest! {
        #[test]
        fn every_possible_amount_is_found(amount in 1_u64..300, values in prop::collection::btree_set(2_u64..40, 1..5)) {
            let denominations: Vec<u64> = values.into_iter().collect();
            let mut is_made = vec![false; 400];
            is_made[0] = true;
            for sum in 1..is_made.len() {
                is_made[sum] = denominations
                    .iter()
                    .any(|value| sum.checked_sub(*value as usize).is_some_and(|rest| is_made[rest]));
            }
            match complete_set(amount, &denominations) {
                Ok(set) => prop_assert_eq!(total(&set), amount),
                Err(error) => {
                    prop_assert!(!is_made[amount as usize]);
                    let below = (1..amount).rev().find(|sum| is_made[*sum as usize]);
                    let above = (amount + 1..400).find(|sum| is_made[*sum as usize]);
                    prop_assert_eq!(error.nearest, below.into_iter().chain(above).collect::<Vec<_>>());
                }
            }
        }

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
        fn is_complete_agrees_with_brute_force(values in prop::collection::vec(prop::sample::select(USUAL.to_vec()), 0..12)) {
            let counts = count(values);
            prop_assert_eq!(is_complete(&counts, &USUAL), sums(&counts).into_iter().all(|payable| payable));
        }

        #[test]
        fn select_finds_a_choice_if_there_is_one(values in prop::collection::vec(1_u64..40, 0..12), amount in 1_u64..200) {
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
        fn decoys_are_own_coins_that_come_back(
            values in prop::collection::vec(prop::sample::select(USUAL.to_vec()), 0..30),
            extra in 0_u64..100,
            offered in prop::sample::subsequence(USUAL.to_vec(), 0..=4),
            room in 0_u64..30,
            seed: u64,
        ) {
            let have = count(values);
            let (give, get) = exchange(&have, extra, &USUAL).unwrap();
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let (got, given) = with_decoys(&have, &offered, (get.clone(), give.clone()), room, &mut rng);
            let decoys = excess(&given, &give);
            prop_assert_eq!(&excess(&got, &get), &decoys);
            prop_assert!(number(&decoys) <= room.min(DECOYS_MAX));
            prop_assert!(decoys.keys().all(|value| offered.contains(value)));
            let mut after = subtract(&have, &given).expect("only coins of the wallet are given");
            got.iter().for_each(|(value, coins)| add(&mut after, *value, *coins));
            prop_assert!(is_complete(&after, &USUAL));
            prop_assert_eq!(total(&after), total(&have) + extra);
        }

        #[test]
        fn repeated_payments_from_a_complete_set(start in 1_u64..500, payments in prop::collection::vec(1_u64..60, 1..10)) {
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

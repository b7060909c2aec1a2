//! The counts of a mint key, in several rows, so that processes that count coins of one key do not wait for
//! each other.
//!
//! Each process counts in the row of its own slot. In every row no more coins are returned than issued, so
//! that holds for the sums as well, without reading the other rows. Coins that were issued in one slot may
//! come back in another. If a slot has counted too few issued coins for that, its process locks all slots of
//! the key and moves counts of issued coins into its own: see [`spread`]. Only the sums mean something.

use std::collections::HashMap;

use opencoin_ledger::LedgerError;
use opencoin_ledger::view::{MintKeyNo, MintKeyState};
use sqlx::PgConnection;

use crate::columns::{column, counter};
use crate::fault::Fault;

/// The number of slots. With fewer processes than this, each has a slot for itself, unless restarts give two
/// of them the same one. That costs time and is not wrong.
const SLOTS: i64 = 64;

/// The largest count in one slot. The sum over all slots does not overflow.
pub(crate) const COUNT_MAX: i64 = i64::MAX / SLOTS;

/// The counts in one slot of a mint key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    slot: i16,
    issued: u64,
    returned: u64,
}

/// The counts of mint keys, in all slots, which this transaction has locked.
pub(crate) type LockedCounts = HashMap<MintKeyNo, Vec<Counts>>;

/// The slot of a process that starts.
pub(crate) async fn next(connection: &mut PgConnection) -> Result<i16, Fault> {
    let query = sqlx::query_scalar("SELECT (nextval('mint_key_slots') % $1)::int2").bind(SLOTS);
    Ok(query.fetch_one(connection).await?)
}

/// Locks the counts of these keys, whose rows in `mint_keys` are locked, so that no slot is added.
pub(crate) async fn lock(connection: &mut PgConnection, keys: &[MintKeyNo]) -> Result<LockedCounts, Fault> {
    let sql = "SELECT mint_key_no, slot, issued, returned FROM mint_key_counts WHERE mint_key_no = ANY($1)
        ORDER BY mint_key_no, slot FOR UPDATE";
    let query = sqlx::query_as(sql).bind(column(keys, |no| no.get()));
    let rows: Vec<(i32, i16, i64, i64)> = query.fetch_all(connection).await?;
    let mut counts = LockedCounts::new();
    for (no, slot, issued, returned) in rows {
        let row = |error| LedgerError::corrupt(format!("counts of mint key number {no}"), error);
        counts.entry(MintKeyNo::new(no)).or_default().push(Counts {
            slot,
            issued: issued.try_into().map_err(row)?,
            returned: returned.try_into().map_err(row)?,
        });
    }
    Ok(counts)
}

/// The sums of a key over all slots: issued and returned coins.
pub(crate) fn sums(counts: &LockedCounts, no: MintKeyNo) -> Result<(i64, i64), LedgerError> {
    let slots = counts.get(&no).map_or(&[][..], Vec::as_slice);
    let sum = |of: fn(&Counts) -> u64| counter(slots.iter().map(of).sum());
    Ok((sum(|slot| slot.issued)?, sum(|slot| slot.returned)?))
}

/// Writes the counts of these keys, which the slot `own` of this process accounts for.
pub(crate) async fn save(
    connection: &mut PgConnection,
    locked: &LockedCounts,
    own: i16,
    keys: &[MintKeyState],
) -> Result<(), Fault> {
    let mut rows: Vec<(&MintKeyState, Counts)> = Vec::new();
    for key in keys {
        let before = locked.get(&key.no).map_or(&[][..], Vec::as_slice);
        rows.extend(
            spread(before, own, (key.issued, key.returned))
                .into_iter()
                .map(|counts| (key, counts)),
        );
    }
    let issued: Result<Vec<_>, _> = rows.iter().map(|(_, counts)| counter(counts.issued)).collect();
    let returned: Result<Vec<_>, _> = rows.iter().map(|(_, counts)| counter(counts.returned)).collect();
    let sql = "INSERT INTO mint_key_counts (mint_key_no, slot, issued, returned, signs, takes)
        SELECT * FROM unnest($1::int4[], $2::int2[], $3::int8[], $4::int8[], $5::bool[], $6::bool[])
        ON CONFLICT (mint_key_no, slot) DO UPDATE
        SET issued = excluded.issued, returned = excluded.returned, signs = excluded.signs, takes = excluded.takes";
    let query = sqlx::query(sql)
        .bind(column(&rows, |(key, _)| key.no.get()))
        .bind(column(&rows, |(_, counts)| counts.slot))
        .bind(issued?)
        .bind(returned?)
        .bind(column(&rows, |(key, _)| takes(key) && !key.retired))
        .bind(column(&rows, |(key, _)| takes(key)));
    query.execute(connection).await?;
    Ok(())
}

/// Whether coins of this key come back, whatever the time is.
fn takes(key: &MintKeyState) -> bool {
    key.stopped.is_none() && !key.pruned
}

/// Adds to the slot `own` what is missing in the sums. If more coins come back there than it has issued, it
/// gets half of what is left in all slots, so that this is seldom necessary again.
fn spread(before: &[Counts], own: i16, (issued, returned): (u64, u64)) -> Vec<Counts> {
    let mut after = before.to_vec();
    if !after.iter().any(|counts| counts.slot == own) {
        after.push(Counts {
            slot: own,
            issued: 0,
            returned: 0,
        });
    }
    let sum = |of: fn(&Counts) -> u64| before.iter().map(of).sum::<u64>();
    let new_issued = issued.checked_sub(sum(|counts| counts.issued));
    let new_returned = returned.checked_sub(sum(|counts| counts.returned));
    let (Some(new_issued), Some(new_returned)) = (new_issued, new_returned) else {
        panic!("counts of coins never fall");
    };
    after.sort_unstable_by_key(|counts| counts.slot != own);
    let (mine, others) = after.split_first_mut().expect("it has the slot of this process");
    mine.issued += new_issued;
    mine.returned += new_returned;
    if mine.returned > mine.issued {
        let wanted = mine.returned + (issued - returned) / 2;
        // First half of what each other slot has, then whatever is still missing.
        for part in [2, 1] {
            for other in &mut *others {
                let moved = (wanted - mine.issued).min((other.issued - other.returned).div_ceil(part));
                other.issued -= moved;
                mine.issued += moved;
            }
        }
    }
    assert!(
        after.iter().all(|counts| counts.returned <= counts.issued),
        "no more coins are returned than were signed"
    );
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(slot: i16, issued: u64, returned: u64) -> Counts {
        Counts {
            slot,
            issued,
            returned,
        }
    }

    #[test]
    fn new_counts_go_to_the_own_slot() {
        assert_eq!(spread(&[], 3, (5, 0)), [counts(3, 5, 0)]);
        assert_eq!(spread(&[counts(3, 5, 1)], 3, (9, 5)), [counts(3, 9, 5)]);
        let before = [counts(1, 5, 1), counts(2, 7, 7)];
        assert_eq!(
            spread(&before, 1, (14, 9)),
            [counts(1, 7, 2), counts(2, 7, 7)],
            "the other slot is not touched"
        );
    }

    #[test]
    fn a_slot_that_lacks_issued_coins_gets_half_of_those_that_are_left() {
        let before = [counts(1, 100, 0), counts(2, 10, 10), counts(3, 50, 30)];
        // 120 coins are left. 20 come back in slot 2, so 100 are, and slot 2 has half of them.
        assert_eq!(
            spread(&before, 2, (160, 60)),
            [counts(2, 80, 30), counts(1, 50, 0), counts(3, 30, 30)].map(|mut counts| {
                // Slot 1 gives half of its 100 coins, slot 3 half of its 20, slot 1 the rest.
                match counts.slot {
                    1 => counts.issued = 40,
                    3 => counts.issued = 40,
                    _ => {}
                }
                counts
            })
        );
    }

    #[test]
    fn the_last_coin_can_come_back_in_any_slot() {
        let before = [counts(1, 1, 0), counts(2, 5, 5)];
        assert_eq!(
            spread(&before, 9, (6, 6)),
            [counts(9, 1, 1), counts(1, 0, 0), counts(2, 5, 5)]
        );
    }

    /// A linear congruential sequence with Knuth's constants.
    #[test]
    fn sums_are_kept_for_any_counts() {
        let mut state = 7_u64;
        let mut below = |limit: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % limit
        };
        for _ in 0..10_000 {
            let slots = below(5) as i16;
            let before: Vec<_> = (0..slots)
                .map(|slot| {
                    let issued = below(20);
                    counts(slot, issued, below(issued + 1))
                })
                .collect();
            let sum = |all: &[Counts], of: fn(&Counts) -> u64| all.iter().map(of).sum::<u64>();
            let issued = sum(&before, |one| one.issued) + below(5);
            let returned = sum(&before, |one| one.returned);
            let returned = returned + below(issued - returned + 1);
            let after = spread(&before, below(5) as i16, (issued, returned));
            assert_eq!(sum(&after, |one| one.issued), issued, "{before:?}");
            assert_eq!(sum(&after, |one| one.returned), returned, "{before:?}");
        }
    }
}

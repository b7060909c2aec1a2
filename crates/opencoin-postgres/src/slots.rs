//! The counts of a mint key, in several rows, so that batches that count coins of one key at the same time do not wait
//! for each other.
//!
//! Each process counts in the rows of its own slots, and each of its batches in one of them (`process_slots.rs`). In
//! every row no more coins are returned than issued, so that holds for the sums as well, without reading the other
//! rows. Coins that were issued in one slot may come back in another. If a slot has counted too few issued coins for
//! that, its process locks all slots of the key and moves counts of issued coins: see [`spread`]. Only the sums mean
//! something.

use std::array;
use std::collections::HashMap;

use opencoin_ledger::LedgerError;
use opencoin_ledger::view::{MintKeyNo, MintKeyState};
use sqlx::PgConnection;

use crate::columns::{column, counter};
use crate::fault::Fault;

/// The number of slots of a process: one for each lane of the committer.
pub(crate) const SLOTS_PER_PROCESS: usize = 3;

/// The number of processes that have slots for themselves, unless restarts give two of them the same ones. That costs
/// time and is not wrong.
const PROCESSES: i16 = 64;

/// The number of all slots.
const SLOTS: i64 = PROCESSES as i64 * SLOTS_PER_PROCESS as i64;

/// Each slot of a process but the first gets one of this many parts of the coins that can still come back in them. The
/// first gets the rest, because most batches count there.
const PARTS: u64 = 8;

/// The largest count in one slot. The sum over all slots does not overflow.
pub(crate) const COUNT_MAX: i64 = i64::MAX / SLOTS;

/// The counts in one slot of a mint key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    slot: i16,
    issued: u64,
    returned: u64,
}

/// The slots of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnSlots([i16; SLOTS_PER_PROCESS]);

/// The counts of mint keys, in all slots, which this transaction has locked.
pub(crate) type LockedCounts = HashMap<MintKeyNo, Vec<Counts>>;

impl OwnSlots {
    /// The slots of the process with this number, from 0 to [`PROCESSES`] - 1.
    fn of_process(number: i16) -> Self {
        let first = number * SLOTS_PER_PROCESS as i16;
        Self(array::from_fn(|index| first + index as i16))
    }

    pub(crate) fn numbers(self) -> [i16; SLOTS_PER_PROCESS] {
        self.0
    }
}

/// The slots of a process that starts.
pub(crate) async fn next(connection: &mut PgConnection) -> Result<OwnSlots, Fault> {
    let query =
        sqlx::query_scalar("SELECT (nextval('mint_key_slots') % $1)::int2").bind(i64::from(PROCESSES));
    Ok(OwnSlots::of_process(query.fetch_one(connection).await?))
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
    Ok((
        counter(sum(slots, |slot| slot.issued))?,
        counter(sum(slots, |slot| slot.returned))?,
    ))
}

/// Writes the counts of these keys, with what is new in the slots `own` of this process. Leaves rows alone that stay as
/// they are.
pub(crate) async fn save(
    connection: &mut PgConnection,
    locked: &LockedCounts,
    own: OwnSlots,
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
    let sql = "INSERT INTO mint_key_counts AS counts (mint_key_no, slot, issued, returned, signs, takes)
        SELECT * FROM unnest($1::int4[], $2::int2[], $3::int8[], $4::int8[], $5::bool[], $6::bool[])
        ON CONFLICT (mint_key_no, slot) DO UPDATE
        SET issued = excluded.issued, returned = excluded.returned, signs = excluded.signs, takes = excluded.takes
        WHERE (counts.issued, counts.returned, counts.signs, counts.takes)
            <> (excluded.issued, excluded.returned, excluded.signs, excluded.takes)";
    let query = sqlx::query(sql)
        .bind(column(&rows, |(key, _)| key.no.get()))
        .bind(column(&rows, |(_, counts)| counts.slot))
        .bind(issued?)
        .bind(returned?)
        .bind(column(&rows, |(key, _)| {
            takes(key) && !key.retired && !key.awaits_log
        }))
        .bind(column(&rows, |(key, _)| takes(key)));
    query.execute(connection).await?;
    Ok(())
}

/// Whether coins of this key come back, whatever the time is.
fn takes(key: &MintKeyState) -> bool {
    key.stopped.is_none() && !key.pruned
}

/// Adds to the slots `own` of a process what is missing in the sums, and divides its issued coins between them anew. If
/// too few coins are left in its first slot for as many as come back now, the process gets half of what is left in all
/// slots, so that this is seldom necessary again.
fn spread(before: &[Counts], own: OwnSlots, (issued, returned): (u64, u64)) -> Vec<Counts> {
    let find = |slot: i16| before.iter().find(|counts| counts.slot == slot).copied();
    let mut mine = own.numbers().map(|slot| {
        find(slot).unwrap_or(Counts {
            slot,
            issued: 0,
            returned: 0,
        })
    });
    let mut others = before.to_vec();
    others.retain(|counts| !own.numbers().contains(&counts.slot));
    let new_issued = issued.checked_sub(sum(before, |counts| counts.issued));
    let new_returned = returned.checked_sub(sum(before, |counts| counts.returned));
    let (Some(new_issued), Some(new_returned)) = (new_issued, new_returned) else {
        panic!("counts of coins never fall");
    };
    let is_short = mine[0].left() < new_returned;
    mine[0].returned += new_returned;
    let mine_returned = sum(&mine, |counts| counts.returned);
    let mut mine_issued = sum(&mine, |counts| counts.issued) + new_issued;
    if is_short {
        let wanted = mine_returned + (issued - returned) / 2;
        // First half of what each other slot has, then whatever is still missing.
        for part in [2, 1] {
            for other in &mut others {
                let moved = wanted
                    .saturating_sub(mine_issued)
                    .min(other.left().div_ceil(part));
                other.issued -= moved;
                mine_issued += moved;
            }
        }
    }
    assert!(
        mine_returned <= mine_issued,
        "no more coins are returned than were signed"
    );
    let part = (mine_issued - mine_returned) / PARTS;
    for counts in &mut mine[1..] {
        counts.issued = counts.returned + part;
        mine_issued -= counts.issued;
    }
    mine[0].issued = mine_issued;
    [&mine[..], &others].concat()
}

fn sum(slots: &[Counts], of: fn(&Counts) -> u64) -> u64 {
    slots.iter().map(of).sum()
}

impl Counts {
    /// The coins that can still come back in this slot.
    fn left(&self) -> u64 {
        self.issued - self.returned
    }
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
    fn every_process_has_slots_for_itself() {
        let all: Vec<i16> = (0..PROCESSES)
            .flat_map(|no| OwnSlots::of_process(no).numbers())
            .collect();
        let expected: Vec<i16> = (0..i16::try_from(SLOTS).unwrap()).collect();
        assert_eq!(all, expected);
    }

    const OWN: OwnSlots = OwnSlots([3, 4, 5]);

    #[test]
    fn new_counts_go_to_the_own_slots() {
        let nothing = [counts(4, 0, 0), counts(5, 0, 0)];
        assert_eq!(
            spread(&[], OWN, (0, 0)),
            [&[counts(3, 0, 0)], &nothing[..]].concat()
        );
        assert_eq!(
            spread(&[], OWN, (5, 0)),
            [&[counts(3, 5, 0)], &nothing[..]].concat()
        );
        let before = [counts(1, 5, 1), counts(3, 7, 5)];
        assert_eq!(
            spread(&before, OWN, (14, 8)),
            [&[counts(3, 9, 7)], &nothing[..], &[counts(1, 5, 1)]].concat(),
            "the other slot is not touched"
        );
    }

    #[test]
    fn the_coins_of_a_process_are_divided_between_its_slots() {
        let before = [
            counts(1, 9, 1),
            counts(3, 100, 20),
            counts(4, 10, 10),
            counts(5, 6, 1),
        ];
        assert_eq!(
            spread(&before, OWN, (125, 37)),
            // 85 coins of the process were left, then 80. Slots 4 and 5 have 10 each.
            [
                counts(3, 85, 25),
                counts(4, 20, 10),
                counts(5, 11, 1),
                counts(1, 9, 1)
            ]
        );
    }

    #[test]
    fn a_process_that_lacks_issued_coins_gets_half_of_those_that_are_left() {
        let before = [counts(1, 100, 0), counts(3, 10, 10), counts(7, 50, 30)];
        // 120 coins are left. 20 come back, so 100 are, and the process has half of them.
        assert_eq!(
            spread(&before, OWN, (160, 60)),
            [
                counts(3, 30 + 38, 30),
                counts(4, 6, 0),
                counts(5, 6, 0),
                // Slot 1 gives half of its 100 coins, slot 7 half of its 20, slot 1 the rest.
                counts(1, 40, 0),
                counts(7, 40, 30)
            ]
        );
    }

    #[test]
    fn the_last_coin_can_come_back_in_any_process() {
        let before = [counts(1, 1, 0), counts(2, 5, 5)];
        assert_eq!(
            spread(&before, OWN, (6, 6)),
            [
                counts(3, 1, 1),
                counts(4, 0, 0),
                counts(5, 0, 0),
                counts(1, 0, 0),
                counts(2, 5, 5)
            ]
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
            let slots = below(10) as i16;
            let before: Vec<_> = (0..slots)
                .map(|slot| {
                    let issued = below(20);
                    counts(slot, issued, below(issued + 1))
                })
                .collect();
            let issued = sum(&before, |one| one.issued) + below(5);
            let returned = sum(&before, |one| one.returned);
            let returned = returned + below(issued - returned + 1);
            let after = spread(&before, OwnSlots::of_process(below(4) as i16), (issued, returned));
            assert!(after.iter().all(|one| one.returned <= one.issued), "{before:?}");
            assert_eq!(sum(&after, |one| one.issued), issued, "{before:?}");
            assert_eq!(sum(&after, |one| one.returned), returned, "{before:?}");
        }
    }
}

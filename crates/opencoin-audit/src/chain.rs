//! A hash chain over the journal, by which a later pass detects rows that were deleted, inserted or changed.
//!
//! Each row is hashed together with the digest of the rows before it. The blinds are left out, because
//! signatures may replace them and they are deleted when their coins have expired. Records of prunes are left out, because they move no money and the row of the
//! mint key also says that it was pruned.
//!
//! The digest uses no secret key. Somebody who rewrites both the journal and the auditor's state is not
//! detected.

use sha2::{Digest, Sha256};

use crate::JournalRow;
use opencoin_ledger::journal::Kind;

/// One link is kept for this many record numbers, to say where a journal differs: 48 bytes per million rows.
const LINK_NUMBERS: i64 = 1 << 20;

/// The digest of all rows so far, in order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    pub(crate) rows: u64,
    pub(crate) digest: [u8; 32],
    /// The number of the last row, and the digest of this row alone.
    pub(crate) last: Option<(i64, [u8; 32])>,
    /// The complete stretches, in order. Stretches without rows have no link.
    pub(crate) links: Vec<Link>,
}

/// The state of the chain at the end of a stretch of [`LINK_NUMBERS`] numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// The index of the stretch, from 0.
    pub(crate) stretch: i64,
    /// The number of rows from the start to the end of the stretch.
    pub(crate) rows: u64,
    /// The digest of these rows.
    pub(crate) digest: [u8; 32],
}

impl Chain {
    /// The number of rows in the chain.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The number of the last row; 0 for an empty chain.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.last.map_or(0, |(id, _)| id)
    }

    /// Appends a row. Ignores records of prunes.
    pub(crate) fn push(&mut self, row: &JournalRow<'_>) {
        if row.kind == i64::from(Kind::PruneMintKey.code()) {
            return;
        }
        if let Some((last, _)) = self.last
            && last / LINK_NUMBERS != row.id / LINK_NUMBERS
        {
            self.links.push(Link {
                stretch: last / LINK_NUMBERS,
                rows: self.rows,
                digest: self.digest,
            });
        }
        let own = digest_of(row);
        self.digest = Sha256::new()
            .chain_update(self.digest)
            .chain_update(own)
            .finalize()
            .into();
        self.rows += 1;
        self.last = Some((row.id, own));
    }

    /// Describes where this chain differs from `before`, an earlier chain over the same numbers.
    pub(crate) fn difference(&self, before: &Self) -> Option<String> {
        if (self.rows, self.digest) == (before.rows, before.digest) {
            return None;
        }
        let link = before.links.iter().find(|link| !self.links.contains(link));
        let stretch = link.map_or(before.position() / LINK_NUMBERS, |link| link.stretch);
        let (first, last) = (
            stretch * LINK_NUMBERS,
            ((stretch + 1) * LINK_NUMBERS - 1).min(before.position()),
        );
        let [was, is] = [before.rows, self.rows];
        Some(format!(
            "the first difference is between the numbers {first} and {last}; up to {}, {was} rows were read before, {is} now",
            before.position()
        ))
    }
}

/// The digest of everything in a row that never changes.
pub(crate) fn digest_of(row: &JournalRow<'_>) -> [u8; 32] {
    let JournalRow {
        id,
        kind,
        debit,
        debit_entry,
        credit,
        credit_entry,
        amount,
        at,
        reference,
        content,
        issued,
        blinds: _,
    } = *row;
    let mut hash = Sha256::new();
    for number in [id, kind, amount, at] {
        hash.update(number.to_be_bytes());
    }
    for number in [debit, debit_entry, credit, credit_entry] {
        hash.update([u8::from(number.is_some())]);
        hash.update(number.unwrap_or(0).to_be_bytes());
    }
    for bytes in [reference, content, issued.unwrap_or_default()] {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64) -> JournalRow<'static> {
        let (debit, credit) = (Some(1), Some(3));
        JournalRow {
            id,
            kind: 2,
            debit,
            debit_entry: None,
            credit,
            credit_entry: Some(1),
            amount: 5,
            at: 150,
            reference: &[3, 1],
            content: &[7; 32],
            issued: None,
            blinds: None,
        }
    }

    fn chain<'a>(rows: impl IntoIterator<Item = JournalRow<'a>>) -> Chain {
        let mut chain = Chain::default();
        rows.into_iter().for_each(|row| chain.push(&row));
        chain
    }

    #[test]
    fn every_column_but_the_blinds_counts() {
        let sound = chain([row(1)]);
        assert_eq!(
            chain([JournalRow {
                blinds: Some((&[1], 1)),
                ..row(1)
            }])
            .difference(&sound),
            None
        );
        let others = [
            row(2),
            JournalRow { kind: 3, ..row(1) },
            JournalRow {
                debit: None,
                ..row(1)
            },
            JournalRow {
                credit: Some(4),
                ..row(1)
            },
            JournalRow {
                debit_entry: Some(1),
                ..row(1)
            },
            JournalRow {
                credit_entry: Some(2),
                ..row(1)
            },
            JournalRow {
                issued: Some(&[1]),
                ..row(1)
            },
            JournalRow { amount: 6, ..row(1) },
            JournalRow { at: 151, ..row(1) },
            JournalRow {
                reference: &[3, 2],
                ..row(1)
            },
            JournalRow {
                content: &[8; 32],
                ..row(1)
            },
        ];
        for other in others {
            assert!(chain([other]).difference(&sound).is_some(), "{other:?}");
        }
    }

    #[test]
    fn missing_and_new_rows_are_found_and_their_stretch_is_named() {
        let numbers = [
            1,
            2,
            LINK_NUMBERS,
            LINK_NUMBERS + 1,
            3 * LINK_NUMBERS,
            3 * LINK_NUMBERS + 1,
        ];
        let before = chain(numbers.map(row));
        assert_eq!(before.difference(&before), None);
        for (missing, between) in [
            (0, "0 and 1048575"),
            (3, "1048576 and 2097151"),
            (4, "3145728 and 3145729"),
        ] {
            let rest = numbers.iter().enumerate().filter(|(index, _)| *index != missing);
            let difference = chain(rest.map(|(_, id)| row(*id))).difference(&before).unwrap();
            assert!(
                difference.contains(between) && difference.contains("6 rows were read before, 5 now"),
                "{difference}"
            );
        }
        assert!(
            before
                .difference(&chain(numbers[..5].iter().map(|id| row(*id))))
                .is_some()
        );
    }

    #[test]
    fn records_of_prunes_are_left_out() {
        let prune = JournalRow { kind: 11, ..row(2) };
        assert_eq!(chain([row(1), prune, row(3)]), chain([row(1), row(3)]));
    }
}

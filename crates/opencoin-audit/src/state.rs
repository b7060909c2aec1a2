//! The state file that an auditor keeps between two runs: sums and digests of the settled part of the
//! journal.
//!
//! The format: a line with the version; big-endian integers, and texts preceded by their lengths; a SHA-256
//! digest over all of this and a text that names the books. A state that is damaged, of another version or of
//! other books is rejected as a whole. Nothing is lost, because a full pass makes a new one. The digest
//! protects against damage and mistakes, not against somebody who can write the file.

use sha2::{Digest, Sha256};

use crate::chain::{Chain, Link};
use crate::pass::Settled;
use crate::sums::{AccountSums, KeySums, Sums};
use crate::{AuditFacts, INVALID_ROWS_DESCRIBED_MAX};
use opencoin_ledger::{AccountId, MintKeyId, PayoutNo};

const HEADER: &[u8] = b"opencoin audit state 4\n";
const DIGEST_BYTES: usize = 32;

/// The bytes are not a state of these books, or this version cannot read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state is damaged, of another version, or of other books")]
pub struct StateError;

/// Encodes the state. `books` names the books that it belongs to.
#[must_use]
pub fn encode_state(settled: &Settled, books: &str) -> Vec<u8> {
    let Settled {
        sums:
            Sums {
                accounts,
                mint_keys,
                payouts,
                totals,
            },
        chain,
        last,
    } = settled;
    let AuditFacts {
        accounts: _,
        mint_keys: _,
        payouts: _,
        files: _,
        waiting_mints: _,
        waited_for: _,
        waiting_although_given_up: _,
        paid_in,
        paid_out,
        unsettled_payouts,
        coins_outstanding,
        recouped,
        borne,
        recovered_unassigned,
        retirements,
        prunes,
        transactions,
        entries_above,
        records_with_blinds: _,
        blinds_rows: _,
        log: _,
        invalid_rows,
        invalid,
    } = totals;
    let mut writer = Writer(HEADER.to_vec());
    writer.long(*last);
    writer.long(*entries_above);
    let sums = [
        paid_in,
        paid_out,
        unsettled_payouts,
        coins_outstanding,
        recouped,
        recovered_unassigned,
        borne,
    ];
    for sum in sums {
        writer.sum(*sum);
    }
    for count in [retirements, prunes, transactions, invalid_rows] {
        writer.count(*count);
    }
    writer.count(invalid.len() as u64);
    for text in invalid {
        writer.count(text.len() as u64);
        writer.0.extend(text.as_bytes());
    }
    writer.count(accounts.len() as u64);
    for (account, sums) in accounts {
        writer.long(account.get());
        writer.sum(sums.balance);
        for number in [sums.last_entry, sums.seq, sums.credits] {
            writer.long(number);
        }
    }
    writer.count(mint_keys.len() as u64);
    for (key, keys) in mint_keys {
        writer.0.extend(key.as_bytes());
        for sum in [keys.blinds, keys.recovered, keys.again] {
            writer.sum(sum);
        }
    }
    writer.count(payouts.len() as u64);
    for (payout, (requests, settlements)) in payouts {
        writer.long(payout.get());
        writer.count(*requests);
        writer.count(*settlements);
    }
    writer.chain(chain);
    let digest = digest(&writer.0, books);
    writer.0.extend(digest);
    writer.0
}

/// Decodes a state that was encoded with the same `books`.
///
/// # Errors
/// The bytes are damaged, of another version, or of other books.
pub fn decode_state(bytes: &[u8], books: &str) -> Result<Settled, StateError> {
    let (body, expected) = bytes.split_last_chunk::<DIGEST_BYTES>().ok_or(StateError)?;
    if digest(body, books) != *expected {
        return Err(StateError);
    }
    let mut reader = Reader(body.strip_prefix(HEADER).ok_or(StateError)?);
    let (last, entries_above) = (reader.long()?, reader.long()?);
    let [paid_in, paid_out, unsettled_payouts] = [reader.sum()?, reader.sum()?, reader.sum()?];
    let [coins_outstanding, recouped, recovered_unassigned] = [reader.sum()?, reader.sum()?, reader.sum()?];
    let borne = reader.sum()?;
    let [retirements, prunes, transactions, invalid_rows] =
        [reader.count()?, reader.count()?, reader.count()?, reader.count()?];
    let mut totals = AuditFacts {
        paid_in,
        paid_out,
        unsettled_payouts,
        coins_outstanding,
        recouped,
        borne,
        recovered_unassigned,
        retirements,
        prunes,
        transactions,
        entries_above,
        invalid_rows,
        ..AuditFacts::default()
    };
    let described = reader.count()?;
    if described > INVALID_ROWS_DESCRIBED_MAX as u64 {
        return Err(StateError);
    }
    for _ in 0..described {
        let length = usize::try_from(reader.count()?).map_err(|_| StateError)?;
        let text = str::from_utf8(reader.take(length)?).map_err(|_| StateError)?;
        totals.invalid.push(text.to_owned());
    }
    let mut sums = Sums {
        totals,
        ..Sums::default()
    };
    for _ in 0..reader.count()? {
        let account = AccountId::new(reader.long()?);
        let (balance, last_entry) = (reader.sum()?, reader.long()?);
        let (seq, credits) = (reader.long()?, reader.long()?);
        let account_sums = AccountSums {
            balance,
            last_entry,
            seq,
            credits,
        };
        sums.accounts.insert(account, account_sums);
    }
    for _ in 0..reader.count()? {
        sums.mint_keys
            .insert(MintKeyId::new(reader.array()?), reader.key_sums()?);
    }
    for _ in 0..reader.count()? {
        sums.payouts
            .insert(PayoutNo::new(reader.long()?), (reader.count()?, reader.count()?));
    }
    let chain = reader.chain()?;
    if reader.0.is_empty() {
        Ok(Settled { sums, chain, last })
    } else {
        Err(StateError)
    }
}

fn digest(body: &[u8], books: &str) -> [u8; DIGEST_BYTES] {
    let length = (body.len() as u64).to_be_bytes();
    Sha256::new()
        .chain_update(length)
        .chain_update(body)
        .chain_update(books)
        .finalize()
        .into()
}

struct Writer(Vec<u8>);

impl Writer {
    fn long(&mut self, number: i64) {
        self.0.extend(number.to_be_bytes());
    }

    fn count(&mut self, number: u64) {
        self.0.extend(number.to_be_bytes());
    }

    fn sum(&mut self, number: i128) {
        self.0.extend(number.to_be_bytes());
    }

    fn chain(
        &mut self,
        Chain {
            rows,
            digest,
            last,
            links,
        }: &Chain,
    ) {
        self.count(*rows);
        self.0.extend(digest);
        self.count(u64::from(last.is_some()));
        if let Some((id, own)) = last {
            self.long(*id);
            self.0.extend(own);
        }
        self.count(links.len() as u64);
        for Link {
            stretch,
            rows,
            digest,
        } in links
        {
            self.long(*stretch);
            self.count(*rows);
            self.0.extend(digest);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], StateError> {
        self.0.split_off(..count).ok_or(StateError)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(StateError)?;
        self.0 = rest;
        Ok(*array)
    }

    fn long(&mut self) -> Result<i64, StateError> {
        self.array().map(i64::from_be_bytes)
    }

    fn count(&mut self) -> Result<u64, StateError> {
        self.array().map(u64::from_be_bytes)
    }

    fn sum(&mut self) -> Result<i128, StateError> {
        self.array().map(i128::from_be_bytes)
    }

    fn key_sums(&mut self) -> Result<KeySums, StateError> {
        Ok(KeySums {
            blinds: self.sum()?,
            recovered: self.sum()?,
            again: self.sum()?,
        })
    }

    fn chain(&mut self) -> Result<Chain, StateError> {
        let (rows, digest) = (self.count()?, self.array()?);
        let last = match self.count()? {
            0 => None,
            1 => Some((self.long()?, self.array()?)),
            _ => return Err(StateError),
        };
        let mut links = Vec::new();
        for _ in 0..self.count()? {
            links.push(Link {
                stretch: self.long()?,
                rows: self.count()?,
                digest: self.array()?,
            });
        }
        Ok(Chain {
            rows,
            digest,
            last,
            links,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled() -> Settled {
        let totals = AuditFacts {
            paid_in: 7,
            entries_above: 9,
            transactions: 3,
            invalid: vec!["odd".to_owned()],
            ..AuditFacts::default()
        };
        let accounts = [(3, -4, 2), (4, i128::MAX, i64::MAX)]
            .map(|(id, balance, last_entry)| {
                let (seq, credits) = (id + 1, id + 2);
                let sums = AccountSums {
                    balance,
                    last_entry,
                    seq,
                    credits,
                };
                (AccountId::new(id), sums)
            })
            .into();
        let keys = KeySums {
            blinds: 5,
            recovered: 3,
            again: 2,
        };
        let (mint_keys, payouts) = (
            [(MintKeyId::new([7; 20]), keys)].into(),
            [(PayoutNo::new(2), (1, 0))].into(),
        );
        let sums = Sums {
            accounts,
            mint_keys,
            payouts,
            totals,
        };
        let links = vec![Link {
            stretch: 1,
            rows: 2,
            digest: [9; 32],
        }];
        Settled {
            sums,
            chain: Chain {
                rows: 3,
                digest: [1; 32],
                last: Some((8, [2; 32])),
                links,
            },
            last: 9,
        }
    }

    #[test]
    fn an_encoded_state_can_be_decoded() {
        for settled in [settled(), Settled::default()] {
            let bytes = encode_state(&settled, "books");
            assert_eq!(decode_state(&bytes, "books"), Ok(settled));
        }
    }

    #[test]
    fn damaged_bytes_and_other_books_are_refused() {
        let bytes = encode_state(&settled(), "books");
        assert_eq!(decode_state(&bytes, "other"), Err(StateError));
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert_eq!(decode_state(&damaged, "books"), Err(StateError), "byte {index}");
            assert_eq!(decode_state(&bytes[..index], "books"), Err(StateError));
        }
    }
}

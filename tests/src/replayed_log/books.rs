//! Compares a public log with the books of its issuer.

use std::collections::BTreeSet;

use super::tree::{Hash, root, root_of_prefixes};
use super::{BUNDLE_ENTRIES, Digests, ReplayedLog, from_base64, hex};
use crate::Rows;

impl ReplayedLog {
    /// What is wrong with the log, or differs from the books; empty if nothing does. Nothing may wait to be sealed or
    /// published.
    #[must_use]
    pub fn faults_against(mut self, rows: &Rows<'_>) -> Vec<String> {
        self.compare_tree(rows);
        self.compare_counts(rows);
        self.compare_coins(rows);
        self.compare_totals(rows);
        self.faults.extend(self.key_accounts.faults_against(rows));
        self.faults
    }

    /// The tree, its batches, and the published checkpoint in the books.
    fn compare_tree(&mut self, rows: &Rows<'_>) {
        let size = self.hashes.len();
        self.expect(
            "rows that wait",
            &rows.number("SELECT count(*) FROM log_pending"),
            &0,
        );
        let ends: Vec<usize> = self.batches.iter().map(|batch| batch.end).collect();
        let roots = root_of_prefixes(&self.hashes, &ends);
        let batches: Vec<String> = (1..)
            .zip(&self.batches)
            .zip(&roots)
            .map(|((no, batch), root)| {
                let (first, count) = (batch.first, batch.end - batch.first);
                format!("{no} {first} {count} {} {}", hex(root), batch.totals["time"])
            })
            .collect();
        let root_hex = rows.hex("root");
        let stored = rows.texts(&format!(
            "SELECT no || ' ' || first || ' ' || count || ' ' || {root_hex} || ' ' || time_s FROM log_batches ORDER BY no"
        ));
        self.expect("log_batches", &stored, &batches);
        let end = roots.last().map(|root| hex(root)).unwrap_or_default();
        let head = rows.texts(&format!(
            "SELECT size || ' ' || {root_hex} || ' ' || batch || ' ' || (halted IS NULL) FROM log_head"
        ));
        let truth = if matches!(rows, Rows::Sqlite(_)) {
            "1"
        } else {
            "true"
        };
        let expected = format!("{size} {end} {} {truth}", batches.len() + 1);
        self.expect("log_head", &head, &vec![expected]);
        for tile in self.tiles() {
            let (level, no, bytes) = &tile;
            let data = rows.hex("data");
            let stored = rows.texts(&format!(
                "SELECT {data} FROM log_tiles WHERE level = {level} AND no = {no}"
            ));
            self.expect(&format!("tile {level}/{no}"), &stored, &vec![hex(bytes)]);
        }
        let note = rows.texts("SELECT note FROM log_checkpoint").concat();
        let mut lines = note.lines().skip(1);
        let (published, root) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let root = from_base64(root).map(|root| hex(&root));
        self.expect("the published size", &published, &&*size.to_string());
        self.expect("the published root", &root, &Some(end));
    }

    /// The tiles that the books store: those of levels from 1 on.
    fn tiles(&self) -> Vec<(usize, usize, Vec<u8>)> {
        let (mut tiles, mut hashes) = (Vec::new(), self.hashes.clone());
        for level in 1.. {
            hashes = hashes.chunks_exact(BUNDLE_ENTRIES).map(root).collect();
            if hashes.is_empty() {
                break;
            }
            let of_level = hashes.chunks(BUNDLE_ENTRIES).map(<[Hash]>::concat);
            tiles.extend(of_level.enumerate().map(|(no, bytes)| (level, no, bytes)));
        }
        tiles
    }

    fn compare_counts(&mut self, rows: &Rows<'_>) {
        let counts: BTreeSet<String> = self
            .keys
            .iter()
            .map(|(no, key)| format!("{no} {} {}", key.issued, key.spent))
            .collect();
        let counted = match rows {
            Rows::Sqlite(_) => "SELECT no || ' ' || issued || ' ' || returned FROM mint_keys",
            Rows::Postgres(_) => {
                "SELECT mint_key_no || ' ' || sum(issued) || ' ' || sum(returned) FROM mint_key_counts GROUP BY mint_key_no"
            }
        };
        self.expect(
            "counts of the mint keys",
            &rows.texts(counted).into_iter().collect(),
            &counts,
        );
        let logged = rows.texts("SELECT key_no || ' ' || issued || ' ' || spent FROM log_keys");
        self.expect("log_keys", &logged.into_iter().collect(), &counts);
    }

    fn compare_coins(&mut self, rows: &Rows<'_>) {
        let digest = rows.hex("spent_digest");
        let mut digests = Digests::new();
        let query =
            format!("SELECT mint_key_no || ' ' || {digest} || ' ' || coalesce(log_batch, 0) FROM spent");
        for row in rows.texts(&query) {
            let (coin, open) = row.rsplit_once(' ').unwrap();
            let coin = keyed(coin);
            let open: usize = open.parse().unwrap();
            match self.batch_of_spent.get(&coin) {
                Some(batch) if (1..=*batch).contains(&open) => {}
                found => self.faults.push(format!(
                    "spent coin {coin:?}: batch {open} was open, and it is in {found:?}"
                )),
            }
            digests.insert(coin);
        }
        let (logged, stored) = (self.spent.len(), digests.len());
        if self.spent != digests {
            self.faults.push(format!(
                "{logged} coins are spent in the log, and others in the books: {stored}"
            ));
        }
        for (column, logged) in [
            ("spent_digest", self.coins_recouped.clone()),
            ("issued_digest", self.blinds_recouped.clone()),
        ] {
            let digest = rows.hex(column);
            let stored = rows.texts(&format!("SELECT mint_key_no || ' ' || {digest} FROM recouped"));
            let stored: Digests = stored.iter().map(|row| keyed(row)).collect();
            self.expect(&format!("{column} in recouped"), &stored, &logged);
        }
    }

    fn compare_totals(&mut self, rows: &Rows<'_>) {
        // Kind 22 is what a lost time has moved: from account 1 or 0 to -2, or from there to 1.
        let moved = |kinds: &str, recovered: &str| {
            let query = format!(
                "SELECT CAST(coalesce(sum(amount), 0) AS text) FROM transactions
                WHERE kind IN ({kinds}) OR kind = 22 AND {recovered}"
            );
            rows.texts(&query).concat()
        };
        // From number 2^62 on accounts belong to keys.
        let held =
            "SELECT CAST((SELECT coalesce(sum(balance), 0) FROM accounts WHERE id < 4611686018427387904)
            + (SELECT coalesce(sum(amount), 0) FROM payouts WHERE paid IS NULL)
            + (SELECT coalesce(sum(CASE WHEN credit_account = -2 THEN amount ELSE -amount END), 0)
                FROM transactions WHERE debit_account = -2 OR credit_account = -2) AS text)";
        let expected = [
            ("paid_in", moved("2", "debit_account = 1")),
            ("paid_out", moved("3, 15", "credit_account = 1")),
            ("recouped", moved("13, 27", "debit_account = 0")),
            ("accounts", rows.texts(held).concat()),
        ];
        let Some(last) = self.batches.last().map(|batch| batch.totals.clone()) else {
            self.faults.push("there is no batch".to_owned());
            return;
        };
        for (name, books) in expected {
            self.expect(name, &last[name].to_string(), &books);
        }
    }
}

fn keyed(row: &str) -> (u32, String) {
    let (no, digest) = row.split_once(' ').unwrap();
    (no.parse().unwrap(), digest.to_owned())
}

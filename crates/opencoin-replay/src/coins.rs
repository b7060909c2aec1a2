//! The rules for leaves of coins and blinds by themselves: their order, and that each coin ends once.

use opencoin_log::hash::{HASH_BYTES, Hash};
use opencoin_log::key_no::KeyNo;

use crate::coin_run::{self, CoinLeafKind, EndedRun};
use crate::finding::BrokenRule;
use crate::replay::Replay;
use crate::spent_index::{Series, SeriesKind, SpentIndex};

impl Replay {
    /// Compares a leaf with the one before it. Returns whether a leaf is repeated that must be unique.
    pub(crate) fn check_order(&mut self, before: &[u8], leaf: &[u8]) -> bool {
        if before < leaf || self.open.is_empty(self.size) {
            return false;
        }
        let is_same = before == leaf;
        let coin = coin_run::split(leaf).map(|(header, _)| header[1]);
        let may_repeat = is_same && coin == Some(coin_run::ISSUED);
        let is_reported_otherwise = is_same && coin.is_some();
        if !may_repeat && !is_reported_otherwise && !self.open.is_disordered {
            self.open.is_disordered = true;
            self.find(self.size, BrokenRule::Disorder);
        }
        is_same && !may_repeat
    }

    pub(crate) fn begin_run(&mut self, header: [u8; coin_run::HEADER_BYTES]) {
        self.open.run.begin(header, self.size);
        let number = self.open.run.key_no();
        if KeyNo::new(number).is_none_or(|key_no| self.keys.get(key_no).is_none()) {
            self.find(self.size, BrokenRule::UnknownKey { key_no: number });
        }
    }

    pub(crate) fn see_unique<I: SpentIndex>(
        &mut self,
        digest: &[u8; HASH_BYTES],
        is_repeated: bool,
        index: &mut I,
    ) -> Result<(), I::Error> {
        if is_repeated {
            // The digests that are kept are those of leaves that follow each other.
            self.insert_digests(index)?;
            let first = self.size.checked_sub(1);
            self.find_twice(Hash::new(*digest), self.size, first);
        } else if self.open.run.keep(digest, self.size) {
            self.insert_digests(index)?;
        }
        Ok(())
    }

    /// Moves the digests of the run into the index.
    fn insert_digests<I: SpentIndex>(&mut self, index: &mut I) -> Result<(), I::Error> {
        let (digests, first) = self.open.run.digests();
        let kind = self.open.run.kind().and_then(CoinLeafKind::series);
        let key_no = KeyNo::new(self.open.run.key_no());
        let mut known = std::mem::take(&mut self.known);
        known.clear();
        if let (Some(kind), Some(key_no)) = (kind, key_no.filter(|key_no| self.keys.get(*key_no).is_some()))
            && !digests.is_empty()
        {
            index.insert(Series { key_no, kind }, digests, &mut known)?;
        }
        let twice: Vec<(Hash, u64)> = known
            .iter()
            .map(|place| (Hash::new(digests[*place]), first + *place as u64))
            .collect();
        self.known = known;
        self.open.run.clear_digests();
        for (digest, index) in twice {
            self.find_twice(digest, index, None);
        }
        Ok(())
    }

    fn find_twice(&mut self, digest: Hash, index: u64, first: Option<u64>) {
        let Some(key_no) = KeyNo::new(self.open.run.key_no()) else {
            return;
        };
        let kind = self.open.run.kind().and_then(CoinLeafKind::series);
        let rule = match kind {
            Some(SeriesKind::Coins) => BrokenRule::CoinTwice {
                key_no,
                digest,
                first,
            },
            Some(SeriesKind::RecoupedBlinds) => BrokenRule::BlindTwice {
                key_no,
                digest,
                first,
            },
            None => return,
        };
        self.find(index, rule);
    }

    pub(crate) fn end_run<I: SpentIndex>(&mut self, index: &mut I) -> Result<(), I::Error> {
        if !self.open.run.is_open() {
            return Ok(());
        }
        self.insert_digests(index)?;
        if let Some(run) = self.open.run.end() {
            self.count_run(&run);
        }
        Ok(())
    }

    fn count_run(&mut self, run: &EndedRun) {
        let known = KeyNo::new(run.key_no).filter(|key_no| self.keys.get(*key_no).is_some());
        if let Some(key_no) = known {
            self.open.used.entry(key_no).or_default().add(run);
        }
    }
}

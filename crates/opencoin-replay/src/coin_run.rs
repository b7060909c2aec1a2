//! Leaves of coins and blinds, which are nearly all leaves of a log.
//!
//! They have one length, and in an ordered batch those of a type and key follow each other. So such a run is counted as a
//! whole, and its digests go to the index many at a time.

use opencoin_log::digest::DIGEST_BYTES;
use opencoin_log::leaf::COIN_LEAF_BYTES;

use crate::finding::LeafRange;
use crate::spent_index::SeriesKind;

/// Version, type and number of the key.
pub(crate) const HEADER_BYTES: usize = COIN_LEAF_BYTES - DIGEST_BYTES;
/// The most digests that go to the index at once.
pub(crate) const DIGESTS_MAX: usize = 8192;

const VERSION: u8 = 0x01;
/// The type of leaves for blinds that were accepted, of which equal ones may follow each other.
pub(crate) const ISSUED: u8 = 0x10;
const SPENT: u8 = 0x11;
const COIN_RECOUPED: u8 = 0x12;
const BLIND_RECOUPED: u8 = 0x13;

/// The types of leaves about coins and blinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CoinLeafKind {
    Issued,
    Spent,
    CoinRecouped,
    BlindRecouped,
}

impl CoinLeafKind {
    const fn of_type(leaf_type: u8) -> Option<Self> {
        match leaf_type {
            ISSUED => Some(Self::Issued),
            SPENT => Some(Self::Spent),
            COIN_RECOUPED => Some(Self::CoinRecouped),
            BLIND_RECOUPED => Some(Self::BlindRecouped),
            _ => None,
        }
    }

    /// What its digests must differ from; `None` for issued leaves, since a blind may come again.
    pub(crate) const fn series(self) -> Option<SeriesKind> {
        match self {
            Self::Issued => None,
            Self::Spent | Self::CoinRecouped => Some(SeriesKind::Coins),
            Self::BlindRecouped => Some(SeriesKind::RecoupedBlinds),
        }
    }
}

/// The parts of a leaf about a coin or blind; `None` if the leaf is another one.
pub(crate) fn split(leaf: &[u8]) -> Option<(&[u8; HEADER_BYTES], &[u8; DIGEST_BYTES])> {
    let (header, digest) = leaf.split_first_chunk::<HEADER_BYTES>()?;
    let digest = digest.try_into().ok()?;
    (header[0] == VERSION && CoinLeafKind::of_type(header[1]).is_some()).then_some((header, digest))
}

/// The leaves of one type and key that are being read.
#[derive(Debug, Default)]
pub(crate) struct CoinRun {
    /// All zero when there is no run.
    header: [u8; HEADER_BYTES],
    first: u64,
    count: u64,
    /// The digests that are not in the index yet.
    digests: Vec<[u8; DIGEST_BYTES]>,
    /// The index of the leaf with the first of them.
    digests_first: u64,
}

/// A run that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndedRun {
    pub(crate) kind: CoinLeafKind,
    /// May be 0, which no key has.
    pub(crate) key_no: u32,
    pub(crate) range: LeafRange,
    pub(crate) count: u64,
}

impl CoinRun {
    /// Whether a leaf with this header belongs to the run.
    pub(crate) fn has(&self, header: &[u8; HEADER_BYTES]) -> bool {
        self.header == *header
    }

    /// Begins a run, after the one before was ended.
    pub(crate) fn begin(&mut self, header: [u8; HEADER_BYTES], first: u64) {
        self.header = header;
        (self.first, self.count) = (first, 0);
    }

    /// Whether there is a run.
    pub(crate) fn is_open(&self) -> bool {
        self.count > 0
    }

    pub(crate) fn count(&mut self) {
        self.count += 1;
    }

    /// Keeps a digest for the index. Returns whether it is time for [`Self::digests`].
    pub(crate) fn keep(&mut self, digest: &[u8; DIGEST_BYTES], index: u64) -> bool {
        if self.digests.is_empty() {
            self.digests_first = index;
        }
        self.digests.push(*digest);
        self.digests.len() == DIGESTS_MAX
    }

    pub(crate) fn kind(&self) -> Option<CoinLeafKind> {
        CoinLeafKind::of_type(self.header[1])
    }

    pub(crate) fn key_no(&self) -> u32 {
        let (_, number) = self.header.split_last_chunk().expect("the header has more bytes");
        u32::from_be_bytes(*number)
    }

    /// The digests of leaves that follow each other, and the index of the first of these leaves.
    pub(crate) fn digests(&self) -> (&[[u8; DIGEST_BYTES]], u64) {
        (&self.digests, self.digests_first)
    }

    pub(crate) fn clear_digests(&mut self) {
        self.digests.clear();
    }

    /// Ends the run, if there is one.
    pub(crate) fn end(&mut self) -> Option<EndedRun> {
        let ended = self.is_open().then(|| EndedRun {
            kind: self.kind().expect("a run has the type of its first leaf"),
            key_no: self.key_no(),
            range: LeafRange {
                first: self.first,
                last: self.first + (self.count - 1),
            },
            count: self.count,
        });
        self.begin([0; HEADER_BYTES], 0);
        ended
    }
}

//! How much a renew makes the books grow. A renew needs no account and costs its sender nothing, and the
//! books keep it for ever, so it must be short.

use opencoin_ledger::{
    BLIND_REFERENCE_BYTES_MAX, Blind, CoinIn, Command, SpentDigest, TRANSACTION_REFERENCE_BYTES_MAX,
    TransactionReference,
};

use crate::Pair;
use crate::world::{NOW, World, alice, key_id};

/// The maximum growth of the books, in bytes, by a renew of one coin for another, with every field of the
/// maximum length and the longest mint key in use. `docs/API.md` has the same figure.
pub const RENEW_BYTES_MAX: u64 = 2_816;

/// The length in bytes of a blind of the longest mint key in use, which has 4,096 bits.
const BLINDED_BYTES: usize = 512;
const BATCH: u64 = 100;

/// Makes books and applies `count` renews of one coin, each with a request of the maximum length. Returns the
/// growth of the books per renew, in bytes. `size` returns the size of the books.
///
/// # Panics
/// The ledger refuses a command or has applied it before.
pub async fn growth_of_a_renew(ledgers: &Pair, count: u64, size: impl AsyncFn() -> u64) -> u64 {
    let world = World::with_paid_in(ledgers, 1).await;
    let blind = |number: u64| Blind {
        reference: "r".repeat(BLIND_REFERENCE_BYTES_MAX),
        mint_key: key_id(1),
        blinded: incompressible(number, BLINDED_BYTES),
    };
    let reference = |number: u64| {
        TransactionReference::new(incompressible(number, TRANSACTION_REFERENCE_BYTES_MAX)).unwrap()
    };
    let mint = Command::Mint {
        account: alice(),
        transaction_reference: reference(0),
        blinds: vec![blind(0)],
        payment: None,
        wait_until: None,
        at: NOW,
    };
    world.one(mint).await.unwrap();
    let before = size().await;
    let numbers: Vec<u64> = (1..=count).collect();
    for batch in numbers.chunks(BATCH as usize) {
        let renew = |number: &u64| Command::Renew {
            transaction_reference: reference(*number),
            coins: vec![CoinIn {
                mint_key: key_id(1),
                spent_digest: SpentDigest::new(incompressible(*number, 32).try_into().unwrap()),
            }],
            blinds: vec![blind(*number)],
            at: NOW,
        };
        let commands: Vec<Command> = batch.iter().map(renew).collect();
        for outcome in world.apply(&commands).await {
            assert!(!outcome.unwrap().repeated);
        }
    }
    (size().await - before) / count
}

/// Bytes that no database can compress: a linear congruential sequence with Knuth's constants.
fn incompressible(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8 | 1
    };
    std::iter::repeat_with(next).take(length).collect()
}

//! How much the books grow by what anybody may ask for without an account. A renew costs its sender nothing,
//! because its value is conserved, and the books keep it for ever: so it must be short.

use opencoin_ledger::{
    BLIND_REFERENCE_BYTES_MAX, Blind, CoinIn, Command, PayloadHash, TRANSACTION_REFERENCE_BYTES_MAX,
    TransactionReference,
};

use crate::Pair;
use crate::world::{NOW, World, alice, key_id};

/// The most bytes by which one renew of one coin for another makes the books grow, with every field as long
/// as a request may have it and the longest mint key in use. `docs/API.md` has the same figure.
pub const RENEW_BYTES_MAX: u64 = 2_560;

/// The bytes of a number of the longest mint key in use, of 4,096 bits.
const BLINDED_BYTES: usize = 512;
const BATCH: u64 = 100;

/// Makes books with one coin, and then renews it so many times, each time with a request of the greatest
/// length. How large the books are is asked for before and after the renews; the answer is by how much each
/// has made them grow.
///
/// # Panics
/// The ledger refuses.
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
                payload_hash: PayloadHash::new(&incompressible(*number, 48)).unwrap(),
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

/// Bytes in which no database finds a pattern: a linear congruential sequence (Knuth's constants).
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

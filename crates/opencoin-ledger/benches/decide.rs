//! The cost of a redeem of 64 coins without the database: its identity, its touches and its decision. Also
//! the encoding of 64 blinds.

#![expect(clippy::unwrap_used, reason = "the setup of a benchmark may panic")]

use std::hint::black_box;

use divan::Bencher;
use opencoin_ledger::view::{AccountOwner, AccountState, MintKeyNo, MintKeyState};
use opencoin_ledger::{
    AccountId, AccountStatus, Amount, Blind, CoinIn, Command, EntryNo, LedgerTime, MintKeyId,
    MintKeyIdentity, MintKeyTerms, Prepared, SpentDigest, Touches, View, decide, encode_blinds,
};
use opencoin_log::digest::KeyFingerprint;

const ITEMS: u8 = 64;
const ACCOUNT: AccountId = AccountId::FIRST_HOLDER;
const MINT_KEY: MintKeyId = MintKeyId::new([7; 20]);
const NOW: LedgerTime = LedgerTime::from_unix_micros(1);

fn main() {
    divan::main();
}

fn redeem() -> Command {
    let coin = |seed: u8| CoinIn {
        mint_key: MINT_KEY,
        spent_digest: SpentDigest::new([seed; 32]),
    };
    // Not in order, like the coins of a real request.
    Command::Redeem {
        account: ACCOUNT,
        coins: (0..ITEMS).map(|index| coin(index.wrapping_mul(37))).collect(),
        at: NOW,
    }
}

/// The view that a store loads for the redeem.
fn view() -> View {
    let mut view = View::default();
    let name = "alice".parse().unwrap();
    view.load_account(AccountState {
        id: ACCOUNT,
        name,
        owner: AccountOwner::Holder { token_hash: None },
        last_entry: EntryNo::BEFORE_ALL,
        balance: Amount::ZERO,
        status: AccountStatus::Open,
    });
    let terms = MintKeyTerms::new(Amount::new(1).unwrap(), NOW, NOW, NOW).unwrap();
    view.load_mint_key(MintKeyState {
        no: MintKeyNo::new(1),
        id: MINT_KEY,
        terms,
        issued: u64::from(ITEMS),
        returned: 0,
        recouped: 0,
        stopped: None,
        retired: false,
        pruned: false,
        awaits_log: false,
        identity: MintKeyIdentity::new(KeyFingerprint::new([9; 32]), 256),
    });
    view
}

#[divan::bench]
fn prepare_redeem_of_64(bencher: Bencher<'_, '_>) {
    let commands = [redeem()];
    bencher.bench(|| Prepared::batch(black_box(&commands)));
}

#[divan::bench]
fn touches_of_redeem_of_64(bencher: Bencher<'_, '_>) {
    let commands = [redeem()];
    let prepared = Prepared::batch(&commands);
    bencher.bench(|| Touches::of(black_box(&prepared)));
}

#[divan::bench]
fn decide_redeem_of_64(bencher: Bencher<'_, '_>) {
    let commands = [redeem()];
    let prepared = Prepared::batch(&commands);
    // The view is returned, so that dropping it is not measured.
    bencher.with_inputs(view).bench_values(|mut view| {
        decide(&mut view, black_box(&prepared[0])).unwrap();
        (view.take_changes(), view)
    });
}

#[divan::bench]
fn encode_64_blinds(bencher: Bencher<'_, '_>) {
    let blind = |seed: u8| Blind {
        reference: format!("blind {seed}"),
        mint_key: MINT_KEY,
        blinded: vec![seed; 256],
    };
    let blinds: Vec<_> = (0..ITEMS).map(blind).collect();
    bencher.bench(|| encode_blinds(black_box(&blinds)));
}

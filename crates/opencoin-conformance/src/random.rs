//! Random commands in random batches, and the comparison of ledgers that apply them.
//!
//! There are only a few accounts, keys, references and coins, so that repetitions, conflicts, double spends
//! and over-redemptions are frequent.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::Store;
use crate::key_world::*;
use crate::world::*;
use opencoin_audit::check;
use opencoin_ledger::{
    AccountEntry, AccountId, AccountStatus, Command, EntryNo, EntryPage, LedgerTime, MintKeyStatus,
    PayoutFilter, PayoutNo, StoredBlind, TransactionNo, TransactionReference,
};

/// Batches of commands, to be applied in order.
pub type Sequence = Vec<Vec<Command>>;

const COMMANDS_MAX: usize = 60;
const BATCH_MAX: usize = 12;
/// The number of transaction references.
const TRANSACTIONS: u8 = 30;
/// The mint keys that a sequence registers first, with their denominations.
const REGISTERED: [(u8, u64); 3] = [(1, 1), (2, 2), (4, 2)];
/// The number of keys that may have accounts.
const ACCOUNT_KEYS: usize = 3;

/// Any sequence of commands, divided into batches anywhere. It begins by opening accounts, registering keys
/// and minting coins, so that the other commands have something to act on.
pub fn sequence() -> impl Strategy<Value = Sequence> {
    (vec(command(), 1..COMMANDS_MAX), vec(1..=BATCH_MAX, COMMANDS_MAX)).prop_map(|(random, sizes)| {
        let mut commands = vec![open("alice", 1), open("bob", 2)];
        commands.extend(registered_and_logged(&REGISTERED));
        commands.extend([
            credit(alice(), 100, "0"),
            mint(alice(), "0", &[1, 1, 1, 1, 2, 2, 2, 4, 4, 4, 4]),
            introduce(0),
            introduce(1),
            transfer(alice(), key_account(0), 20, "funding"),
        ]);
        commands.extend(random);
        let mut rest = commands.into_iter().peekable();
        let mut sizes = sizes.into_iter();
        let mut batches = Vec::new();
        while rest.peek().is_some() {
            let size = sizes.next().unwrap_or(1);
            batches.push(rest.by_ref().take(size).collect());
        }
        batches
    })
}

/// Applies a sequence to every ledger. Asserts that all of them give the same answers as the first one, the
/// model, and that the books hold.
///
/// # Panics
/// Two ledgers differ, or an invariant does not hold.
pub async fn assert_agreement(batches: &Sequence, ledgers: &[Arc<dyn Store>]) {
    let (model, stores) = ledgers.split_first().expect("a model and stores to compare");
    for batch in batches {
        let expected = model.apply(batch).await.unwrap();
        for store in stores {
            assert_eq!(store.apply(batch).await.unwrap(), expected, "{batch:?}");
        }
    }
    for ledger in ledgers {
        forget_rows(&[&**ledger]).await;
    }
    let facts = model.audit_facts().await.unwrap();
    let report = check(&facts);
    assert!(report.holds(), "{report:#?}");
    for store in stores {
        assert_eq!(store.audit_facts().await.unwrap(), facts);
        assert_eq!(store.mint_keys().await.unwrap(), model.mint_keys().await.unwrap());
        assert_eq!(
            store.signing_paused().await.unwrap(),
            model.signing_paused().await.unwrap()
        );
        for key in model.mint_keys().await.unwrap() {
            assert_eq!(unsigned(&**store, &key).await, unsigned(&**model, &key).await);
        }
        let payouts = async |store: &dyn Store| {
            store
                .accounts()
                .payouts(PayoutFilter::All, PayoutNo::BEFORE_ALL, 100)
                .await
                .unwrap()
        };
        assert_eq!(payouts(&**store).await, payouts(&**model).await);
        let of_keys = (0..ACCOUNT_KEYS as i64).map(key_account);
        for account in of_keys.chain([alice(), bob()]) {
            assert_eq!(entries(&**store, account).await, entries(&**model, account).await);
        }
        for account in [alice(), bob()] {
            let profile = async |store: &dyn Store| store.accounts().profile_by_id(account).await.unwrap();
            assert_eq!(profile(&**store).await, profile(&**model).await);
        }
        for number in 0..ACCOUNT_KEYS {
            let key = account_key(number);
            let status = async |store: &dyn Store| store.accounts().key_account(&key).await.unwrap();
            assert_eq!(status(&**store).await, status(&**model).await);
            for seq in 1..=SEQ_MAX {
                let batch = async |store: &dyn Store| store.log().key_payment(&key, seq).await.unwrap();
                assert_eq!(batch(&**store).await, batch(&**model).await);
            }
        }
        for number in 0..TRANSACTIONS {
            let reference = reference(&format!("t{number}"));
            assert_eq!(
                store.transaction(&reference).await.unwrap(),
                model.transaction(&reference).await.unwrap()
            );
            assert_eq!(
                store.accounts().waiting(&reference).await.unwrap(),
                model.accounts().waiting(&reference).await.unwrap()
            );
        }
        assert_eq!(
            store.accounts().backlog().await.unwrap(),
            model.accounts().backlog().await.unwrap()
        );
    }
}

/// The unsigned transactions of a key without their numbers, which differ between stores: another process or
/// an attempt that was rolled back may have taken some.
async fn unsigned(ledger: &dyn Store, key: &MintKeyStatus) -> Vec<(TransactionReference, Vec<StoredBlind>)> {
    let page = ledger
        .unsigned(key, TransactionNo::BEFORE_ALL, usize::from(u16::MAX))
        .await
        .unwrap();
    assert_eq!(page.next, None);
    let mut found: Vec<_> = page
        .transactions
        .into_iter()
        .map(|found| (found.reference, found.blinds))
        .collect();
    found.sort_unstable_by(|first, second| first.0.cmp(&second.0));
    found
}

/// The entries of an account. Their numbers are the same in every store.
async fn entries(ledger: &dyn Store, account: AccountId) -> Vec<AccountEntry> {
    let page = EntryPage::After(EntryNo::BEFORE_ALL);
    let entries = ledger
        .accounts()
        .entries(account, page, u32::from(u16::MAX))
        .await
        .unwrap();
    assert!(entries.is_sorted_by_key(|entry| entry.no));
    entries
}

fn command() -> impl Strategy<Value = Command> {
    let kinds = prop_oneof![
        1 => (name(), 1_u8..4).prop_map(|(name, token)| open(&name, token)),
        2 => (account(), units(), payment()).prop_map(|(account, units, payment)| credit(account, units, &payment)),
        1 => (account(), units(), payment()).prop_map(|(account, units, payment)| debit(account, units, &payment)),
        2 => (account(), account(), units(), payment(), 0_u8..3)
            .prop_map(|(from, to, units, key, label)| match transfer(from, to, units, &key) {
                transfer if label == 0 => transfer,
                transfer => labelled(&label.to_string(), transfer),
            }),
        2 => (account(), units(), payment()).prop_map(|(account, units, key)| payout(account, units, &key)),
        1 => (0_i64..5, any::<bool>(), 0_u8..2).prop_map(|(no, is_paid, text)| {
            if is_paid { paid(no, &text.to_string()) } else { failed(no, &text.to_string()) }
        }),
        1 => (account(), status()).prop_map(|(account, status)| set_status(account, status)),
        1 => (key(), 1_u64..4).prop_map(|(key, denomination)| register(key, denomination)),
        2 => prop_oneof![3 => Just(3), 6 => Just(4), 1 => key()].prop_map(stop),
        1 => any::<bool>().prop_map(|paused| Command::SetSigningPaused { paused, at: NOW }),
        6 => (account(), transaction(), vec(key(), 0..8))
            .prop_map(|(account, reference, keys)| mint(account, &reference, &keys)),
        // Bob has no money at first, so his mints may wait. Few variants, so that the same mint is often
        // repeated.
        6 => (transaction(), 1_usize..3, prop::option::of(time())).prop_map(|(reference, coins, until)| {
            let mint = mint(bob(), &reference, &vec![4; coins]);
            until.map_or(mint.clone(), |until| patient(until.unix_micros(), mint))
        }),
        6 => (transaction(), vec(coin(), 0..3), vec(key(), 0..4))
            .prop_map(|(reference, coins, keys)| renew(&reference, &coins, &keys)),
        6 => (transaction(), coin()).prop_map(|(reference, coin)| renew(&reference, &[coin], &[coin.0])),
        6 => (account(), vec(coin(), 0..3)).prop_map(|(account, coins)| redeem(account, &coins)),
        2 => (transaction(), vec(recouped_blind(), 0..3), vec(key(), 0..3))
            .prop_map(|(reference, recouped, keys)| recoup(&reference, &recouped, &keys)),
        // Recoups of equal values.
        6 => (transaction(), recouped_blind(), recouped_blind())
            .prop_map(|(reference, first, second)| match first.0 {
                1 => recoup(&reference, &[first, (1, second.1, second.2)], &[2]),
                2 => recoup(&reference, &[first], &[4]),
                _ => recoup(&reference, &[first], &[1, 1]),
            }),
        3 => key_statement(),
        6 => key_payment(),
    ];
    let timed = (kinds, time()).prop_map(|(command, time)| at(time.unix_micros(), command));
    // Mostly at a time when it is allowed. Commands with earlier times follow, as after a clock was set back.
    let prunes = (
        key(),
        prop_oneof![3 => Just(EXPIRY + 1), 1 => time().prop_map(LedgerTime::unix_micros)],
    );
    let retirements = (
        key(),
        prop_oneof![1 => Just(SIGN_TO + 1), 1 => time().prop_map(LedgerTime::unix_micros)],
    );
    prop_oneof![
        60 => timed,
        1 => prunes.prop_map(|(key, time)| at(time, prune(key))),
        1 => retirements.prop_map(|(key, time)| at(time, retire(key))),
    ]
}

/// A command that introduces a key or credits its account.
fn key_statement() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => (0..ACCOUNT_KEYS, 0_u64..3).prop_map(|(number, expiry_s)| introduce_until(number, expiry_s)),
        1 => (0..ACCOUNT_KEYS).prop_map(introduce),
        2 => (any_key_account(), units(), payment())
            .prop_map(|(account, units, payment)| credit(account, units, &payment)),
        2 => (account(), any_key_account(), units(), payment())
            .prop_map(|(from, to, units, key)| transfer(from, to, units, &key)),
        2 => (any_key_account(), vec(coin(), 1..3)).prop_map(|(account, coins)| redeem(account, &coins)),
    ]
}

/// A payment by a key. Most of them are for the first ones of a key, so that many have the next number.
fn key_payment() -> impl Strategy<Value = Command> {
    let from = || prop_oneof![8 => Just(0), 4 => Just(1), 1 => Just(2)];
    let to = prop_oneof![4 => Just(0), 8 => Just(1), 1 => Just(2)];
    let units = || prop_oneof![1 => Just(0), 15 => 1_u64..8];
    let numbers = || (from(), seq(), units());
    let holders = prop::sample::select(vec![(alice(), "alice"), (bob(), "bob"), (bob(), "alice")]);
    let coins = prop::sample::select(vec![vec![1], vec![2], vec![1, 2], vec![4, 4], vec![1, 1, 1]]);
    let payments = prop_oneof![
        6 => (numbers(), to)
            .prop_map(|((from, seq, units), to)| pay_key(from, to, seq, units)),
        2 => (numbers(), holders).prop_map(|((from, seq, units), to)| pay_holder(from, to, seq, units)),
        4 => (numbers(), transaction(), coins, prop::bool::weighted(0.9)).prop_map(
            |((from, seq, units), reference, keys, is_worth_it)| {
                let worth = |key: &u8| REGISTERED.iter().find(|(id, _)| id == key).unwrap().1;
                let units = if is_worth_it { keys.iter().map(worth).sum() } else { units };
                mint_by_key(from, seq, units, &reference, &keys, &REGISTERED)
            }
        ),
    ];
    // Some have expired, or are for another log.
    (payments, 0_u8..20).prop_map(|(payment, fault)| {
        with_order(payment, |order| match fault {
            0 => order.expires = 0,
            1 => order.domain = "other.example/log".to_owned(),
            _ => {}
        })
    })
}

/// The highest number of a payment.
const SEQ_MAX: u64 = 6;

fn seq() -> impl Strategy<Value = u64> {
    prop_oneof![8 => Just(1), 6 => Just(2), 4 => Just(3), 2 => 0..=SEQ_MAX]
}

fn any_key_account() -> impl Strategy<Value = AccountId> {
    (0..=ACCOUNT_KEYS as i64).prop_map(key_account)
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["alice".to_owned(), "bob".to_owned(), "carol".to_owned()])
}

fn account() -> impl Strategy<Value = AccountId> {
    prop_oneof![
        16 => Just(alice()),
        16 => Just(bob()),
        2 => (0_i64..7).prop_map(AccountId::new),
        1 => any_key_account(),
    ]
}

/// Mostly not for long, so that the other commands have something to act on.
fn status() -> impl Strategy<Value = AccountStatus> {
    prop_oneof![
        4 => Just(AccountStatus::Open),
        2 => Just(AccountStatus::Frozen),
        1 => Just(AccountStatus::Closed),
    ]
}

fn units() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0_u64..30, 1 => Just(i64::MAX as u64)]
}

fn payment() -> impl Strategy<Value = String> {
    (0_u8..6).prop_map(|number| number.to_string())
}

fn transaction() -> impl Strategy<Value = String> {
    (0..TRANSACTIONS).prop_map(|number| format!("t{number}"))
}

fn key() -> impl Strategy<Value = u8> {
    prop_oneof![9 => Just(1), 6 => Just(2), 1 => Just(3), 2 => Just(4)]
}

fn coin() -> impl Strategy<Value = (u8, u32)> {
    (key(), 0_u32..30)
}

/// A key, a blind and a coin to recoup, which may or may not be valid.
fn recouped_blind() -> impl Strategy<Value = (u8, u32, u32)> {
    (
        prop_oneof![3 => Just(4), 1 => key()],
        0_u32..12,
        prop_oneof![3 => 0_u32..12, 1 => 0_u32..30],
    )
}

fn time() -> impl Strategy<Value = LedgerTime> {
    prop_oneof![30 => SIGN_FROM..=SIGN_TO, 2 => 0..EXPIRY + 50].prop_map(LedgerTime::from_unix_micros)
}

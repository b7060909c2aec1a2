//! Rules of accounts that belong to keys: introductions, payments, credits, and mints by key.

mod at_once;
mod in_the_log;

pub use at_once::*;
pub use in_the_log::*;

use std::sync::Arc;

use opencoin_ledger::{
    AccountName, Accounts, ActionKind, Command, Effect, EntryNo, EntryPage, KeyAccountStatus, Login,
    NewService, NewSession, Outcome, PasswordHash, ProfileFilter, Refusal, Scope, ServiceId, TokenHash,
};
use opencoin_log::key_account::{
    AMOUNT_MAX, AccountKey, MEMO_BYTES_MAX, Payee, PaymentFault, account_details,
};

use crate::key_world::*;
use crate::world::*;
use crate::{Pair, Store, World};

/// Balance, payments and credits of a key.
async fn status(store: &dyn Store, number: usize) -> (u64, u64, u64) {
    let found = store.accounts().key_account(&account_key(number)).await.unwrap();
    let KeyAccountStatus {
        balance,
        seq,
        credits,
        ..
    } = found.unwrap();
    (balance.units(), seq, credits)
}

/// Books in which two keys have accounts, the first one with so much money.
async fn with_keys(ledgers: &Pair, units: u64) -> World {
    let world = World::with_paid_in(ledgers, 1000).await;
    for command in [introduce(0), introduce(1)] {
        world.one(command).await.unwrap();
    }
    if units > 0 {
        let funded = transfer(alice(), key_account(0), units, "funding");
        world.one(funded).await.unwrap();
    }
    world
}

/// Asserts that each command is refused, and that together they change nothing.
async fn assert_refused(ledgers: &Pair, refused: impl IntoIterator<Item = (Command, Refusal)>) {
    let before = ledgers[0].audit_facts().await.unwrap();
    for (index, (command, refusal)) in refused.into_iter().enumerate() {
        let outcome = ledgers[index % 2].apply(std::slice::from_ref(&command)).await;
        assert_eq!(outcome.unwrap(), [Err(refusal)], "{command:?}");
    }
    assert_eq!(ledgers[0].audit_facts().await.unwrap(), before);
}

fn logged_root(outcome: &Outcome) -> Option<(u64, opencoin_log::hash::Hash)> {
    let logged = outcome.as_ref().unwrap().logged?;
    Some((logged.batch.get(), logged.root))
}

/// A key gets one account. The same introduction again is answered in the same way, also when its challenge has ended.
pub async fn a_key_is_introduced_once(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let [one, other] = ledgers;
    let first = one.apply(&[introduce_until(0, 1)]).await.unwrap().remove(0);
    let applied = first.clone().unwrap();
    assert_eq!(
        (applied.repeated, applied.effect),
        (false, Effect::KeyIntroduced(key_account(0)))
    );
    assert!(applied.logged.is_some());
    let late = at(5_000_000, introduce_until(0, 1));
    let again = other.apply(&[late]).await.unwrap().remove(0);
    assert!(again.as_ref().unwrap().repeated);
    assert_eq!(logged_root(&again), logged_root(&first));
    // The log does not have this text, so nothing is promised.
    let another = other.apply(&[introduce(0)]).await.unwrap().remove(0).unwrap();
    assert_eq!(
        (another.repeated, another.effect, another.logged),
        (true, Effect::KeyIntroduced(key_account(0)), None)
    );
    let second = one.apply(&[introduce(1)]).await.unwrap().remove(0).unwrap();
    assert_eq!(second.effect, Effect::KeyIntroduced(key_account(1)));
    assert_eq!(status(&**other, 1).await, (0, 0, 0));
    assert_eq!(other.accounts().key_account(&account_key(2)).await.unwrap(), None);
    let found = account(&**one, &account_key(1).to_string()).await.unwrap();
    assert_eq!(found.id, key_account(1));

    // The neutral element of the curve, which signs everything.
    let mut weak = introduce(2);
    if let Command::IntroduceKey { introduction, .. } = &mut weak {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        introduction.key = AccountKey::of_stored(bytes);
    }
    let expired = at(1_000_000, introduce_until(2, 1));
    assert_refused(
        ledgers,
        [(weak, Refusal::WeakKey), (expired, Refusal::ChallengeExpired)],
    )
    .await;
}

/// Without a log there are no accounts of keys.
pub async fn keys_need_a_log(ledgers: &Pair) {
    for command in [open("alice", 1), open("bob", 2)] {
        ledgers[0].apply(&[command]).await.unwrap().remove(0).unwrap();
    }
    assert_refused(ledgers, [(introduce(0), Refusal::NoLog)]).await;
}

/// Holders cannot take the name of a key, whether it has an account or not.
pub async fn names_of_keys_are_reserved(ledgers: &Pair) {
    with_keys(ledgers, 0).await;
    let named = |number: usize| open(&account_key(number).to_string(), 9);
    assert_refused(
        ledgers,
        [
            (named(2), Refusal::ReservedAccountName),
            (open(&"0".repeat(64), 9), Refusal::ReservedAccountName),
            (named(0), Refusal::AccountExists),
        ],
    )
    .await;
}

/// A key pays other keys and holders. Its payments are numbered without a gap.
pub async fn a_key_pays_in_order(ledgers: &Pair) {
    let world = with_keys(ledgers, 50).await;
    let [one, other] = ledgers;
    let first = one.apply(&[pay_key(0, 1, 1, 20)]).await.unwrap().remove(0);
    let applied = first.clone().unwrap();
    assert_eq!((applied.repeated, applied.effect), (false, moved(20)));
    let again = other.apply(&[pay_key(0, 1, 1, 20)]).await.unwrap().remove(0);
    assert!(again.as_ref().unwrap().repeated);
    assert_eq!(logged_root(&again), logged_root(&first));
    let expected = |expected| Refusal::WrongSeq { expected };
    assert_refused(
        ledgers,
        [
            (pay_key(0, 1, 1, 21), expected(2)),
            (pay_key(0, 1, 3, 5), expected(2)),
            (pay_key(1, 0, 2, 5), expected(1)),
            (
                with_order(pay_key(0, 1, 1, 20), |order| order.memo.clear()),
                expected(2),
            ),
        ],
    )
    .await;
    // The batch sees that the money has come.
    let batch = [
        pay_key(1, 0, 1, 20),
        pay_key(0, 1, 2, 45),
        pay_holder(1, (bob(), "bob"), 2, 30),
    ];
    for outcome in other.apply(&batch).await.unwrap() {
        assert!(outcome.unwrap().logged.is_some());
    }
    assert_eq!(status(&**one, 0).await, (5, 2, 1));
    assert_eq!(status(&**one, 1).await, (15, 2, 0));
    assert_eq!(world.balances().await, [950, 30]);
    let after = EntryPage::After(EntryNo::BEFORE_ALL);
    let entries = one.accounts().entries(key_account(1), after, 10).await.unwrap();
    let amounts: Vec<_> = entries
        .iter()
        .map(|entry| (entry.received, entry.amount.units()))
        .collect();
    assert_eq!(amounts, [(true, 20), (false, 20), (true, 45), (false, 30)]);
    assert_eq!(entries[3].counterparty, Some("bob".parse().unwrap()));
}

/// A payment that breaks a rule is refused and changes nothing.
pub async fn invalid_payments_of_keys_change_nothing(ledgers: &Pair) {
    with_keys(ledgers, 50).await;
    let paid = || pay_key(0, 1, 1, 10);
    let to_bob = || pay_holder(0, (bob(), "bob"), 1, 10);
    let faulty = |fault| Refusal::Payment(fault);
    let with_payee = |account, mut command: Command| {
        if let Command::PayByKey { payee, .. } = &mut command {
            *payee = account;
        }
        command
    };
    let with_payer = |account, mut command: Command| {
        if let Command::PayByKey { payer, .. } = &mut command {
            *payer = account;
        }
        command
    };
    let with_nonce = |another, mut command: Command| {
        if let Command::PayByKey { nonce, .. } = &mut command {
            *nonce = another;
        }
        command
    };
    let short = Refusal::InsufficientFunds {
        balance: amount(50),
        needed: amount(51),
    };
    assert_refused(
        ledgers,
        [
            (pay_key(0, 1, 1, 0), faulty(PaymentFault::Amount)),
            (pay_key(0, 1, 1, AMOUNT_MAX + 1), faulty(PaymentFault::Amount)),
            (pay_key(0, 1, 0, 10), faulty(PaymentFault::Seq)),
            (pay_key(0, 0, 1, 10), faulty(PaymentFault::ToItself)),
            (
                with_order(paid(), |order| order.memo = "a\nb".to_owned()),
                faulty(PaymentFault::Memo),
            ),
            (
                with_order(paid(), |order| order.memo = "x".repeat(MEMO_BYTES_MAX + 1)),
                faulty(PaymentFault::Memo),
            ),
            (
                with_order(paid(), |order| order.domain = "other.example/log".to_owned()),
                Refusal::WrongDomain,
            ),
            (at(100_000_000, paid()), Refusal::PaymentExpired),
            (pay_key(0, 1, 1, 51), short),
            (with_payer(key_account(1), paid()), Refusal::UnknownKey),
            (with_payer(key_account(7), paid()), Refusal::UnknownKey),
            (with_payer(alice(), paid()), Refusal::UnknownKey),
            (with_payee(key_account(7), paid()), Refusal::UnknownKey),
            (with_payee(bob(), paid()), Refusal::UnknownKey),
            (
                with_order(paid(), |order| order.to = Payee::Key(account_key(2))),
                Refusal::WrongPayee,
            ),
            (with_nonce(Some(NONCE), paid()), Refusal::WrongPayee),
            (
                with_order(paid(), |order| order.to = Payee::Mint([1; 32])),
                Refusal::WrongPayee,
            ),
            (with_nonce(None, to_bob()), Refusal::WrongPayee),
            (with_payee(key_account(1), to_bob()), Refusal::WrongPayee),
            (with_payee(alice(), to_bob()), Refusal::WrongDetails),
            (with_nonce(Some([4; 16]), to_bob()), Refusal::WrongDetails),
            (
                with_order(to_bob(), |order| {
                    order.to = Payee::Account(account_details(&NONCE, "bobby"));
                }),
                Refusal::WrongDetails,
            ),
        ],
    )
    .await;
    let in_time = at(99_999_999, paid());
    assert_eq!(
        ledgers[0].apply(&[in_time]).await.unwrap()[0]
            .as_ref()
            .unwrap()
            .effect,
        moved(10)
    );
}

/// A key pays for coins with a payment that commits to them. Nothing waits for money.
pub async fn a_key_mints(ledgers: &Pair) {
    let world = with_keys(ledgers, 10).await;
    let [one, other] = ledgers;
    let minted = |seq, units, text: &str, keys: &[u8]| mint_by_key(0, seq, units, text, keys, &WORLD_KEYS);
    let first = minted(1, 4, "m", &[1, 2, 1]);
    let outcome = one.apply(std::slice::from_ref(&first)).await.unwrap().remove(0);
    assert_eq!(outcome.as_ref().unwrap().effect, accepted(4));
    assert_eq!(status(&**other, 0).await, (6, 1, 1));
    assert_eq!(world.stored("m").await, stored(&[1, 2, 1]));
    let again = other.apply(std::slice::from_ref(&first)).await.unwrap().remove(0);
    assert!(again.as_ref().unwrap().repeated);
    assert_eq!(logged_root(&again), logged_root(&outcome));
    // Signed once more with the next number, it is still the same mint.
    let signed_again = other
        .apply(&[minted(2, 4, "m", &[1, 2, 1])])
        .await
        .unwrap()
        .remove(0);
    assert!(signed_again.unwrap().repeated);

    // The payment has a record of its own.
    let Command::Mint {
        payment: Some(payment),
        ..
    } = first
    else {
        unreachable!("it is a mint by a key");
    };
    let sent_alone = Command::PayByKey {
        payer: key_account(0),
        payee: key_account(1),
        payment,
        nonce: None,
        at: NOW,
    };
    let paid = other.apply(&[sent_alone]).await.unwrap().remove(0);
    assert_eq!(paid.as_ref().unwrap().effect, moved(4));
    assert!(paid.as_ref().unwrap().repeated);
    assert_ne!(logged_root(&paid), logged_root(&outcome));

    let with_reference = |text: &str, mut command: Command| {
        if let Command::Mint {
            transaction_reference,
            ..
        } = &mut command
        {
            *transaction_reference = reference(text);
        }
        command
    };
    let with_account = |payer, mut command: Command| {
        if let Command::Mint { account, .. } = &mut command {
            *account = payer;
        }
        command
    };
    assert_refused(
        ledgers,
        [
            (minted(1, 1, "n", &[1]), Refusal::WrongSeq { expected: 2 }),
            (minted(3, 1, "n", &[1]), Refusal::WrongSeq { expected: 2 }),
            (
                minted(2, 2, "n", &[1]),
                Refusal::PaymentMismatch {
                    payment: amount(2),
                    blinds: amount(1),
                },
            ),
            (
                with_reference("o", minted(2, 1, "n", &[1])),
                Refusal::WrongDetails,
            ),
            (
                with_order(minted(2, 1, "n", &[1]), |order| {
                    order.to = Payee::Key(account_key(1))
                }),
                Refusal::WrongPayee,
            ),
            (
                with_order(minted(2, 1, "n", &[1]), |order| order.domain.clear()),
                Refusal::WrongDomain,
            ),
            (
                with_account(alice(), minted(2, 1, "n", &[1])),
                Refusal::UnknownKey,
            ),
            (
                with_account(key_account(1), minted(2, 1, "n", &[1])),
                Refusal::UnknownKey,
            ),
            (
                patient(SIGN_TO, minted(2, 10, "n", &[5, 5])),
                Refusal::InsufficientFunds {
                    balance: amount(6),
                    needed: amount(10),
                },
            ),
            (mint(key_account(0), "n", &[1]), Refusal::KeyAccount),
            (
                patient(SIGN_TO, mint(key_account(0), "n", &[1])),
                Refusal::KeyAccount,
            ),
            (minted(2, 1, "m", &[1]), Refusal::ReferenceConflict),
        ],
    )
    .await;
    // A holder's mint waits under this reference.
    let waiting = patient(SIGN_TO, mint(bob(), "w", &[5]));
    assert_eq!(one.apply(&[waiting]).await.unwrap(), [new(Effect::Waiting)]);
    assert_refused(ledgers, [(minted(2, 5, "w", &[5]), Refusal::ReferenceConflict)]).await;
    let second = other
        .apply(&[minted(2, 6, "n", &[5, 1])])
        .await
        .unwrap()
        .remove(0);
    assert_eq!(second.unwrap().effect, accepted(6));
    assert_eq!(status(&**one, 0).await, (0, 2, 1));
    assert_eq!(world.counters(1).await, (3, 0));
}

/// Money comes from holders, from outside and from coins, and each credit has a number.
pub async fn keys_are_credited(ledgers: &Pair) {
    let world = with_keys(ledgers, 10).await;
    world.one(mint(alice(), "m", &[1, 2, 5])).await.unwrap();
    let [one, other] = ledgers;
    let credits = [
        credit(key_account(0), 7, "statement 1"),
        redeem(key_account(0), &[(5, 1), (1, 1)]),
        credit(key_account(1), 3, "statement 2"),
    ];
    for (command, units) in credits.iter().zip([7, 6, 3]) {
        let outcome = one.apply(std::slice::from_ref(command)).await.unwrap().remove(0);
        assert_eq!(outcome.unwrap().effect, moved(units));
        let again = other
            .apply(std::slice::from_ref(command))
            .await
            .unwrap()
            .remove(0);
        assert!(again.unwrap().repeated);
    }
    assert_eq!(status(&**other, 0).await, (23, 0, 3));
    assert_eq!(status(&**other, 1).await, (3, 0, 1));
    assert_refused(
        ledgers,
        [
            (credit(key_account(2), 1, "nobody"), Refusal::UnknownAccount),
            (
                transfer(alice(), key_account(2), 1, "nobody"),
                Refusal::UnknownAccount,
            ),
            (
                credit(key_account(0), i64::MAX as u64, "too much"),
                Refusal::Overflow,
            ),
            (
                redeem(key_account(0), &[(5, 1)]),
                Refusal::DoubleSpend { indices: vec![0] },
            ),
        ],
    )
    .await;
}

/// Only a payment that the key has signed moves its money. It has no token, password, session or service, and is in no list.
pub async fn only_payments_move_the_money_of_a_key(ledgers: &Pair) {
    with_keys(ledgers, 10).await;
    let account = key_account(0);
    assert_refused(
        ledgers,
        [
            debit(account, 1, "debit"),
            transfer(account, bob(), 1, "transfer"),
            transfer(account, key_account(1), 1, "to-a-key"),
            payout(account, 1, "payout"),
            mint(account, "mint", &[1]),
            assign(account, 1, "assigned"),
        ]
        .map(|command| (command, Refusal::KeyAccount)),
    )
    .await;
    let accounts: Arc<dyn Accounts> = ledgers[1].accounts();
    let (token, password) = (TokenHash::new([7; 32]), PasswordHash::new("$hash".to_owned()));
    assert!(
        accounts
            .set_token(account, &token, &action(ActionKind::ReplaceToken, "key"))
            .await
            .is_err()
    );
    assert!(accounts.set_listed(account, true).await.is_err());
    let set = accounts.set_password(account, &password, by_operator());
    assert!(set.await.is_err());
    let session = NewSession {
        account,
        login: Login::Password(password),
        token,
        at: NOW,
        expires: time(SIGN_TO),
    };
    assert!(accounts.open_session(&session).await.is_err());
    let service = NewService {
        id: ServiceId::new("a".repeat(32)).unwrap(),
        account,
        name: "till".parse().unwrap(),
        scopes: [Scope::Mint].into(),
        key: token,
        by: token,
        at: NOW,
    };
    assert!(accounts.declare_service(&service).await.is_err());
    assert_eq!(accounts.bearer(&token, NOW).await.unwrap(), None);
    let name = AccountName::of_key(account_key(0));
    let profile = accounts.profile(&name).await.unwrap().unwrap();
    assert_eq!(
        (profile.account.id, profile.password, profile.listed),
        (account, None, false)
    );
    let listed = accounts.profiles(ProfileFilter::All, None, 10).await.unwrap();
    let names: Vec<_> = listed
        .iter()
        .map(|profile| profile.account.name.as_str())
        .collect();
    assert_eq!(names, ["alice", "bob"]);
}

//! Accounts of keys: their statements, and the rules of a batch.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use opencoin_log::hash::Hash;
use opencoin_log::key_account::{
    AccountKey, AccountKeyError, Challenge, Credit, CreditSource, Introduction, MEMO_BYTES_MAX, Payee,
    Payment, PaymentFault, PaymentOrder, RedeemOrder, account_details, mint_details, redeem_message,
};
use opencoin_log::key_ledger::{BatchOfStatements, KeyAccount, KeyLedger, KeyLedgerFault, Signatures};
use opencoin_log::leaf::{Leaf, LeafError, credited_prefix, introduced_prefix, paid_prefix};
use proptest::prelude::*;

use crate::vectors::unhex;

const ORIGIN: &str = "issuer.example/log";
const NOW_S: u64 = 1_800_000_000;
const WITHIN_S: u32 = 3600;

struct Holder(Ed25519KeyPair);

impl Holder {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn key(&self) -> AccountKey {
        AccountKey::new(self.0.public_key().as_ref().try_into().unwrap()).unwrap()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().unwrap()
    }

    fn order(&self, to: Payee, amount: u64, seq: u64) -> PaymentOrder {
        PaymentOrder {
            amount,
            domain: ORIGIN.to_owned(),
            expires: NOW_S,
            from: self.key(),
            memo: "café".to_owned(),
            seq,
            to,
        }
    }

    fn pay(&self, order: PaymentOrder) -> Payment {
        let sig = self.sign(&order.message());
        Payment { order, sig }
    }

    fn paid(&self, to: Payee, amount: u64, seq: u64) -> Leaf {
        Leaf::KeyPaid(Box::new(self.pay(self.order(to, amount, seq))))
    }

    fn introduced(&self) -> Leaf {
        let challenge = Challenge {
            expiry_s: NOW_S,
            code: [7; 16],
        };
        let introduction = Introduction {
            challenge,
            key: self.key(),
            nonce: 5,
        };
        Leaf::KeyIntroduced(Box::new(introduction))
    }

    fn credited(&self, amount: u64, number: u64) -> Leaf {
        let (key, from) = (self.key(), CreditSource::Deposit);
        Leaf::KeyCredited(Box::new(Credit {
            amount,
            from,
            key,
            number,
        }))
    }
}

fn batch() -> BatchOfStatements<'static> {
    BatchOfStatements {
        origin: ORIGIN,
        time_s: NOW_S,
        within_s: WITHIN_S,
    }
}

/// Applies leaves whose proofs of work are taken for granted; signatures are verified.
fn apply(
    ledger: &mut KeyLedger,
    leaves: &[Leaf],
) -> Result<BTreeMap<AccountKey, KeyAccount>, KeyLedgerFault> {
    let (introduced, others): (Vec<&Leaf>, Vec<&Leaf>) = leaves
        .iter()
        .partition(|leaf| matches!(leaf, Leaf::KeyIntroduced(_)));
    let mut trial = ledger.clone();
    trial.apply(introduced, batch(), Signatures::AreVerified)?;
    let changed = trial.apply(others, batch(), Signatures::Verify)?;
    *ledger = trial;
    Ok(changed)
}

/// The eight points of small order, and the spellings of them with a second coordinate that is not reduced. Source: RFC 7748
/// and the curve's equation; the same list is in the literature on signature malleability.
#[test]
fn weak_and_non_canonical_keys_are_refused() {
    let weak = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ];
    for key in weak {
        assert_eq!(key.parse::<AccountKey>(), Err(AccountKeyError::Weak), "{key}");
    }
    let not_canonical = [
        // y = p and y = p + 1.
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // x = 0 with a sign.
        "0100000000000000000000000000000000000000000000000000000000000080",
        // No point has this y.
        "0200000000000000000000000000000000000000000000000000000000000000",
    ];
    for key in not_canonical {
        assert_eq!(
            key.parse::<AccountKey>(),
            Err(AccountKeyError::NotCanonical),
            "{key}"
        );
    }
    let upper = Holder::new(1).key().to_string().to_uppercase();
    for key in ["", "00", &upper] {
        assert_eq!(key.parse::<AccountKey>(), Err(AccountKeyError::Hex), "{key}");
    }
}

#[test]
fn a_signature_has_one_spelling_and_one_message() {
    let alice = Holder::new(1);
    let payment = alice.pay(alice.order(Payee::Key(Holder::new(2).key()), 5, 1));
    assert!(payment.is_signed());
    // The scalar plus the order of the group: the same signature to a lenient verifier.
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let (mut sum, mut carry) = (payment.sig, 0_u16);
    for (digit, order) in sum[32..].iter_mut().zip(order) {
        carry += u16::from(*digit) + u16::from(order);
        *digit = carry as u8;
        carry >>= 8;
    }
    let same = Payment {
        sig: sum,
        ..payment.clone()
    };
    assert!(carry == 0 && same != payment && !same.is_signed());
    let changes: [fn(&mut PaymentOrder); 7] = [
        |order| order.amount += 1,
        |order| order.domain.push('x'),
        |order| order.expires += 1,
        |order| order.memo.push('x'),
        |order| order.seq += 1,
        |order| order.to = Payee::Mint([0; 32]),
        |order| order.from = Holder::new(3).key(),
    ];
    for change in changes {
        let mut other = payment.clone();
        change(&mut other.order);
        assert!(!other.is_signed(), "{other:?}");
    }
}

#[test]
fn statements_have_one_spelling() {
    let alice = Holder::new(1);
    let leaves = [
        alice.introduced(),
        alice.credited(7, 3),
        alice.paid(Payee::Key(Holder::new(2).key()), 5, 9),
        alice.paid(Payee::Mint([4; 32]), 5, 9),
        alice.paid(Payee::Account([5; 32]), 5, 9),
    ];
    for leaf in leaves {
        let bytes = leaf.encode().unwrap();
        assert_eq!(Leaf::decode(&bytes), Ok(leaf));
        for place in [2, 33] {
            let mut other = bytes.clone();
            other[place] ^= 1;
            assert_eq!(Leaf::decode(&other), Err(LeafError::Value));
        }
        for cut in [0, 1, 2, 20, 33, 34, 42, bytes.len() - 1] {
            assert!(Leaf::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        let spaced = [&bytes[..], b" "].concat();
        assert_eq!(Leaf::decode(&spaced), Err(LeafError::Text));
    }
    let text = alice.pay(alice.order(Payee::Mint([4; 32]), 5, 9)).to_text();
    let (details, to) = (
        format!("\"details\": \"{}\", ", "04".repeat(32)),
        "\"to\": \"mint\"",
    );
    for other in [
        text.replace(&details, ""),
        text.replace(to, "\"to\": \"account2\""),
        text.replace(to, &format!("\"to\": \"{}\"", Holder::new(2).key())),
        text.replace("\"seq\": 9", "\"seq\": 9, \"extra\": 1"),
        text.replace("\"amount\": 5", "\"amount\": 5.0"),
        text.replace("\"amount\": 5", "\"amount\": -5"),
        text.replace("\"amount\": 5", "\"amount\": 18446744073709551616"),
    ] {
        assert!(
            other != text && Payment::from_text(other.as_bytes()).is_none(),
            "{other}"
        );
    }
    let weak = alice.introduced().encode().unwrap();
    let weak = String::from_utf8_lossy(&weak[34..]).replace(&alice.key().to_string(), &"00".repeat(32));
    assert_eq!(Introduction::from_text(weak.as_bytes()), None);
}

/// The texts and prefixes are published, so they must never change.
#[test]
fn the_texts_are_known() {
    let alice = Holder::new(1);
    let key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
    assert_eq!(alice.key().to_string(), key);
    let payment = alice.pay(alice.order(Payee::Account([0xab; 32]), 5, 9));
    let sig = payment
        .sig
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let expected = format!(
        "{{\"amount\": 5, \"details\": \"{}\", \"domain\": \"issuer.example/log\", \"expires\": 1800000000, \
         \"from\": \"{key}\", \"memo\": \"caf\\u00e9\", \"seq\": 9, \"sig\": \"{sig}\", \"to\": \"account\", \
         \"type\": \"log payment\"}}",
        "ab".repeat(32)
    );
    assert_eq!(payment.to_text(), expected);
    let message = expected.replace(&format!("\"sig\": \"{sig}\", "), "");
    let message = format!("opencoin.org/key-payment/v1\n{message}");
    assert_eq!(String::from_utf8(payment.order.message()), Ok(message));
    let Leaf::KeyIntroduced(introduction) = alice.introduced() else {
        unreachable!("it is one")
    };
    let challenge = format!("000000006b49d200{}", "07".repeat(16));
    assert_eq!(
        introduction.to_text(),
        format!(
            "{{\"challenge\": \"{challenge}\", \"key\": \"{key}\", \"nonce\": 5, \"type\": \"log key introduction\"}}"
        )
    );
    let Leaf::KeyCredited(credit) = alice.credited(7, 3) else {
        unreachable!("it is one")
    };
    assert_eq!(
        credit.to_text(),
        format!(
            "{{\"amount\": 7, \"from\": \"deposit\", \"key\": \"{key}\", \"number\": 3, \"type\": \"log credit\"}}"
        )
    );
    let prefix = |leaf: Leaf, prefix: Vec<u8>| assert!(leaf.encode().unwrap().starts_with(&prefix));
    prefix(alice.introduced(), introduced_prefix(&alice.key()));
    prefix(alice.credited(7, 3), credited_prefix(&alice.key(), 3));
    prefix(
        alice.paid(Payee::Mint([0; 32]), 1, 2),
        paid_prefix(&alice.key(), 2),
    );
}

#[test]
fn work_is_for_one_key_and_log() {
    let alice = Holder::new(1);
    let challenge = Challenge {
        expiry_s: NOW_S,
        code: [7; 16],
    };
    let found = challenge.work(ORIGIN, alice.key(), 0, 100_000_000).unwrap();
    assert!(found.has_work(ORIGIN) && !found.has_work("other.example/log"));
    let of_other = Introduction {
        key: Holder::new(2).key(),
        ..found.clone()
    };
    assert!(!of_other.has_work(ORIGIN));
    assert_eq!(challenge.work(ORIGIN, alice.key(), found.nonce + 1, 1), None);
    let leaf = Leaf::KeyIntroduced(Box::new(found));
    let mut ledger = KeyLedger::default();
    assert!(ledger.apply([&leaf], batch(), Signatures::Verify).is_ok());
    let fault = ledger.apply([&Holder::new(2).introduced()], batch(), Signatures::Verify);
    let key = Holder::new(2).key();
    assert_eq!(fault, Err(KeyLedgerFault::NoWork { key }));
}

#[test]
fn orders_that_nobody_can_give_are_refused() {
    let alice = Holder::new(1);
    let order = alice.order(Payee::Key(Holder::new(2).key()), 5, 1);
    assert_eq!(order.check(), Ok(()));
    let with = |change: fn(&mut PaymentOrder)| {
        let mut order = order.clone();
        change(&mut order);
        order.check()
    };
    assert_eq!(with(|order| order.amount = 0), Err(PaymentFault::Amount));
    assert_eq!(with(|order| order.amount = 1 << 63), Err(PaymentFault::Amount));
    assert_eq!(with(|order| order.amount = (1 << 63) - 1), Ok(()));
    assert_eq!(with(|order| order.seq = 0), Err(PaymentFault::Seq));
    assert_eq!(
        with(|order| order.to = Payee::Key(order.from)),
        Err(PaymentFault::ToItself)
    );
    assert_eq!(with(|order| order.memo = "x".repeat(MEMO_BYTES_MAX)), Ok(()));
    assert_eq!(
        with(|order| order.memo = "x".repeat(MEMO_BYTES_MAX + 1)),
        Err(PaymentFault::Memo)
    );
    assert_eq!(
        with(|order| order.memo = "a\nb".to_owned()),
        Err(PaymentFault::Memo)
    );
}

#[test]
fn the_rules_of_a_batch() {
    let [alice, bob, carol] = [1, 2, 3].map(Holder::new);
    let key = alice.key();
    let mut ledger = KeyLedger::default();
    assert_eq!((ledger.root(), ledger.total()), (Hash::EMPTY_TREE, 0));
    // Received and paid on in one batch.
    let leaves = [
        alice.introduced(),
        bob.introduced(),
        alice.credited(10, 1),
        alice.credited(5, 2),
        bob.paid(Payee::Mint([0; 32]), 4, 1),
        alice.paid(Payee::Key(bob.key()), 12, 1),
    ];
    let changed = apply(&mut ledger, &leaves).unwrap();
    assert_eq!(changed.len(), 2);
    let of = |balance, seq, credits| KeyAccount {
        balance,
        seq,
        credits,
    };
    assert_eq!(ledger.account(&alice.key()), Some(of(3, 1, 2)));
    assert_eq!(ledger.account(&bob.key()), Some(of(8, 1, 0)));
    assert_eq!(ledger.total(), 11);

    let refused = |leaves: &[Leaf]| {
        let mut trial = ledger.clone();
        let fault = apply(&mut trial, leaves).unwrap_err();
        assert_eq!(trial, ledger, "a refused batch changes nothing");
        fault
    };
    let pay_bob = |amount, seq| alice.paid(Payee::Key(bob.key()), amount, seq);
    assert_eq!(
        refused(&[alice.introduced()]),
        KeyLedgerFault::IntroducedTwice { key }
    );
    assert_eq!(refused(&[pay_bob(4, 2)]), KeyLedgerFault::Overdraft { key });
    assert_eq!(
        refused(&[pay_bob(2, 2), pay_bob(2, 3)]),
        KeyLedgerFault::Overdraft { key }
    );
    let seq = |found, expected| KeyLedgerFault::Seq { key, found, expected };
    assert_eq!(refused(&[pay_bob(1, 1)]), seq(1, 2));
    assert_eq!(refused(&[pay_bob(1, 3)]), seq(3, 2));
    assert_eq!(refused(&[pay_bob(1, 2), pay_bob(1, 2)]), seq(2, 3));
    let number = |found| KeyLedgerFault::CreditNumber {
        key,
        found,
        expected: 3,
    };
    assert_eq!(refused(&[alice.credited(1, 2)]), number(2));
    assert_eq!(refused(&[alice.credited(1, 4)]), number(4));
    let nobody = KeyLedgerFault::NotIntroduced { key: carol.key() };
    assert_eq!(refused(&[carol.credited(1, 1)]), nobody);
    assert_eq!(refused(&[alice.paid(Payee::Key(carol.key()), 1, 2)]), nobody);
    let fault = PaymentFault::Amount;
    assert_eq!(
        refused(&[pay_bob(0, 2)]),
        KeyLedgerFault::Payment { key, seq: 2, fault }
    );
    let signed = |change: fn(&mut PaymentOrder)| {
        let mut order = alice.order(Payee::Key(bob.key()), 1, 2);
        change(&mut order);
        Leaf::KeyPaid(Box::new(alice.pay(order)))
    };
    let other_log = signed(|order| order.domain = "other.example/log".to_owned());
    assert_eq!(refused(&[other_log]), KeyLedgerFault::Domain { key, seq: 2 });
    let late = signed(|order| order.expires = NOW_S - u64::from(WITHIN_S) - 1);
    assert_eq!(refused(&[late]), KeyLedgerFault::Expired { key, seq: 2 });
    let in_time = signed(|order| order.expires = NOW_S - u64::from(WITHIN_S));
    assert!(apply(&mut ledger.clone(), &[in_time]).is_ok());
    let forged = Payment {
        sig: [0; 64],
        order: alice.order(Payee::Key(bob.key()), 1, 2),
    };
    let forged = Leaf::KeyPaid(Box::new(forged));
    assert_eq!(refused(&[forged]), KeyLedgerFault::Signature { key, seq: 2 });
    let too_much = [alice.credited(i64::MAX as u64, 3)];
    assert_eq!(refused(&too_much), KeyLedgerFault::Overflow);
}

#[test]
fn orders_outside_the_log_are_for_one_request() {
    let alice = Holder::new(1);
    let [root, other] = [[1; 32], [2; 32]].map(Hash::new);
    let sig = alice.sign(&redeem_message(ORIGIN, &root));
    let order = RedeemOrder {
        key: alice.key(),
        sig,
    };
    assert!(order.is_for(ORIGIN, &root) && !order.is_for(ORIGIN, &other) && !order.is_for("x", &root));
    let text = order.to_text();
    assert_eq!(RedeemOrder::from_text(text.as_bytes()), Some(order));
    assert_eq!(RedeemOrder::from_text(format!("{text} ").as_bytes()), None);
    assert_ne!(mint_details(b"ab", &root), mint_details(b"a", &root));
    assert_ne!(mint_details(b"ab", &root), mint_details(b"ab", &other));
    assert_ne!(account_details(b"ab", "c"), account_details(b"a", "bc"));
}

proptest! {
    /// Each account is under the root with its own balance and number, and with no other.
    #[test]
    fn accounts_are_proven_under_the_root(seeds in proptest::collection::btree_set(any::<u8>(), 1..20)) {
        let accounts = seeds.iter().map(|seed| {
            let account = KeyAccount { balance: u64::from(*seed) * 3, seq: u64::from(*seed), credits: 0 };
            (Holder::new(*seed).key(), account)
        });
        let ledger = KeyLedger::new(accounts);
        let root = ledger.root();
        for (key, account) in ledger.accounts() {
            let proof = ledger.proof(key).unwrap();
            prop_assert_eq!(proof.verify(key, account, &root), Ok(()));
            let richer = KeyAccount { balance: account.balance + 1, ..*account };
            prop_assert!(proof.verify(key, &richer, &root).is_err());
        }
    }
}

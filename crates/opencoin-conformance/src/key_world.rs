//! Keys with accounts for the tests, and functions that make their commands in one line.

use opencoin_ledger::log::{CoinLeaf, logged};
use opencoin_ledger::view::MintKeyNo;
use opencoin_ledger::{AccountId, Command, KeyPayment, LogBatchNo, MintKeyIdentity};
use opencoin_log::key_account::{
    ACCOUNT_NONCE_BYTES, AccountKey, Challenge, Introduction, Payee, Payment, PaymentOrder, account_details,
    mint_details,
};
use opencoin_log::leaf::issued_leaf;

use crate::world::*;

/// Public keys of RFC 8032, section 7.1. Nobody signs with them: the ledger does not verify signatures.
const KEYS: [&str; 4] = [
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
];

/// What hides the name of a holder in the details of a payment.
pub(crate) const NONCE: [u8; ACCOUNT_NONCE_BYTES] = [3; ACCOUNT_NONCE_BYTES];

/// A key with this number, below the number of [`KEYS`].
pub(crate) fn account_key(number: usize) -> AccountKey {
    KEYS[number].parse().unwrap()
}

/// The account of the key that was introduced as number `place`, from 0.
pub(crate) const fn key_account(place: i64) -> AccountId {
    AccountId::new(AccountId::FIRST_KEY_ACCOUNT.get() + place)
}

/// Introduces the key with this number. The nonce is no proof of work, which the ledger does not verify.
pub(crate) fn introduce(number: usize) -> Command {
    introduce_until(number, u64::MAX)
}

/// As [`introduce`], with a challenge that ends at this second.
pub(crate) fn introduce_until(number: usize, expiry_s: u64) -> Command {
    Command::IntroduceKey {
        introduction: Box::new(Introduction {
            challenge: Challenge {
                expiry_s,
                code: [9; 16],
            },
            key: account_key(number),
            nonce: 7,
        }),
        at: NOW,
    }
}

/// A payment of the key with this number. It ends at second 100.
pub(crate) fn ordered(from: usize, seq: u64, units: u64, to: Payee) -> Box<KeyPayment> {
    let order = PaymentOrder {
        amount: units,
        domain: ORIGIN.to_owned(),
        expires: 100,
        from: account_key(from),
        memo: "for rent".to_owned(),
        seq,
        to,
    };
    Box::new(KeyPayment {
        payment: Payment { order, sig: [5; 64] },
        origin: ORIGIN.to_owned(),
    })
}

/// A payment between the keys with these numbers, which were introduced in the order of their numbers.
pub(crate) fn pay_key(from: usize, to: usize, seq: u64, units: u64) -> Command {
    Command::PayByKey {
        payer: key_account(from as i64),
        payee: key_account(to as i64),
        payment: ordered(from, seq, units, Payee::Key(account_key(to))),
        nonce: None,
        at: NOW,
    }
}

/// A payment of the key with this number to a holder.
pub(crate) fn pay_holder(from: usize, (to, name): (AccountId, &str), seq: u64, units: u64) -> Command {
    Command::PayByKey {
        payer: key_account(from as i64),
        payee: to,
        payment: ordered(from, seq, units, Payee::Account(account_details(&NONCE, name))),
        nonce: Some(NONCE),
        at: NOW,
    }
}

/// Another order in the place of that of a payment or a mint by a key.
pub(crate) fn with_order(mut command: Command, change: impl FnOnce(&mut PaymentOrder)) -> Command {
    match &mut command {
        Command::PayByKey { payment, .. } => change(&mut payment.payment.order),
        Command::Mint {
            payment: Some(payment),
            ..
        } => change(&mut payment.payment.order),
        other => panic!("no key pays: {other:?}"),
    }
    command
}

/// A mint that the key with this number pays for. The mint keys have the numbers of a [`World`](crate::World), or those
/// that they get if they are registered in the order of `registered`.
pub(crate) fn mint_by_key(
    from: usize,
    seq: u64,
    units: u64,
    text: &str,
    keys: &[u8],
    registered: &[(u8, u64)],
) -> Command {
    let mut mint = mint(key_account(from as i64), text, keys);
    let Command::Mint { blinds, payment, .. } = &mut mint else {
        unreachable!("it is a mint");
    };
    let leaf = |blind: &opencoin_ledger::Blind| -> CoinLeaf {
        let place = registered
            .iter()
            .position(|(id, _)| key_id(*id) == blind.mint_key)
            .expect("the mint key is registered");
        let (id, denomination) = registered[place];
        let Command::RegisterMintKey { certificate, .. } = register(id, denomination) else {
            unreachable!("it registers a mint key");
        };
        let identity = MintKeyIdentity::of(&certificate.mint_key.public_mint_key);
        let no = MintKeyNo::new(i32::try_from(place).unwrap() + 1);
        issued_leaf(no.key_no(), &identity.issued_digest(&blind.blinded))
    };
    let leaves: Vec<CoinLeaf> = blinds.iter().map(leaf).collect();
    let root = logged(LogBatchNo::FIRST, &leaves).expect("there are blinds").root;
    let details = mint_details(reference(text).as_bytes(), &root);
    *payment = Some(ordered(from, seq, units, Payee::Mint(details)));
    mint
}

/// The mint keys of a [`World`](crate::World) with their denominations, in the order of their registration.
pub(crate) const WORLD_KEYS: [(u8, u64); 3] = [(1, 1), (2, 2), (5, 5)];

//! Any bytes: a `.tlog-proof` file proves a payment only if the payer has ordered it for this log, whatever the log has
//! signed; and a payment that nobody can order is refused. Anybody can hand such a file to anybody.
//!
//! The bytes are taken as a file, as the additional data of a file whose leaf the log and its witnesses have signed, and
//! as an order that the payer has signed too. `cargo +nightly fuzz run payment_proof` in `crates/opencoin-wallet`.
#![no_main]

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use libfuzzer_sys::fuzz_target;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::key_account::{Payee, Payment, PaymentOrder};
use opencoin_log::leaf::Leaf;
use opencoin_log::proof_file::{EXTRA_BYTES_MAX, ProofFile};
use opencoin_log::tree;
use opencoin_testkit::log_builder::{
    LOG_BEGIN_S, LogBuilder, LogCurrency, LogTerms, account_key, key_of_account,
};
use opencoin_wallet::{CheckedPayment, PaymentProofError, PaymentVerifier};

/// Bits of the first byte.
const HAS_AUDITOR: u8 = 1;
const IS_SECOND: u8 = 2;
const FOR_OTHER_LOG: u8 = 4;
const TO_ITSELF: u8 = 8;
const TO_MINT: u8 = 16;

struct World {
    log: LogBuilder,
    auditor: SigningKey,
    verifier: PaymentVerifier,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let name = "auditor.test/a1".parse().expect("a name of a key");
    let auditor = SigningKey::from_seed(name, KeyType::Ed25519Cosignature, &[9; 32].into()).expect("a seed");
    let terms = LogTerms {
        auditors: vec![format!("{} http://auditor.test", auditor.verifier())],
        ..LogTerms::default()
    };
    let log = LogBuilder::of(Arc::new(LogCurrency::on_terms(
        "issuer.test",
        "http://issuer.test",
        terms,
    )));
    let verifier = PaymentVerifier::new([log.cddc().clone()]);
    World {
        log,
        auditor,
        verifier,
    }
});

fn check(file: &str) -> Result<CheckedPayment, PaymentProofError> {
    let now: DateTime<Utc> =
        DateTime::from_timestamp(LOG_BEGIN_S as i64, 0).expect("a time of this millennium");
    WORLD.verifier.check(file, now)
}

/// The file of a tree of two leaves of which this is one, signed by log and witnesses.
fn file(leaf: &[u8], how: u8) -> String {
    let log = &WORLD.log;
    let (own, other) = (leaf_hash(leaf), Hash::new([7; 32]));
    let is_second = how & IS_SECOND != 0;
    let leaves = if is_second { [other, own] } else { [own, other] };
    let witnesses = log.currency().witnesses();
    let mut checkpoint = log.signed_checkpoint(2, tree::root(&leaves), witnesses, LOG_BEGIN_S);
    if how & HAS_AUDITOR != 0 {
        checkpoint
            .sign(&WORLD.auditor, LOG_BEGIN_S)
            .expect("an auditor's key");
    }
    let proof = ProofFile {
        extra: leaf.to_vec(),
        index: is_second.into(),
        proof: vec![other],
        checkpoint,
    };
    proof.to_string()
}

/// An order of these bytes, signed by the payer.
fn payment(bytes: &[u8], how: u8) -> Option<Payment> {
    let (amount, bytes) = bytes.split_first_chunk()?;
    let (expires, bytes) = bytes.split_first_chunk()?;
    let (seq, memo) = bytes.split_first_chunk()?;
    let (payer, payee) = (account_key(1), account_key(2));
    let from = key_of_account(&payer);
    let order = PaymentOrder {
        amount: u64::from_be_bytes(*amount),
        domain: if how & FOR_OTHER_LOG == 0 {
            "issuer.test/log"
        } else {
            "other.test/log"
        }
        .to_owned(),
        expires: u64::from_be_bytes(*expires),
        from,
        memo: String::from_utf8(memo.to_vec()).ok()?,
        seq: u64::from_be_bytes(*seq),
        to: match how & (TO_ITSELF | TO_MINT) {
            0 => Payee::Key(key_of_account(&payee)),
            TO_ITSELF => Payee::Key(from),
            TO_MINT => Payee::Mint([3; 32]),
            _ => Payee::Account([4; 32]),
        },
    };
    let sig = payer.sign(&order.message()).expect("the library signs");
    let sig = sig.try_into().expect("an Ed25519 signature");
    Some(Payment { order, sig })
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(checked) = check(text)
    {
        assert!(checked.payment.is_signed());
    }
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    if !bytes.is_empty() && bytes.len() <= EXTRA_BYTES_MAX {
        match check(&file(bytes, *how)) {
            Ok(checked) => {
                assert!(checked.payment.is_signed() && checked.payment.order.check().is_ok());
                let leaf = Leaf::KeyPaid(Box::new(checked.payment)).encode();
                assert_eq!(leaf.as_deref(), Ok(bytes));
            }
            Err(PaymentProofError::Format(error)) => panic!("a file of the library's own: {error}"),
            Err(_) => {}
        }
    }
    let Some(payment) = payment(bytes, *how) else {
        return;
    };
    let Ok(leaf) = Leaf::KeyPaid(Box::new(payment.clone())).encode() else {
        return;
    };
    let checked = check(&file(&leaf, *how));
    let is_right = payment.order.check().is_ok() && how & FOR_OTHER_LOG == 0;
    assert_eq!(checked.is_ok(), is_right, "{checked:?}");
    if let Ok(checked) = checked {
        assert_eq!(checked.payment, payment);
        assert_eq!(checked.is_final(), how & HAS_AUDITOR != 0);
        assert_eq!(checked.index, u64::from(how & IS_SECOND != 0));
    }
});

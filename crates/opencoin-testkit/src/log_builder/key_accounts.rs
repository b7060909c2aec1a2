//! Statements about key accounts.

use aws_lc_rs::digest::{SHA256, digest};
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::key_account::{
    AccountKey, Challenge, Credit, CreditSource, Introduction, Payee, Payment, PaymentOrder, WORK_BITS,
};
use opencoin_log::leaf::Leaf;

use super::{LOG_BEGIN_S, LogBuilder};

/// One in a million keys needs more.
const WORK_ATTEMPTS: u64 = 1 << 25;
/// How long a payment can be accepted, in seconds.
const PAYMENT_VALID_S: u64 = 60;

/// The key of an account, made from this number.
///
/// # Panics
/// Never: every seed gives a key.
#[must_use]
pub fn account_key(number: u8) -> SigningKey {
    let name = "account".parse().expect("a name of a key");
    SigningKey::from_seed(name, KeyType::Ed25519Note, &[number; 32].into()).expect("a seed")
}

/// The name of a key's account.
///
/// # Panics
/// The key is none for accounts.
#[must_use]
pub fn key_of_account(key: &SigningKey) -> AccountKey {
    let key = key.verifier().public_key();
    AccountKey::new(key.try_into().expect("an Ed25519 key")).expect("a strong key")
}

/// The first number after which these bytes have the work, with an implementation that is fast in a debug build too.
fn nonce(mut bytes: Vec<u8>) -> Option<u64> {
    let begin = bytes.len();
    bytes.extend([0; size_of::<u64>()]);
    (0..WORK_ATTEMPTS).find(|nonce| {
        bytes[begin..].copy_from_slice(&nonce.to_be_bytes());
        let hash = digest(&SHA256, &bytes);
        let [a, b, c, ..] = hash.as_ref() else {
            return false;
        };
        u32::from_be_bytes([0, *a, *b, *c]).leading_zeros() >= 8 + WORK_BITS
    })
}

impl LogBuilder {
    /// An introduction of this key, with its proof of work. Whether its challenge has expired concerns the issuer alone.
    ///
    /// # Panics
    /// The work is not found, which is less likely than a fault of the machine.
    #[must_use]
    pub fn introduction(&self, key: &SigningKey) -> Introduction {
        let challenge = Challenge {
            expiry_s: LOG_BEGIN_S,
            code: [1; 16],
        };
        let (origin, key) = (self.currency.origin(), key_of_account(key));
        let work = [
            b"opencoin.org/pow/v1\n",
            origin.as_bytes(),
            b"\n",
            &challenge.to_bytes(),
            key.as_bytes(),
        ];
        let nonce = nonce(work.concat()).expect("enough attempts");
        let introduction = Introduction {
            challenge,
            key,
            nonce,
        };
        assert!(introduction.has_work(origin), "the work is of another form");
        introduction
    }

    /// Orders the introduction of a key account.
    pub fn introduce(&mut self, key: &SigningKey) {
        let introduction = self.introduction(key);
        self.add(&Leaf::KeyIntroduced(Box::new(introduction)));
    }

    /// Orders a credit to a key account, which was paid in.
    pub fn credit(&mut self, key: &SigningKey, number: u64, amount: u64) {
        self.add(&Leaf::KeyCredited(Box::new(Credit {
            amount,
            from: CreditSource::Deposit,
            key: key_of_account(key),
            number,
        })));
    }

    /// A payment from one key account to another, after a change by the payer.
    ///
    /// # Panics
    /// The library does not sign.
    #[must_use]
    pub fn payment(
        &self,
        from: &SigningKey,
        to: &SigningKey,
        seq: u64,
        change: impl FnOnce(&mut PaymentOrder),
    ) -> Payment {
        let mut order = PaymentOrder {
            amount: 1,
            domain: self.currency.origin().to_owned(),
            expires: self.now_s + PAYMENT_VALID_S,
            from: key_of_account(from),
            memo: "thanks".to_owned(),
            seq,
            to: Payee::Key(key_of_account(to)),
        };
        change(&mut order);
        let sig = from.sign(&order.message()).expect("the library signs");
        let sig = sig.try_into().expect("an Ed25519 signature");
        Payment { order, sig }
    }

    /// Orders a payment.
    pub fn pay(&mut self, payment: Payment) {
        self.add(&Leaf::KeyPaid(Box::new(payment)));
    }
}

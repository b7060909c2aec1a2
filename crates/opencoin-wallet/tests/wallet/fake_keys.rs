//! The issuer's side of key accounts, in memory. It answers like the HTTP API.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_account::{
    AccountKey, Challenge, Credit, CreditSource, Introduction, Payee, Payment, RedeemOrder, WORK_BITS,
    account_details, mint_details,
};
use opencoin_log::leaf::Leaf;
use opencoin_log::promise::request_root;
use opencoin_schema::{Request, from_json};
use opencoin_wallet::{HttpAnswer, Secret};
use serde::Deserialize;

use crate::fake_issuer::{FakeIssuer, http};

/// How long a challenge is valid.
const CHALLENGE_S: u64 = 600;

/// What the issuer does wrong with key accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyMisdeed {
    /// The list of accounts has another balance.
    OtherBalance,
    /// The list lacks an account.
    MissingAccount,
    /// The list is that of the batch before.
    OldAccounts,
    /// The proof of a payment is that of another one.
    OtherProof,
    /// An accepted payment is not entered in the log.
    Omission,
    /// There are too many accounts for a list.
    TooMany,
    /// The challenge asks for more work.
    MoreWork,
}

/// The books of key accounts, besides balances.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyBooks {
    /// The number of payments and of credits.
    accounts: BTreeMap<AccountKey, (u64, u64)>,
    introductions: BTreeMap<AccountKey, Introduction>,
    pub(crate) payments: BTreeMap<(AccountKey, u64), Payment>,
    /// Redeem requests that were carried out.
    redeemed: BTreeSet<Hash>,
    pub(crate) misdeed: Option<KeyMisdeed>,
    /// How many introductions and payments have arrived.
    pub(crate) arrived: usize,
}

/// The word and the HTTP status of a refusal.
type Refusal = (&'static str, u16);

impl FakeIssuer {
    /// The name under which the balances of accounts have that of a key.
    pub(crate) fn account_of_key(key: &AccountKey) -> String {
        format!("key {key}")
    }

    pub(crate) fn key_balance(&self, key: &AccountKey) -> u64 {
        self.account(&Self::account_of_key(key))
    }

    /// Puts money on a key account, as the operator does.
    pub(crate) fn credit_key(&self, key: &AccountKey, amount: u64) {
        self.enter_credit(key, amount, CreditSource::Deposit);
        self.credit(&Self::account_of_key(key), amount);
    }

    fn enter_credit(&self, key: &AccountKey, amount: u64, from: CreditSource) {
        let mut books = self.keys();
        let (_, credits) = books.accounts.get_mut(key).unwrap();
        *credits += 1;
        let credit = Credit {
            amount,
            from,
            key: *key,
            number: *credits,
        };
        self.log().enter(&Leaf::KeyCredited(Box::new(credit)));
    }

    /// Answers a GET about key accounts; the path begins with `key-`.
    pub(crate) fn get_keys(&self, path: &str, now: DateTime<Utc>) -> HttpAnswer {
        if let Some(key) = path.strip_prefix("key-accounts/challenge?key=") {
            return self.challenge(key, now);
        }
        if path == "key-accounts" {
            return self.all_accounts();
        }
        if let Some(key) = path.strip_prefix("key-accounts/") {
            return self.one_account(&key.parse().unwrap());
        }
        let id = path.strip_prefix("key-payments/").unwrap();
        let (key, seq) = id.split_once('.').unwrap();
        let books = self.keys();
        let payment = books.payments.get(&(key.parse().unwrap(), seq.parse().unwrap()));
        let Some(payment) = payment else {
            return http(404, Some("not-found"), "{}".to_owned());
        };
        let leaf = Leaf::KeyPaid(Box::new(payment.clone())).encode().unwrap();
        let log = self.log();
        let shown = match books.misdeed {
            Some(KeyMisdeed::OtherProof) => log.first_leaf(0x22),
            _ => Some(leaf),
        };
        match shown.and_then(|leaf| log.proof(&leaf)) {
            None => http(202, None, r#"{"state": "accepted"}"#.to_owned()),
            Some(proof) if log.is_auditor_away => {
                let proof = serde_json::to_string(&proof).unwrap();
                http(
                    202,
                    None,
                    format!(r#"{{"proof": {proof}, "state": "published"}}"#),
                )
            }
            Some(proof) => http(200, None, proof),
        }
    }

    fn challenge(&self, key: &str, now: DateTime<Utc>) -> HttpAnswer {
        let key: AccountKey = key.parse().unwrap();
        let expiry_s = now.timestamp() as u64 + CHALLENGE_S;
        let challenge = Challenge {
            expiry_s,
            code: challenge_code(&key, expiry_s),
        };
        let challenge = serde_json::to_string(&challenge).unwrap();
        let bits = match self.keys().misdeed {
            Some(KeyMisdeed::MoreWork) => WORK_BITS + 10,
            _ => WORK_BITS,
        };
        let domain = self.log().origin();
        http(
            200,
            None,
            format!(
                r#"{{"bits": {bits}, "challenge": {challenge}, "domain": "{domain}", "expires": {expiry_s}}}"#
            ),
        )
    }

    fn all_accounts(&self) -> HttpAnswer {
        let misdeed = self.keys().misdeed;
        if misdeed == Some(KeyMisdeed::TooMany) {
            return http(413, Some("too-large"), "{}".to_owned());
        }
        let log = self.log();
        let is_old = misdeed == Some(KeyMisdeed::OldAccounts);
        let (ledger, batch) = log.published_ledger(is_old);
        let mut accounts: Vec<(AccountKey, u64, u64)> = ledger
            .accounts()
            .map(|(key, account)| (*key, account.balance, account.seq))
            .collect();
        match misdeed {
            Some(KeyMisdeed::OtherBalance) => accounts[0].1 += 1,
            Some(KeyMisdeed::MissingAccount) => drop(accounts.remove(0)),
            _ => {}
        }
        let answer = serde_json::json!({
            "accounts": accounts,
            "batch_leaf": STANDARD.encode(&batch),
            "proof": log.proof(&batch).unwrap(),
        });
        http(200, None, answer.to_string())
    }

    fn one_account(&self, key: &AccountKey) -> HttpAnswer {
        let Some((seq, credits)) = self.keys().accounts.get(key).copied() else {
            return http(404, Some("unknown-key"), "{}".to_owned());
        };
        let mut answer = serde_json::json!({
            "balance": self.key_balance(key),
            "credits": credits,
            "key": key,
            "seq": seq,
        });
        let log = self.log();
        let (ledger, batch) = log.published_ledger(false);
        if let Some(proof) = ledger.proof(key) {
            let account = ledger.account(key).unwrap();
            let path: Vec<String> = proof.path.iter().map(Hash::to_base64).collect();
            let balance = match self.keys().misdeed {
                Some(KeyMisdeed::OtherBalance) => account.balance + 1,
                _ => account.balance,
            };
            answer["logged"] = serde_json::json!({
                "balance": balance,
                "batch_leaf": STANDARD.encode(&batch),
                "count": proof.count,
                "index": proof.index,
                "path": path,
                "proof": log.proof(&batch).unwrap(),
                "seq": account.seq,
            });
        }
        http(200, None, answer.to_string())
    }

    /// Carries out an introduction or a payment; the path begins with `key-`.
    pub(crate) fn post_keys(&self, path: &str, body: &str, now: DateTime<Utc>) -> HttpAnswer {
        self.keys().arrived += 1;
        let done = match path {
            "key-accounts" => self.introduce(from_json(body.as_bytes()).unwrap(), now),
            "key-payments" => self.pay(serde_json::from_str(body).unwrap(), now),
            other => panic!("{other}"),
        };
        match done {
            Ok((id, leaf, is_new)) => {
                let enter = is_new && self.keys().misdeed != Some(KeyMisdeed::Omission);
                let leaf = leaf.encode().unwrap();
                HttpAnswer {
                    log_promise: self.log().promise(&[leaf], now, enter),
                    ..http(202, None, format!(r#"{{"id": "{id}"}}"#))
                }
            }
            Err((word, status)) => refused(word, status),
        }
    }

    fn introduce(
        &self,
        introduction: Introduction,
        now: DateTime<Utc>,
    ) -> Result<(String, Leaf, bool), Refusal> {
        let key = introduction.key;
        let mut books = self.keys();
        if let Some(first) = books.introductions.get(&key) {
            return Ok((
                key.to_string(),
                Leaf::KeyIntroduced(Box::new(first.clone())),
                false,
            ));
        }
        let Challenge { expiry_s, code } = introduction.challenge;
        if code != challenge_code(&key, expiry_s) {
            return Err(("wrong-challenge", 422));
        }
        if expiry_s < now.timestamp() as u64 {
            return Err(("challenge-expired", 410));
        }
        if !introduction.has_work(&self.log().origin()) {
            return Err(("no-proof-of-work", 422));
        }
        books.accounts.insert(key, (0, 0));
        books.introductions.insert(key, introduction.clone());
        self.credit(&Self::account_of_key(&key), 0);
        Ok((key.to_string(), Leaf::KeyIntroduced(Box::new(introduction)), true))
    }

    fn pay(&self, request: PaymentRequest, now: DateTime<Utc>) -> Result<(String, Leaf, bool), Refusal> {
        let payment = request.payment;
        let order = &payment.order;
        let id = format!("{}.{}", order.from, order.seq);
        let leaf = Leaf::KeyPaid(Box::new(payment.clone()));
        if self.keys().payments.get(&(order.from, order.seq)) == Some(&payment) {
            return Ok((id, leaf, false));
        }
        let payee = match order.to {
            Payee::Mint(_) => return Err(("wrong-details", 422)),
            Payee::Key(key) if self.keys().accounts.contains_key(&key) => Self::account_of_key(&key),
            Payee::Key(_) => return Err(("unknown-key", 404)),
            Payee::Account(details) => {
                let name = request.account.unwrap();
                let nonce = const_hex::decode(request.nonce.unwrap()).unwrap();
                if details != account_details(&nonce, &name) {
                    return Err(("wrong-details", 422));
                }
                if !self.state().accounts.contains_key(&name) {
                    return Err(("not-found", 404));
                }
                name
            }
        };
        self.take_payment(&payment, now)?;
        self.credit(&payee, order.amount);
        Ok((id, leaf, true))
    }

    /// Checks a payment, takes the money and counts it.
    fn take_payment(&self, payment: &Payment, now: DateTime<Utc>) -> Result<(), Refusal> {
        let order = &payment.order;
        let mut books = self.keys();
        let (seq, _) = books.accounts.get_mut(&order.from).ok_or(("unknown-key", 404))?;
        order.check().expect("the wallet checks its orders");
        assert_eq!(order.domain, self.log().origin());
        assert!(payment.is_signed(), "the wallet signs its orders");
        if order.expires <= now.timestamp() as u64 {
            return Err(("payment-expired", 410));
        }
        if order.seq != *seq + 1 {
            return Err(("wrong-sequence", 409));
        }
        let state = &mut *self.state();
        let balance = state
            .accounts
            .get_mut(&Self::account_of_key(&order.from))
            .unwrap();
        *balance = balance
            .checked_sub(order.amount)
            .ok_or(("insufficient-funds", 402))?;
        *seq = order.seq;
        books.payments.insert((order.from, order.seq), payment.clone());
        Ok(())
    }

    /// Carries out a mint or redeem that a key account has ordered, by `carry_out`, which takes the token of an account.
    pub(crate) fn by_order(
        &self,
        order: &str,
        body: &str,
        now: DateTime<Utc>,
        carry_out: impl FnOnce(&Secret) -> HttpAnswer,
    ) -> HttpAnswer {
        if let Some(payment) = Payment::from_text(order.as_bytes()) {
            let Ok(Request::RequestMint(request)) = Request::from_json(body.as_bytes()) else {
                return refused("wrong-details", 422);
            };
            let token = Secret::new(Self::account_of_key(&payment.order.from));
            if self.is_accepted(&request.transaction_reference) {
                return carry_out(&token);
            }
            let leaves = self.leaves_of(&request.blinds, &[]);
            let details = mint_details(request.transaction_reference.as_be_bytes(), &root_of(&leaves));
            if payment.order.to != Payee::Mint(details)
                || payment.order.amount != self.value_of(&request.blinds)
            {
                return refused("wrong-details", 422);
            }
            if let Err((word, status)) = self.take_payment(&payment, now) {
                return refused(word, status);
            }
            // The mint takes it again.
            self.credit(token.expose(), payment.order.amount);
            self.log().enter(&Leaf::KeyPaid(Box::new(payment)));
            return carry_out(&token);
        }
        let order = RedeemOrder::from_text(order.as_bytes()).unwrap();
        let Ok(Request::RequestRedeem(request)) = Request::from_json(body.as_bytes()) else {
            return refused("wrong-details", 422);
        };
        let root = root_of(&self.leaves_of(&[], &request.coins));
        if !self.keys().accounts.contains_key(&order.key) {
            return refused("unknown-key", 404);
        }
        if !order.is_for(&self.log().origin(), &root) {
            return refused("wrong-signature", 422);
        }
        let token = Secret::new(Self::account_of_key(&order.key));
        let before = self.key_balance(&order.key);
        let answer = carry_out(&token);
        if answer.status == 200 && self.keys().redeemed.insert(root) {
            let amount = self.key_balance(&order.key) - before;
            self.enter_credit(&order.key, amount, CreditSource::Coins);
        }
        answer
    }
}

#[derive(Deserialize)]
struct PaymentRequest {
    payment: Payment,
    account: Option<String>,
    nonce: Option<String>,
}

/// The code of the issuer's challenge.
fn challenge_code(key: &AccountKey, expiry_s: u64) -> [u8; 16] {
    let text = format!("secret {key} {expiry_s}");
    leaf_hash(text.as_bytes()).as_bytes()[..16].try_into().unwrap()
}

fn root_of(leaves: &[Vec<u8>]) -> Hash {
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    request_root(&hashes)
}

fn refused(word: &'static str, status: u16) -> HttpAnswer {
    let body = format!(r#"{{"status": {status}, "status_description": "{word}: no", "title": "no"}}"#);
    http(status, Some(word), body)
}

//! What every key account must hold, from the outcomes that wallets were told.

use std::collections::BTreeMap;
use std::sync::Mutex;

use rand::Rng;
use rand::rngs::StdRng;

/// All accounts and payments. Money that a wallet is about to pay is taken off first and credited only when its payment is
/// acknowledged, so an account never has less than is said here.
#[derive(Default)]
pub(super) struct KeyBooks(Mutex<State>);

#[derive(Default)]
struct State {
    accounts: BTreeMap<String, KeyAccount>,
    payments: Vec<KeyPayment>,
    to_shop: u64,
}

/// An account that belongs to a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KeyAccount {
    pub(super) balance: u64,
    /// The number of its payments. One that was made twice would count twice.
    pub(super) seq: u64,
}

/// An acknowledged payment of a key.
#[derive(Debug, Clone)]
pub(super) struct KeyPayment {
    pub(super) id: String,
    pub(super) from: String,
    pub(super) payee: KeyPayee,
    pub(super) amount: u64,
    pub(super) memo: String,
}

/// Who is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyPayee {
    Key(String),
    /// The holder's account that takes payments by key.
    Shop,
}

impl KeyBooks {
    /// A key was introduced and credited.
    pub(super) fn open(&self, key: &str, balance: u64) {
        let account = KeyAccount { balance, seq: 0 };
        self.0.lock().unwrap().accounts.insert(key.to_owned(), account);
    }

    /// Takes money off an account, if it has so much.
    pub(super) fn take(&self, key: &str, amount: u64) -> bool {
        let mut state = self.0.lock().unwrap();
        let account = state.accounts.get_mut(key).unwrap();
        let rest = account.balance.checked_sub(amount);
        rest.map(|rest| account.balance = rest).is_some()
    }

    /// The money that was taken has paid for coins.
    pub(super) fn minted(&self, key: &str) {
        self.0.lock().unwrap().accounts.get_mut(key).unwrap().seq += 1;
    }

    /// Coins were redeemed into an account.
    pub(super) fn redeemed(&self, key: &str, amount: u64) {
        let mut state = self.0.lock().unwrap();
        state.accounts.get_mut(key).unwrap().balance += amount;
    }

    /// The money that was taken has paid somebody.
    pub(super) fn paid(&self, payment: KeyPayment) {
        let mut state = self.0.lock().unwrap();
        state.accounts.get_mut(&payment.from).unwrap().seq += 1;
        match &payment.payee {
            KeyPayee::Key(key) => state.accounts.get_mut(key).unwrap().balance += payment.amount,
            KeyPayee::Shop => state.to_shop += payment.amount,
        }
        state.payments.push(payment);
    }

    /// Any key but this one; `None` if there is no other one.
    pub(super) fn another_key(&self, key: &str, rng: &mut StdRng) -> Option<String> {
        let state = self.0.lock().unwrap();
        let others: Vec<&String> = state.accounts.keys().filter(|other| *other != key).collect();
        (!others.is_empty()).then(|| others[rng.gen_range(0..others.len())].clone())
    }

    pub(super) fn accounts(&self) -> BTreeMap<String, KeyAccount> {
        self.0.lock().unwrap().accounts.clone()
    }

    pub(super) fn payments(&self) -> Vec<KeyPayment> {
        self.0.lock().unwrap().payments.clone()
    }

    /// What was paid to the shop.
    pub(super) fn to_shop(&self) -> u64 {
        self.0.lock().unwrap().to_shop
    }
}

//! The people of a demo: they have accounts, hold coins, pay each other and ask for payouts.

use std::path::Path;

use anyhow::{Context, Result};
use opencoin_issuer::accounts::AccountService;
use opencoin_issuer::{ActingCashier, Cashier, Issuer, NewPassword};
use opencoin_ledger::{
    AccountId, AccountName, IdempotencyKey, OperatorName, PayoutNo, Reference, Settlement,
};
use opencoin_wallet::{Network, Secret};
use rand::Rng;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::paid_in;
use crate::commands::demo::public_log;
use crate::commands::wallet;

/// Who has an account.
const HOLDERS: [&str; 3] = ["alice", "bob", "carol"];

/// What Alice mints, what she gives Bob of it, and what he puts into his account.
const MINTED: u64 = 137;
const HANDED_OVER: u64 = 50;
const REDEEMED: u64 = 20;

/// Payments between accounts: payer, payee, amount, label.
const PAYMENTS: [(&str, &str, u64, &str); 4] = [
    ("alice", "bob", 45, "rent of the bicycle"),
    ("bob", "carol", 12, "coffee and cake"),
    ("carol", "alice", 80, "second-hand books"),
    ("alice", "carol", 5, ""),
];

/// Payouts: of whom, how much, to which bank account. The numbers are the examples of the registry of IBANs. The first
/// payout is paid, the others wait.
const PAYOUTS: [(&str, u64, &str); 3] = [
    ("carol", 60, "DE89 3704 0044 0532 0130 00"),
    ("alice", 100, "NL91 ABNA 0417 1643 00"),
    ("bob", 30, "FR14 2004 1010 0505 0001 3M02 606"),
];
const PAID_REFERENCE: &str = "bank transfer of today";

/// The characters of passwords: none is taken for another one.
const PASSWORD_CHARS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const PASSWORD_GROUPS: usize = 3;
const PASSWORD_GROUP_LENGTH: usize = 4;

/// Somebody with an account.
pub(super) struct Holder {
    pub(super) name: AccountName,
    pub(super) password: Zeroizing<String>,
    account: AccountId,
    token: Secret,
}

/// Opens the accounts, and lets people mint, pay and ask for payouts. Returns when the public log shows their coins.
pub(super) async fn populate(
    folder: &Path,
    url: &str,
    issuer: &Issuer,
    operator: &OperatorName,
) -> Result<Vec<Holder>> {
    let cashier = issuer.cashier();
    let acting = cashier.acting(operator);
    let mut holders = Vec::new();
    for name in HOLDERS {
        holders.push(open_account(&cashier, &acting, name).await?);
    }
    paid_in::book(&issuer.bank_desk(), operator).await?;
    pay(issuer.accounts(), &holders).await?;
    ask_for_payouts(issuer.accounts(), &holders, &acting).await?;
    use_coins(folder, url, &holders).await?;
    Ok(holders)
}

async fn open_account(cashier: &Cashier, acting: &ActingCashier<'_>, name: &str) -> Result<Holder> {
    let name: AccountName = name.parse()?;
    let password = new_password();
    let token = acting
        .open_account(&name, Some(NewPassword::new(&password)?))
        .await?;
    let account = cashier.account(&name).await?.account.id;
    Ok(Holder {
        name,
        password,
        account,
        token: Secret::new(token.expose()),
    })
}

fn new_password() -> Zeroizing<String> {
    let mut password = Zeroizing::new(String::new());
    for group in 0..PASSWORD_GROUPS {
        if group > 0 {
            password.push('-');
        }
        for _ in 0..PASSWORD_GROUP_LENGTH {
            let place = OsRng.gen_range(0..PASSWORD_CHARS.len());
            password.push(char::from(PASSWORD_CHARS[place]));
        }
    }
    password
}

async fn pay(accounts: &AccountService, holders: &[Holder]) -> Result<()> {
    for (number, (payer, payee, amount, label)) in (1..).zip(PAYMENTS) {
        let payer = find(holders, payer)?.account;
        let key = IdempotencyKey::new(format!("payment-{number}"))?;
        accounts.transfer(payer, key, payee, amount, label).await?;
    }
    Ok(())
}

async fn ask_for_payouts(
    accounts: &AccountService,
    holders: &[Holder],
    acting: &ActingCashier<'_>,
) -> Result<()> {
    let mut requested: Vec<PayoutNo> = Vec::new();
    for (number, (holder, amount, destination)) in (1..).zip(PAYOUTS) {
        let account = find(holders, holder)?.account;
        let key = IdempotencyKey::new(format!("payout-{number}"))?;
        let (payout, _) = accounts.request_payout(account, key, amount, destination).await?;
        requested.push(payout.no);
    }
    let first = requested.first().context("somebody asks for a payout")?;
    let paid = Settlement::Paid(Reference::new(PAID_REFERENCE)?);
    acting.settle(*first, paid).await?.done();
    Ok(())
}

/// Alice mints coins and gives Bob some, who puts a part of them into his account.
async fn use_coins(folder: &Path, url: &str, holders: &[Holder]) -> Result<()> {
    let mut alice = wallet::open(&folder.join("alice"), &Network::default())?;
    let mut bob = wallet::open(&folder.join("bob"), &Network::default())?;
    alice.add(url).await?;
    bob.add(url).await?;
    let token = &find(holders, "alice")?.token;
    alice.mint(None, MINTED, token, &mut |_, _| {}).await?;
    let sent = alice.send(None, HANDED_OVER, "a little gift").await?;
    bob.receive(&sent.stack).await?;
    let token = &find(holders, "bob")?.token;
    bob.redeem(None, REDEEMED, token).await?;
    for wallet in [&mut alice, &mut bob] {
        public_log::find_promised(wallet).await?;
    }
    Ok(())
}

fn find<'holders>(holders: &'holders [Holder], name: &str) -> Result<&'holders Holder> {
    let found = holders.iter().find(|holder| holder.name.as_str() == name);
    found.context("everybody named has an account")
}

//! Key accounts: introductions, payments, balances, and what is done when something fails.

mod balances;
mod coins;
mod crash;
mod follow;
mod payments;
mod proofs;
mod restore;

use chrono::TimeDelta;
use opencoin_crypto::CipherSuite;
use opencoin_log::key_account::AccountKey;
use opencoin_wallet::{KeyPayee, KeyPaymentOrder, PaidByKey, Wallet, WalletError};

use crate::world::{URL, World};

/// A world with a log and an auditor.
fn world() -> World {
    World::with_auditor(CipherSuite::default(), 1000)
}

/// Opens a wallet and adds the currency.
async fn wallet(world: &World, name: &str) -> Wallet {
    let mut wallet = world.open(name);
    wallet.add(URL).await.unwrap();
    wallet
}

/// Makes and introduces a key.
async fn introduced(wallet: &mut Wallet) -> AccountKey {
    let key = wallet.new_key(None).unwrap().key;
    wallet.introduce_key(&key, &mut |_| {}).await.unwrap();
    key
}

/// Seals a batch, a minute later.
fn seal(world: &World) {
    world.network.wait(TimeDelta::minutes(1));
    world.issuer.log().seal(world.network.now());
}

fn order(to: AccountKey, amount: u64, memo: &str) -> KeyPaymentOrder {
    KeyPaymentOrder {
        to: KeyPayee::Key(to),
        amount,
        memo: memo.to_owned(),
    }
}

async fn pay(
    wallet: &mut Wallet,
    from: &AccountKey,
    to: AccountKey,
    amount: u64,
) -> Result<PaidByKey, WalletError> {
    let paid = wallet.pay_by_key(from, &order(to, amount, "")).await?;
    wallet.payment_told(paid.number)?;
    Ok(paid)
}

/// Two wallets with an introduced key each, of which the first has money.
async fn two_holders(world: &World, amount: u64) -> [(Wallet, AccountKey); 2] {
    let (mut alice, mut bob) = (wallet(world, "alice").await, wallet(world, "bob").await);
    let (from, to) = (introduced(&mut alice).await, introduced(&mut bob).await);
    world.issuer.credit_key(&from, amount);
    seal(world);
    [(alice, from), (bob, to)]
}

//! Coins: minted from an account, renewed into other coins, redeemed into an account.

use std::collections::{BTreeMap, HashSet};

use super::accounts::{balance_after_payment, balance_after_receipt};
use super::{applied, mint_keys, money_key, moved};
use crate::journal::{Entry, Kind};
use crate::view::MintKeyState;
use crate::{
    AccountId, Amount, Blind, CoinIn, LedgerTime, MintKeyId, Outcome, Prepared, Refusal, StopReason, View,
    encode_blinds,
};

pub(super) fn mint(
    view: &mut View,
    prepared: &Prepared<'_>,
    account: AccountId,
    blinds: &[Blind],
    at: LedgerTime,
) -> Outcome {
    check_blinds(blinds)?;
    view.account(account).ok_or(Refusal::UnknownAccount)?;
    let asked = count(blinds.iter().map(|blind| blind.mint_key));
    check_signing(view, &asked, blinds, at)?;
    let amount = value(view, &asked)?;
    let balance = balance_after_payment(view, account, amount)?;
    view.set_balance(account, balance);
    issue(view, &asked);
    record(
        view,
        Kind::Mint,
        prepared,
        [account, AccountId::COINS],
        amount,
        at,
        Some(blinds),
    )
}

pub(super) fn renew(
    view: &mut View,
    prepared: &Prepared<'_>,
    coins: &[CoinIn],
    blinds: &[Blind],
    at: LedgerTime,
) -> Outcome {
    check_coins(coins)?;
    check_blinds(blinds)?;
    let returned = count(coins.iter().map(|coin| coin.mint_key));
    let asked = count(blinds.iter().map(|blind| blind.mint_key));
    check_returning(view, coins, at)?;
    check_signing(view, &asked, blinds, at)?;
    check_unspent(view, coins)?;
    check_over_redemption(view, &returned, at)?;
    let amount = value(view, &returned)?;
    let worth = value(view, &asked)?;
    if amount != worth {
        return Err(Refusal::ValueMismatch {
            coins: amount,
            blinds: worth,
        });
    }
    spend(view, coins);
    issue(view, &asked);
    record(
        view,
        Kind::Renew,
        prepared,
        [AccountId::COINS; 2],
        amount,
        at,
        Some(blinds),
    )
}

pub(super) fn redeem(
    view: &mut View,
    prepared: &Prepared<'_>,
    account: AccountId,
    coins: &[CoinIn],
    at: LedgerTime,
) -> Outcome {
    check_coins(coins)?;
    view.account(account).ok_or(Refusal::UnknownAccount)?;
    let returned = count(coins.iter().map(|coin| coin.mint_key));
    check_returning(view, coins, at)?;
    check_unspent(view, coins)?;
    check_over_redemption(view, &returned, at)?;
    let amount = value(view, &returned)?;
    let balance = balance_after_receipt(view, account, amount)?;
    spend(view, coins);
    view.set_balance(account, balance);
    record(
        view,
        Kind::Redeem,
        prepared,
        [AccountId::COINS, account],
        amount,
        at,
        None,
    )
}

/// How many coins or blinds of each mint key.
pub(super) type Counts = BTreeMap<MintKeyId, u64>;

pub(super) fn count(keys: impl Iterator<Item = MintKeyId>) -> Counts {
    keys.fold(Counts::new(), |mut counts, key| {
        *counts.entry(key).or_default() += 1;
        counts
    })
}

fn check_coins(coins: &[CoinIn]) -> Result<(), Refusal> {
    if coins.is_empty() {
        return Err(Refusal::Empty);
    }
    let mut seen = HashSet::with_capacity(coins.len());
    match coins.iter().position(|coin| !seen.insert(coin)) {
        Some(index) => Err(Refusal::RepeatedCoin { index }),
        None => Ok(()),
    }
}

pub(super) fn check_blinds(blinds: &[Blind]) -> Result<(), Refusal> {
    if blinds.is_empty() {
        return Err(Refusal::Empty);
    }
    let mut seen = HashSet::with_capacity(blinds.len());
    match blinds.iter().position(|blind| !seen.insert(&blind.reference)) {
        Some(index) => Err(Refusal::RepeatedBlindReference { index }),
        None => Ok(()),
    }
}

/// The keys take coins back. The first coin that offends decides the answer.
fn check_returning(view: &View, coins: &[CoinIn], at: LedgerTime) -> Result<(), Refusal> {
    coins.iter().try_for_each(|coin| {
        let mint_key = coin.mint_key;
        let key = active(view, mint_key)?;
        if !key.pruned && key.terms.accepts_coins_at(at) {
            Ok(())
        } else {
            Err(Refusal::CoinsExpired { mint_key })
        }
    })
}

/// The keys sign. The first blind that offends decides the answer.
pub(super) fn check_signing(
    view: &View,
    asked: &Counts,
    blinds: &[Blind],
    at: LedgerTime,
) -> Result<(), Refusal> {
    blinds.iter().try_for_each(|blind| {
        let mint_key = blind.mint_key;
        let key = active(view, mint_key)?;
        if key.pruned || key.retired || !key.terms.signs_at(at) {
            return Err(Refusal::SigningWindowClosed { mint_key });
        }
        let issued = key
            .issued
            .checked_add(asked[&mint_key])
            .filter(|issued| *issued <= i64::MAX as u64);
        issued.map(|_| ()).ok_or(Refusal::Overflow)
    })
}

fn active(view: &View, mint_key: MintKeyId) -> Result<&MintKeyState, Refusal> {
    let key = view
        .mint_key(mint_key)
        .ok_or(Refusal::UnknownMintKey { mint_key })?;
    if key.stopped.is_some() {
        Err(Refusal::MintKeyStopped { mint_key })
    } else {
        Ok(key)
    }
}

fn check_unspent(view: &View, coins: &[CoinIn]) -> Result<(), Refusal> {
    let is_spent = |coin: &CoinIn| {
        view.mint_key(coin.mint_key)
            .is_some_and(|key| view.is_spent(key.no, coin.payload_hash))
    };
    let spent = coins.iter().enumerate().filter(|(_, coin)| is_spent(coin));
    let indices: Vec<usize> = spent.map(|(index, _)| index).collect();
    if indices.is_empty() {
        Ok(())
    } else {
        Err(Refusal::DoubleSpend { indices })
    }
}

/// Unspent coins with good signatures, and more of them than were signed: somebody else signs with this key,
/// or can forge. Stopping it is the one thing that a refused command does.
fn check_over_redemption(view: &mut View, returned: &Counts, at: LedgerTime) -> Result<(), Refusal> {
    let too_many = |(id, coins): &(&MintKeyId, &u64)| {
        view.mint_key(**id)
            .is_some_and(|key| **coins > key.issued - key.returned.min(key.issued))
    };
    let broken: Vec<MintKeyId> = returned.iter().filter(too_many).map(|(id, _)| *id).collect();
    let Some(&mint_key) = broken.first() else {
        return Ok(());
    };
    for id in broken {
        mint_keys::stop(view, id, StopReason::over_redemption(), at).expect("the key was found active");
    }
    Err(Refusal::OverRedemption { mint_key })
}

/// What so many coins are worth, in the denominations of their mint keys.
pub(super) fn value(view: &View, counts: &Counts) -> Result<Amount, Refusal> {
    counts.iter().try_fold(Amount::ZERO, |sum, (&mint_key, &count)| {
        let key = view
            .mint_key(mint_key)
            .ok_or(Refusal::UnknownMintKey { mint_key })?;
        let value = key.terms.denomination().checked_mul(count);
        value
            .and_then(|value| sum.checked_add(value))
            .ok_or(Refusal::Overflow)
    })
}

fn spend(view: &mut View, coins: &[CoinIn]) {
    coins
        .iter()
        .for_each(|coin| view.spend(coin.mint_key, coin.payload_hash));
}

pub(super) fn issue(view: &mut View, asked: &Counts) {
    asked
        .iter()
        .for_each(|(&key, &signatures)| view.count_issued(key, signatures));
}

pub(super) fn record(
    view: &mut View,
    kind: Kind,
    prepared: &Prepared<'_>,
    [debit, credit]: [AccountId; 2],
    amount: Amount,
    at: LedgerTime,
    blinds: Option<&[Blind]>,
) -> Outcome {
    view.write(Entry {
        kind,
        reference: money_key(prepared),
        content: prepared.content,
        debit: Some(debit),
        credit: Some(credit),
        amount,
        at,
        blinds: blinds.map(encode_blinds),
        label: None,
    });
    applied(moved(view, prepared.command, amount))
}

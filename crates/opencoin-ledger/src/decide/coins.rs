//! Decisions on mints, renews and redeems.
//!
//! A mint may wait until its account holds enough. No money is reserved for it. Only [`mint`] decides it
//! again, on a view in which its account is locked: the mint is applied or given up for good. Both write a
//! record under its reference, so only one of them can happen. While the account is frozen, the mint waits.

use std::collections::{BTreeMap, HashSet};

use opencoin_log::key_account::CreditSource;

use super::leaves::{log_credit, log_request};
use super::money::{balance_after_payment, balance_after_receipt, payment, require_holder, require_thawed};
use super::{applied, mint_keys, money_key, moved, note};
use crate::journal::{IssuedCounts, Kind, Record, RecordedBlinds};
use crate::log::Logged;
use crate::view::{MintKeyState, WaitingState};
use crate::{
    AccountId, Amount, Applied, Blind, CoinIn, Effect, LedgerTime, MintKeyId, Outcome, Prepared, Refusal,
    StopReason, View, WAITING_MINTS_PER_ACCOUNT_MAX, encode_blinds,
};

pub(super) fn mint(
    view: &mut View,
    prepared: &Prepared<'_>,
    account: AccountId,
    blinds: &[Blind],
    wait_until: Option<LedgerTime>,
    at: LedgerTime,
) -> Outcome {
    let key = money_key(prepared);
    let waiting = view.waiting(&key).cloned();
    if waiting
        .as_ref()
        .is_some_and(|waiting| waiting.content != prepared.content)
    {
        return Err(Refusal::ReferenceConflict);
    }
    check_blinds(blinds)?;
    require_holder(account)?;
    let thawed = require_thawed(view, account);
    if waiting.is_none() {
        thawed.clone()?;
    }
    let asked = count(blinds, |blind| blind.mint_key);
    if let Some(waiting) = &waiting {
        let is_over = at >= wait_until.map_or(waiting.expires, |until| until.max(waiting.expires));
        if is_over || signs_never_again(view, &asked, at) {
            view.end_waiting(&key);
            view.write(note(Kind::GiveUpMint, key, prepared.content, at));
            return applied(Effect::GivenUp);
        }
    }
    if let (Some(waiting), Err(Refusal::AccountFrozen)) = (&waiting, &thawed) {
        return Ok(wait_longer(view, waiting, wait_until));
    }
    thawed?;
    check_signing(view, &asked, blinds, at)?;
    let amount = value(view, &asked)?;
    let balance = match balance_after_payment(view, account, amount) {
        Ok(balance) => balance,
        Err(short @ Refusal::InsufficientFunds { .. }) => {
            return match (waiting, wait_until) {
                (Some(waiting), until) => Ok(wait_longer(view, &waiting, until)),
                (None, Some(expires)) if expires > at => {
                    let (reference, content, asked) = (key, prepared.content, at);
                    let waiting = WaitingState {
                        reference,
                        account,
                        content,
                        amount,
                        asked,
                        expires,
                    };
                    begin_to_wait(view, waiting, blinds)
                }
                (None, _) => Err(short),
            };
        }
        Err(refusal) => return Err(refusal),
    };
    view.end_waiting(&key);
    view.set_balance(account, balance);
    issue(view, &asked);
    let recorded = record(
        view,
        Kind::Mint,
        prepared,
        [account, AccountId::COINS],
        amount,
        at,
        Some((blinds, &asked)),
    );
    logged(recorded, log_request(view, blinds, &[]))
}

fn wait_longer(view: &mut View, waiting: &WaitingState, until: Option<LedgerTime>) -> Applied {
    let later = until.filter(|until| *until > waiting.expires);
    if let Some(until) = later {
        view.extend_waiting(&waiting.reference, until);
    }
    Applied {
        repeated: later.is_none(),
        effect: Effect::Waiting,
        logged: None,
    }
}

fn begin_to_wait(view: &mut View, waiting: WaitingState, blinds: &[Blind]) -> Outcome {
    let is_another =
        |other: &&WaitingState| other.account == waiting.account && other.expires > waiting.asked;
    if view.all_waiting().filter(is_another).count() >= WAITING_MINTS_PER_ACCOUNT_MAX {
        return Err(Refusal::TooManyWaitingMints);
    }
    view.begin_to_wait(waiting, encode_blinds(blinds));
    applied(Effect::Waiting)
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
    let returned = count(coins, |coin| coin.mint_key);
    let asked = count(blinds, |blind| blind.mint_key);
    check_returning(view, &returned, coins, at)?;
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
    let recorded = record(
        view,
        Kind::Renew,
        prepared,
        [AccountId::COINS; 2],
        amount,
        at,
        Some((blinds, &asked)),
    );
    logged(recorded, log_request(view, blinds, coins))
}

pub(super) fn redeem(
    view: &mut View,
    prepared: &Prepared<'_>,
    account: AccountId,
    coins: &[CoinIn],
    at: LedgerTime,
) -> Outcome {
    check_coins(coins)?;
    require_thawed(view, account)?;
    let returned = count(coins, |coin| coin.mint_key);
    check_returning(view, &returned, coins, at)?;
    check_unspent(view, coins)?;
    check_over_redemption(view, &returned, at)?;
    let amount = value(view, &returned)?;
    let balance = balance_after_receipt(view, account, amount)?;
    spend(view, coins);
    view.set_balance(account, balance);
    log_credit(view, account, amount, CreditSource::Coins);
    let recorded = record(
        view,
        Kind::Redeem,
        prepared,
        [AccountId::COINS, account],
        amount,
        at,
        None,
    );
    logged(recorded, log_request(view, &[], coins))
}

/// Adds where the log has the coins to an outcome.
pub(super) fn logged(outcome: Outcome, logged: Option<Logged>) -> Outcome {
    outcome.map(|applied| Applied { logged, ..applied })
}

/// The number of coins or blinds of each mint key.
pub(super) type Counts = BTreeMap<MintKeyId, u64>;

/// Counts coins or blinds. Those of one key usually follow each other.
pub(super) fn count<T>(items: &[T], mint_key: impl Fn(&T) -> MintKeyId) -> Counts {
    let runs = items.chunk_by(|item, next| mint_key(item) == mint_key(next));
    runs.fold(Counts::new(), |mut counts, run| {
        *counts.entry(mint_key(&run[0])).or_default() += run.len() as u64;
        counts
    })
}

pub(super) fn check_coins(coins: &[CoinIn]) -> Result<(), Refusal> {
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

/// Checks each key once. The refusal is that of the first refused coin or blind.
fn check_keys(
    counts: &Counts,
    keys_in_order: impl Iterator<Item = MintKeyId>,
    check: impl Fn(MintKeyId, u64) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if counts.iter().all(|(&key, &count)| check(key, count).is_ok()) {
        return Ok(());
    }
    let mut keys_in_order = keys_in_order;
    keys_in_order.try_for_each(|key| check(key, counts[&key]))
}

/// Checks that the keys take coins back.
fn check_returning(view: &View, returned: &Counts, coins: &[CoinIn], at: LedgerTime) -> Result<(), Refusal> {
    check_keys(returned, coins.iter().map(|coin| coin.mint_key), |mint_key, _| {
        let key = active(view, mint_key)?;
        if !key.pruned && key.terms.accepts_coins_at(at) {
            Ok(())
        } else {
            Err(Refusal::CoinsExpired { mint_key })
        }
    })
}

/// Checks that the keys sign.
pub(super) fn check_signing(
    view: &View,
    asked: &Counts,
    blinds: &[Blind],
    at: LedgerTime,
) -> Result<(), Refusal> {
    check_keys(
        asked,
        blinds.iter().map(|blind| blind.mint_key),
        |mint_key, count| {
            let key = active(view, mint_key)?;
            if key.pruned || key.retired || !key.terms.signs_at(at) {
                return Err(Refusal::SigningWindowClosed { mint_key });
            }
            if key.awaits_log {
                return Err(Refusal::MintKeyNotLogged { mint_key });
            }
            let issued = key
                .issued
                .checked_add(count)
                .filter(|issued| *issued <= i64::MAX as u64);
            issued.map(|_| ()).ok_or(Refusal::Overflow)
        },
    )
}

/// Whether one of the keys was stopped, retired or pruned, or its signing window has ended.
fn signs_never_again(view: &View, asked: &Counts, at: LedgerTime) -> bool {
    let has_ended = |key: &MintKeyState| {
        key.stopped.is_some() || key.retired || key.pruned || at > key.terms.sign_not_after()
    };
    asked
        .keys()
        .any(|mint_key| view.mint_key(*mint_key).is_some_and(has_ended))
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

pub(super) fn check_unspent(view: &View, coins: &[CoinIn]) -> Result<(), Refusal> {
    let mut key: Option<&MintKeyState> = None;
    let mut is_spent = |coin: &CoinIn| {
        // The coins of one key usually follow each other.
        key = key
            .filter(|key| key.id == coin.mint_key)
            .or_else(|| view.mint_key(coin.mint_key));
        key.is_some_and(|key| view.is_spent(key.no, coin.spent_digest))
    };
    let spent = coins.iter().enumerate().filter(|(_, coin)| is_spent(coin));
    let indices: Vec<usize> = spent.map(|(index, _)| index).collect();
    if indices.is_empty() {
        Ok(())
    } else {
        Err(Refusal::DoubleSpend { indices })
    }
}

/// Refuses and stops keys of which more coins would come back than were signed. All coins here are unspent
/// and have valid signatures, so the key was stolen or its signatures can be forged. This is the only change
/// that a refused command makes.
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

/// The total value of these coins or blinds.
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

pub(super) fn spend(view: &mut View, coins: &[CoinIn]) {
    coins
        .chunk_by(|coin, next| coin.mint_key == next.mint_key)
        .for_each(|run| view.spend(run[0].mint_key, run.iter().map(|coin| coin.spent_digest)));
}

pub(super) fn issue(view: &mut View, asked: &Counts) {
    asked
        .iter()
        .for_each(|(&key, &signatures)| view.count_issued(key, signatures));
}

/// The blinds of a record, and how many signatures each mint key gives.
pub(super) fn recorded_blinds(
    view: &View,
    blinds: &[Blind],
    asked: &Counts,
) -> (RecordedBlinds, IssuedCounts) {
    let keys: Vec<&MintKeyState> = asked
        .keys()
        .map(|id| view.mint_key(*id).expect("the caller has read these mint keys"))
        .collect();
    let last = keys.iter().max_by_key(|key| (key.terms.coins_expiry(), key.no));
    let recorded = RecordedBlinds {
        encoded: encode_blinds(blinds),
        expires_with: last.expect("a request has at least one blind").no,
    };
    (recorded, issued_counts(view, asked))
}

/// How many signatures each of these mint keys gives.
pub(super) fn issued_counts(view: &View, asked: &Counts) -> IssuedCounts {
    let count = |(id, count): (&MintKeyId, &u64)| {
        let key = view.mint_key(*id).expect("the caller has read these mint keys");
        (
            key.no,
            u32::try_from(*count).expect("a request has fewer blinds than 2^32"),
        )
    };
    IssuedCounts::new(asked.iter().map(count))
}

pub(super) fn record(
    view: &mut View,
    kind: Kind,
    prepared: &Prepared<'_>,
    [debit, credit]: [AccountId; 2],
    amount: Amount,
    at: LedgerTime,
    blinds: Option<(&[Blind], &Counts)>,
) -> Outcome {
    let (blinds, issued) = blinds
        .map(|(blinds, asked)| recorded_blinds(view, blinds, asked))
        .unzip();
    view.write(Record {
        issued,
        blinds,
        ..payment(kind, prepared, [debit, credit], amount, at)
    });
    applied(moved(view, prepared.command, amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refused_coin_decides_the_refusal_and_runs_of_a_key_are_added_up() {
        let [low, middle, high] = [1, 2, 3].map(|byte| MintKeyId::new([byte; 20]));
        let order = [middle, high, high, low, high];
        let counts = count(&order, |key| *key);
        assert_eq!(counts, Counts::from([(low, 1), (middle, 1), (high, 3)]));
        let check = |refused: &[MintKeyId]| {
            check_keys(&counts, order.into_iter(), |mint_key, count| {
                assert_eq!(count, counts[&mint_key]);
                if refused.contains(&mint_key) {
                    Err(Refusal::CoinsExpired { mint_key })
                } else {
                    Ok(())
                }
            })
        };
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[low, high]), Err(Refusal::CoinsExpired { mint_key: high }));
        assert_eq!(check(&[low]), Err(Refusal::CoinsExpired { mint_key: low }));
    }
}

//! Receiving the coins of a stack.
//!
//! Coins that cannot be received (forged, spent, expired, of another currency) are left out and reported; the
//! others are received. The wallet holds the coins from the moment when the request is begun. If the request
//! is refused for another reason than the coins, another request renews them.

use std::collections::BTreeSet;

use opencoin_schema::{BigInt, Coin, CoinStack};
use opencoin_text::{AMOUNT_MAX, printable};

use super::{RECEIVE_COINS_MAX, Wallet};
use crate::client::ExchangeError;
use crate::coin_fault::{CoinFault, LeftOut};
use crate::coins::CoinPlace;
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::{CoinId, Kind, Operation, OperationId};
use crate::public_log::LogError;
use crate::state::{Status, Tracked};
use crate::tokenizing::sum;

/// The result of receiving a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The id of the currency.
    pub currency: String,
    /// The value of the received coins.
    pub amount: u64,
    /// The coins that were not received.
    pub left_out: Vec<LeftOut>,
}

/// A valid coin of a stack. It may have been spent.
struct ValidCoin {
    index: usize,
    id: CoinId,
    coin: Coin,
    value: u64,
}

impl Wallet {
    /// Verifies the coins of a stack and renews them at once, so that nobody else can spend them. From a
    /// stack of several currencies this receives the coins of one currency.
    ///
    /// # Errors
    /// No coin can be received, or the issuer delays or does not answer. After [`ExchangeError::Delayed`] and
    /// [`ExchangeError::Unknown`] the wallet holds the coins, and [`Wallet::resume`] finishes the request.
    pub async fn receive(&mut self, stack: &CoinStack) -> Result<Received, WalletError> {
        self.receive_from(stack, None).await
    }

    /// As [`Self::receive`], for coins that a live transfer with this id has brought. [`Self::stack_progress`] then tells
    /// how far it is.
    ///
    /// # Errors
    /// See [`Self::receive`].
    pub async fn receive_transfer(&mut self, id: &str, stack: &CoinStack) -> Result<Received, WalletError> {
        self.receive_from(stack, Some(id)).await
    }

    async fn receive_from(
        &mut self,
        stack: &CoinStack,
        transfer: Option<&str>,
    ) -> Result<Received, WalletError> {
        self.read_clock();
        let id = self.currency_of(stack)?;
        self.learn_mint_keys(&id, stack).await?;
        self.refresh_if_old(&id).await?;
        let (good, mut left_out) = self.examine(&id, stack)?;
        if good.is_empty() {
            return Err(self.nothing_to_receive(left_out));
        }
        let amount = sum(good.iter().map(|good| good.value));
        self.check_sum(&id, amount)?;
        let first = self.state.next_id();
        let mut begun = Vec::new();
        for part in good.chunks(RECEIVE_COINS_MAX) {
            let kind = Kind::Receive {
                subject: stack.subject.clone(),
                transfer: transfer.map(str::to_owned),
            };
            let coins = part.iter().map(|good| (good.coin.clone(), good.value)).collect();
            begun.extend(self.begin_renew(&id, kind, coins).await?);
        }
        let run = self.run_parts(&id, begun).await;
        let taken = self.coins_taken_since(first);
        let currency = self.currency(&id)?;
        let mut amount = 0;
        for good in good {
            let fault = match currency.coins.get(&good.id).map(|held| held.place) {
                _ if taken.contains(&good.id) => {
                    amount += good.value;
                    continue;
                }
                None => CoinFault::Spent,
                Some(CoinPlace::Received) => CoinFault::Refused,
                // The request is pending, or the wallet itself had sent the coin.
                Some(CoinPlace::Given | CoinPlace::Sent | CoinPlace::Here) => continue,
            };
            left_out.push(left_out_of(stack, good.index, fault));
        }
        // If some coins were received, the result reports the refused ones.
        match run {
            Err(WalletError::Exchange(ExchangeError::Refused { .. })) if amount > 0 => {}
            run => run?,
        }
        left_out.sort_by_key(|left_out| left_out.index);
        Ok(Received {
            currency: id.to_string(),
            amount,
            left_out,
        })
    }

    /// Sends the requests for the parts of a stack. If one is refused, the others are still sent, and then
    /// the remaining coins are tried again.
    async fn run_parts(&mut self, id: &BigInt, begun: Vec<OperationId>) -> Result<(), WalletError> {
        let (mut accepted, mut refused) = (None, None);
        for operation in begun {
            match self.run(operation).await {
                Ok(()) => {}
                Err(
                    error @ (WalletError::Exchange(ExchangeError::Delayed { .. } | ExchangeError::Recoup)
                    | WalletError::Log(LogError::NoPromise(_) | LogError::WrongPromise { .. })),
                ) => {
                    accepted = Some(error);
                }
                Err(error @ WalletError::Exchange(ExchangeError::Refused { .. })) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        if let Some(refused) = refused {
            let is_left = !self.received_coins(id)?.is_empty();
            if is_left {
                self.renew_received(id).await?;
            } else if accepted.is_none() {
                return Err(refused);
            }
        }
        accepted.map_or(Ok(()), Err)
    }

    /// Returns the coins of the successful requests from this number on.
    fn coins_taken_since(&self, first: OperationId) -> BTreeSet<CoinId> {
        let since = self.state.operations.range(first..).map(|(_, tracked)| tracked);
        let accepted = since.filter(|tracked| [Status::Done, Status::AwaitsRecoup].contains(&tracked.status));
        let gives = accepted.flat_map(|tracked| &tracked.item.gives);
        gives.map(|given| given.coin.clone()).collect()
    }

    /// Returns the currency of the first coin that the wallet could receive.
    fn currency_of(&self, stack: &CoinStack) -> Result<BigInt, WalletError> {
        let first = stack.coins.first().ok_or(WalletError::EmptyStack)?;
        let received = self.received(stack)?;
        let is_new = |coin: &Coin, currency: &Currency| {
            let id = currency.coin_id(&coin.payload);
            !received.contains(&id) && !is_held(currency, &id)
        };
        let known = || {
            let currency_of = |coin: &Coin| self.state.currencies.get(&coin.payload.issuer_id);
            stack
                .coins
                .iter()
                .filter_map(move |coin| Some((coin, currency_of(coin)?)))
        };
        let found = known()
            .find(|(coin, currency)| is_new(coin, currency))
            .or_else(|| known().next());
        found
            .map(|(coin, _)| coin.payload.issuer_id.clone())
            .ok_or_else(|| WalletError::UnknownCurrency {
                issuer: first.payload.issuer_id.to_string(),
                hint: first.payload.cdd_location.clone(),
            })
    }

    /// Separates the valid coins of a stack from the others.
    fn examine(&self, id: &BigInt, stack: &CoinStack) -> Result<(Vec<ValidCoin>, Vec<LeftOut>), WalletError> {
        let currency = self.currency(id)?;
        let (received, mut seen) = (self.received(stack)?, BTreeSet::new());
        let signed = signed_coins(currency, &stack.coins);
        let (mut good, mut left_out) = (Vec::new(), Vec::new());
        for (index, coin) in stack.coins.iter().enumerate() {
            let coin_id = currency.coin_id(&coin.payload);
            let is_repeated = !seen.insert(coin_id.clone());
            let is_received = received.contains(&coin_id) || is_held(currency, &coin_id);
            let checked = if is_repeated {
                Err(CoinFault::Repeated)
            } else if is_received {
                Err(CoinFault::ReceivedBefore)
            } else {
                self.check_coin(id, coin, signed.contains(&index))
            };
            match checked {
                Ok(value) => good.push(ValidCoin {
                    index,
                    id: coin_id,
                    coin: coin.clone(),
                    value,
                }),
                Err(fault) => left_out.push(left_out_of(stack, index, fault)),
            }
        }
        Ok((good, left_out))
    }

    /// Checks a coin and returns its value.
    pub(super) fn check_coin(&self, id: &BigInt, coin: &Coin, is_signed: bool) -> Result<u64, CoinFault> {
        let issuer = &coin.payload.issuer_id;
        if issuer != id {
            return Err(match self.state.currencies.contains_key(issuer) {
                true => CoinFault::OtherCurrency(issuer.to_string()),
                false => CoinFault::UnknownCurrency {
                    issuer: issuer.to_string(),
                    hint: coin.payload.cdd_location.clone(),
                },
            });
        }
        let currency = self.currency(id).map_err(|_| CoinFault::UnknownMintKey)?;
        let key = currency.mint_keys.get(&coin.payload.mint_key_id);
        let key = key.ok_or(CoinFault::UnknownMintKey)?;
        if !is_signed {
            return Err(CoinFault::NotSigned);
        }
        let expiry = key.mint_key().coins_expiry_date.to_utc();
        if let Some(reason) = currency.revoked.get(&coin.payload.mint_key_id) {
            Err(CoinFault::Revoked(printable(reason)))
        } else if self.now > expiry {
            Err(CoinFault::Expired(expiry))
        } else {
            Ok(key.mint_key().denomination)
        }
    }

    fn nothing_to_receive(&self, left_out: Vec<LeftOut>) -> WalletError {
        let is_received = |left_out: &LeftOut| left_out.fault == CoinFault::ReceivedBefore;
        let Some(first) = left_out.iter().find(|left_out| !is_received(left_out)) else {
            return WalletError::ReceivedBefore;
        };
        let is_expired = matches!(first.fault, CoinFault::Expired(_));
        let wrong_clock = self.wrong_clock().filter(|_| is_expired);
        wrong_clock.unwrap_or(WalletError::NoGoodCoin(left_out))
    }

    /// Fails if the wallet would hold more than [`AMOUNT_MAX`] of a currency.
    pub(super) fn check_sum(&self, id: &BigInt, more: u64) -> Result<(), WalletError> {
        let held = self.currency(id)?.value_of(|_| true);
        if sum([held, self.pending_mints(id), more]) > AMOUNT_MAX {
            return Err(WalletError::Overflow);
        }
        Ok(())
    }

    /// Returns the coins of a stack that were received or are being received, and need no further renew.
    fn received(&self, stack: &CoinStack) -> Result<BTreeSet<CoinId>, WalletError> {
        let receives = |tracked: &&Tracked<Operation>| {
            let is_over = [Status::Refused, Status::Abandoned].contains(&tracked.status);
            matches!(tracked.item.kind, Kind::Receive { .. }) && !is_over
        };
        let receives = self.state.operations.values().filter(receives);
        let given = receives.flat_map(|tracked| &tracked.item.gives);
        let given: BTreeSet<&CoinId> = given
            .filter(|given| !given.is_own)
            .map(|given| &given.coin)
            .collect();
        let mut received = BTreeSet::new();
        for coin in &stack.coins {
            if let Some(currency) = self.state.currencies.get(&coin.payload.issuer_id) {
                let id = currency.coin_id(&coin.payload);
                if given.contains(&id) || self.store.received_by(&id)?.is_some() {
                    received.insert(id);
                }
            }
        }
        Ok(received)
    }
}

/// The indices of the coins that their mint key has signed, as far as the wallet knows the key.
pub(super) fn signed_coins(currency: &Currency, coins: &[Coin]) -> BTreeSet<usize> {
    let (indices, pairs): (Vec<usize>, Vec<_>) = coins
        .iter()
        .enumerate()
        .filter_map(|(index, coin)| {
            let key = currency.mint_keys.get(&coin.payload.mint_key_id)?;
            Some((index, (key.public_key(), coin)))
        })
        .unzip();
    let results = currency.cddc.cipher_suite().verify_coins(&pairs);
    indices
        .into_iter()
        .zip(results)
        .filter_map(|(index, result)| result.is_ok().then_some(index))
        .collect()
}

/// Whether a coin is the wallet's own. Sent coins do not count because they may come back, and received ones
/// do not because they may be tried again.
fn is_held(currency: &Currency, id: &CoinId) -> bool {
    let held = currency.coins.get(id);
    held.is_some_and(|held| [CoinPlace::Here, CoinPlace::Given].contains(&held.place))
}

pub(super) fn left_out_of(stack: &CoinStack, index: usize, fault: CoinFault) -> LeftOut {
    LeftOut {
        index,
        denomination: stack.coins[index].payload.denomination,
        fault,
    }
}

//! Short codes: coins that the receiver makes from a few dozen bytes.
//!
//! The sender renews own coins with secrets that are derived from 32 random bytes, and hands the bytes over. The new coins
//! are a send like any other: the sender can take them back until the receiver has renewed them. The receiver derives the
//! same secrets, asks the issuer for the signatures as after a lost answer, and has a coin stack.

use opencoin_schema::{BigInt, CoinStack};
use opencoin_stack::{CODE_COINS_MAX, CODE_URL_BYTES_MAX, KINDS_MAX, SECRET_BYTES, ShortCode};
use rand::RngCore;
use zeroize::Zeroizing;

use super::Wallet;
use super::backup::Found;
use super::blinding::RequestSecrets;
use super::exchange::SpentCoin;
use crate::derivation::{Derivation, SecretKind};
use crate::error::WalletError;
use crate::event::{CoinId, Event, Kind, Send};
use crate::tokenizing::number;

/// The number of the only request that is derived from a code.
const REQUEST: u64 = 0;

/// Coins that were sent as a short code.
#[derive(Debug, Clone)]
pub struct SentCode {
    /// The number of the send, which [`Wallet::reclaim`] takes.
    pub id: u64,
    /// The code.
    pub code: ShortCode,
}

impl Wallet {
    /// Takes coins worth `amount` out of the wallet, as a short code. The issuer must answer, because the coins are
    /// renewed. [`Self::reclaim`] takes them back until the receiver has renewed them.
    ///
    /// # Errors
    /// The balance is too low, the amount takes too many coins, or the issuer refuses, delays or does not answer. After an
    /// error the coins are still in the wallet, or [`Self::resume`] brings them back.
    pub async fn send_code(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        subject: &str,
    ) -> Result<SentCode, WalletError> {
        self.read_clock();
        let id = self.choose(currency)?;
        self.require_recent(&id).await?;
        let coins = self.pick(&id, amount).await?;
        let url = self.currency(&id)?.url.trim_end_matches('/').to_owned();
        let get = self.set_like(&id, coins.iter().map(|coin| coin.payload.denomination).collect())?;
        let gives = coins.into_iter().map(|coin| SpentCoin {
            value: coin.payload.denomination,
            coin,
            is_own: true,
        });
        let gives: Vec<SpentCoin> = gives.collect();
        if number(&get) > CODE_COINS_MAX || get.len() > KINDS_MAX || url.len() > CODE_URL_BYTES_MAX {
            return Err(WalletError::TooManyCoins {
                coins: number(&get),
                coins_max: CODE_COINS_MAX,
            });
        }
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        self.rng.fill_bytes(&mut *secret);
        let derivation = Derivation::new(SecretKind::ShortCode, &*secret, &id);
        let secrets = RequestSecrets::derived(derivation, REQUEST, 0);
        let operation = self
            .begin_derived(&id, Kind::Change, gives, &get, None, secrets)
            .await?;
        let currency = self.currency(&id)?;
        let blinded = self.state.operations[&operation].item.blinded.iter();
        let made: Vec<CoinId> = blinded
            .map(|blinded| currency.coin_id(&blinded.payload))
            .collect();
        self.run(operation).await?;
        let send = Send {
            id: self.state.next_id(),
            currency: id.clone(),
            amount,
            subject: subject.to_owned(),
            coins: made,
            transfer: None,
            returned: 0,
            at: self.now,
        };
        let send_id = send.id;
        self.record(Event::Sent { send: Box::new(send) })?;
        let code = ShortCode {
            url,
            issuer: ShortCode::issuer_bytes(&id),
            secret,
            coins: get.iter().map(|(value, count)| (*value, *count as u32)).collect(),
        };
        Ok(SentCode { id: send_id, code })
    }

    /// Returns the id of the currency of a code; `None` if the wallet does not know it.
    #[must_use]
    pub fn currency_of_code(&self, code: &ShortCode) -> Option<String> {
        self.issuer_of_code(code).map(ToString::to_string)
    }

    fn issuer_of_code(&self, code: &ShortCode) -> Option<&BigInt> {
        let mut known = self.state.currencies.keys();
        known.find(|id| ShortCode::issuer_bytes(id) == code.issuer)
    }

    /// Makes the coins of a code. [`Self::receive`] then renews them; until then the sender can take them back.
    ///
    /// # Errors
    /// The wallet does not know the currency, the issuer does not answer, or it does not know the coins: they have
    /// expired, or the code was made up.
    pub async fn coins_of_code(&mut self, code: &ShortCode) -> Result<CoinStack, WalletError> {
        self.read_clock();
        let id = self.issuer_of_code(code).cloned();
        let id = id.ok_or_else(|| WalletError::UnknownCurrency {
            issuer: format!("{}...", const_hex::encode(code.issuer)),
            hint: code.url.clone(),
        })?;
        let derivation = Derivation::new(SecretKind::ShortCode, &*code.secret, &id);
        let found = self
            .ask_for(&id, &derivation.transaction_reference(REQUEST))
            .await?;
        let signatures = match found {
            Some(Found::Signatures(signatures)) => signatures,
            Some(Found::Waiting) => return Err(WalletError::CodeNotReady),
            Some(Found::Revoked | Found::Expired) | None => return Err(WalletError::CodeWithoutCoins),
        };
        let denominations = code.denominations();
        let mut coins = self.make_coins(&id, &derivation, REQUEST, &signatures, Some(&denominations))?;
        if coins.len() < denominations.len() {
            // Keys that no longer sign were perhaps never seen.
            self.refresh_if_old(&id).await?;
            self.learn_live_keys(&id).await?;
            coins = self.make_coins(&id, &derivation, REQUEST, &signatures, Some(&denominations))?;
        }
        match coins.is_empty() {
            true => Err(WalletError::CodeWithoutCoins),
            false => Ok(CoinStack {
                coins,
                subject: String::new(),
            }),
        }
    }
}

//! The backup phrase: showing it, moving coins under a new one, and restoring coins from it.
//!
//! The secrets of every request are derived from the phrase and a number. The issuer keeps the signatures of an accepted
//! request under its transaction reference as long as the coins live, and gives them to everybody who asks for the
//! reference. So a restore derives one reference after the other and asks for it, until many in a row are unknown. Of the
//! coins that it makes, some were spent since: it renews them all, and the issuer says which.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use opencoin_crypto::CipherSuite;
use opencoin_schema::{
    BigInt, BlindSignature, Coin, CoinStack, PROTOCOL_VERSION, Payload, RequestResume, WeightedUrl, text,
};
use zeroize::Zeroizing;

use super::blinding::RequestSecrets;
use super::exchange::SpentCoin;
use super::{ITEMS_MAX, RECEIVE_COINS_MAX, Wallet};
use crate::client::{self, ExchangeError};
use crate::coins::Held;
use crate::currency::Currency;
use crate::derivation::{Derivation, SecretKind};
use crate::error::WalletError;
use crate::event::Kind;
use crate::phrase::{PHRASE_WORDS, Phrase, entropy_bytes};
use crate::refusal::word;
use crate::store::random;
use crate::tokenizing::sum;
use crate::transport::OnBehalf;

/// So many unknown references in a row end a restore. A wallet leaves out hardly any: the numbers of refused requests are
/// used again.
const GAP_MAX: u64 = 200;
/// The most requests that a restore looks for. An issuer that answers every reference would never end it.
const REQUESTS_MAX: u64 = 1_000_000;
/// The subject of restored coins in the history.
const SUBJECT: &str = "restored from the backup phrase";
/// The most mint keys that one request for certificates names.
const KEYS_ASKED_MAX: usize = 100;
/// The most coins that one renewal moves under a new phrase.
const MOVED_COINS_MAX: usize = 400;
/// The pause after the issuer has answered that there are too many requests.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the issuer may answer so in a row.
const PAUSES_MAX: u32 = 120;

/// What a restore is doing. Shown to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreProgress {
    /// It asks for requests: how many were asked for, and how many were found.
    Asking {
        /// The number of references that were asked for.
        asked: u64,
        /// The number of accepted requests that were found.
        found: u64,
    },
    /// It renews coins: how many were renewed or are spent, and how many there are.
    Renewing {
        /// The number of coins that were tried.
        tried: usize,
        /// The number of all coins that were found.
        all: usize,
    },
}

/// The result of a restore. Amounts are in the smallest unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// The number of accepted requests that were found.
    pub requests: u64,
    /// The number of coins of these requests.
    pub coins: usize,
    /// The value of the coins that are in the wallet now.
    pub value: u64,
    /// The number of requests whose signatures are not there yet. A later restore finds them.
    pub waiting: u64,
    /// The number of requests whose coins are of revoked mint keys. They are not restored.
    pub revoked: u64,
    /// The number of signatures whose mint key is unknown or whose coins have expired.
    pub unknown: usize,
}

impl Wallet {
    /// Returns the backup phrase; `None` in a wallet of an earlier version, whose coins are not derived from one.
    #[must_use]
    pub fn phrase(&self) -> Option<Phrase> {
        Phrase::of_entropy(self.store.entropy()?)
    }

    /// Sets the phrase of a new wallet, to restore its coins.
    ///
    /// # Errors
    /// The wallet has coins or currencies under another phrase.
    pub fn use_phrase(&mut self, phrase: &Phrase) -> Result<(), WalletError> {
        if self.phrase().as_ref() == Some(phrase) {
            return Ok(());
        }
        if !self.store.is_new() {
            return Err(WalletError::OtherPhrase);
        }
        self.store.choose_entropy(phrase.entropy());
        self.derivation_seed = None;
        Ok(())
    }

    /// Replaces the backup phrase by a new one with so many words, 12 or 24. [`Self::move_under_phrase`] moves the coins.
    ///
    /// # Errors
    /// The wallet cannot be written.
    pub fn new_phrase(&mut self, words: usize) -> Result<Phrase, WalletError> {
        if !PHRASE_WORDS.contains(&words) {
            return Err(WalletError::PhraseWords(words));
        }
        let entropy = random(&mut self.rng, entropy_bytes(words));
        let phrase = Phrase::of_entropy(&entropy).ok_or(WalletError::PhraseWords(words))?;
        self.store.set_entropy(entropy, &mut self.state, &mut self.rng)?;
        self.derivation_seed = None;
        Ok(phrase)
    }

    /// Renews the coins that the backup phrase does not cover. Returns their value.
    ///
    /// # Errors
    /// The issuer refuses, delays or does not answer. The coins that were renewed before are covered.
    pub async fn move_under_phrase(&mut self) -> Result<u64, WalletError> {
        self.read_clock();
        if self.state.phrase == 0 {
            return Err(WalletError::NoPhrase);
        }
        let mut moved = 0;
        for id in self.state.currencies.keys().cloned().collect::<Vec<_>>() {
            loop {
                let uncovered = self.uncovered(&id)?;
                if uncovered.is_empty() {
                    break;
                }
                self.require_recent(&id).await?;
                let value = sum(uncovered.iter().map(|held| held.value));
                let get = self.set_like(&id, uncovered.iter().map(|held| held.value).collect())?;
                let gives = uncovered.iter().map(|held| {
                    Ok(SpentCoin {
                        coin: self.coin(held)?,
                        value: held.value,
                        is_own: true,
                    })
                });
                let gives = gives.collect::<Result<_, WalletError>>()?;
                let begun = self.begin_exchange(&id, Kind::Change, gives, &get, None).await?;
                if let Some(operation) = begun {
                    self.run(operation).await?;
                }
                moved += value;
            }
        }
        Ok(moved)
    }

    /// Returns coins that the backup phrase does not cover, as many as one renewal takes.
    fn uncovered(&self, id: &BigInt) -> Result<Vec<Held>, WalletError> {
        let (currency, now) = (self.currency(id)?, self.now);
        let is_uncovered = |held: &&Held| currency.is_spendable(held, now) && !self.state.is_covered(held);
        let uncovered = currency.coins.values().filter(is_uncovered);
        Ok(uncovered.take(MOVED_COINS_MAX).cloned().collect())
    }

    /// The numbers of requests with this issuer, derived from the backup phrase.
    pub(super) fn derivation(&mut self, issuer: &BigInt) -> Option<Derivation> {
        if self.derivation_seed.is_none() {
            self.derivation_seed = Some(Arc::new(self.phrase()?.seed()));
        }
        let seed: &Zeroizing<[u8; 64]> = self.derivation_seed.as_ref()?;
        Some(Derivation::new(SecretKind::BackupPhrase, &**seed, issuer))
    }

    /// Restores the coins of a currency from the backup phrase, and renews those that were not spent. It can be repeated,
    /// also after an error.
    ///
    /// # Errors
    /// The wallet has no such currency or no phrase, or the issuer refuses or does not answer.
    pub async fn restore(
        &mut self,
        currency: Option<&str>,
        progress: &mut (dyn FnMut(RestoreProgress) + std::marker::Send),
    ) -> Result<Restored, WalletError> {
        self.read_clock();
        let id = self.choose(currency)?;
        let derivation = self.derivation(&id).ok_or(WalletError::NoPhrase)?;
        self.refresh(&id).await?;
        self.learn_live_keys(&id).await?;
        let mut restored = Restored::default();
        let mut coins = Vec::new();
        let (mut request, mut gap, mut used) = (0, 0, 0);
        while gap < GAP_MAX && request < REQUESTS_MAX {
            let secrets = RequestSecrets::derived(derivation.clone(), request, self.state.phrase);
            let answer = self.ask_for(&id, &secrets.reference).await?;
            request += 1;
            gap = if answer.is_some() { 0 } else { gap + 1 };
            if let Some(found) = answer {
                used = request;
                restored.requests += 1;
                match found {
                    Found::Signatures(signatures) => {
                        let made = self.make_coins(&id, &derivation, request - 1, &signatures, None)?;
                        restored.unknown += signatures.len() - made.len();
                        coins.extend(made);
                    }
                    Found::Waiting => restored.waiting += 1,
                    Found::Revoked => restored.revoked += 1,
                    Found::Expired => {}
                }
            }
            progress(RestoreProgress::Asking {
                asked: request,
                found: restored.requests,
            });
        }
        restored.coins = coins.len();
        // The renewals, and all later requests, must not use the numbers of earlier ones.
        let known = self
            .state
            .currencies
            .get_mut(&id)
            .ok_or(WalletError::NoCurrency)?;
        known.numbers.next = known.numbers.next.max(used);
        known.numbers.is_restored = true;
        self.store.commit(&mut self.state, &mut self.rng)?;
        // Coins that this wallet holds or has sent are not lost.
        let known = self.currency(&id)?;
        coins.retain(|coin| !known.coins.contains_key(&known.coin_id(&coin.payload)));
        let mut tried = 0;
        for part in coins.chunks(RECEIVE_COINS_MAX) {
            let stack = CoinStack {
                coins: part.to_vec(),
                subject: SUBJECT.to_owned(),
            };
            match self.receive(&stack).await {
                Ok(received) => restored.value += received.amount,
                Err(WalletError::ReceivedBefore | WalletError::NoGoodCoin(_)) => {}
                Err(WalletError::Exchange(refused)) if refused.is_double_spend() => {}
                Err(error) => return Err(error),
            }
            tried += part.len();
            progress(RestoreProgress::Renewing {
                tried,
                all: coins.len(),
            });
        }
        Ok(restored)
    }

    /// Learns the mint keys whose coins the issuer accepts, also those that no longer sign.
    pub(super) async fn learn_live_keys(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let services = self.currency(id)?.info_services();
        let live = client::fetch_live_keys(&self.transport, &services).await?;
        let known = &self.currency(id)?.mint_keys;
        let unknown: Vec<BigInt> = live.into_iter().filter(|key| !known.contains_key(key)).collect();
        for part in unknown.chunks(KEYS_ASKED_MAX) {
            self.fetch_mint_keys(id, part.to_vec()).await?;
        }
        Ok(())
    }

    /// Asks for an accepted request; `None` if the issuer knows none with this reference.
    pub(super) async fn ask_for(
        &self,
        id: &BigInt,
        reference: &BigInt,
    ) -> Result<Option<Found>, WalletError> {
        let cdd = self.currency(id)?.cddc.cdd();
        let mut services: Vec<&[WeightedUrl]> = vec![&cdd.renew_service];
        let urls = |services: &[WeightedUrl]| -> BTreeSet<String> {
            services.iter().map(|service| service.1.clone()).collect()
        };
        if urls(&cdd.renew_service) != urls(&cdd.mint_service) {
            services.push(&cdd.mint_service);
        }
        let request = text::compact(&RequestResume {
            message_reference: 0,
            transaction_reference: reference.clone(),
        });
        let (mut index, mut pauses) = (0, 0);
        while let Some(service) = services.get(index) {
            let answer =
                client::post(&self.transport, service, "/resume", OnBehalf::Nobody, &request).await?;
            match client::signatures(&answer) {
                Ok(signatures) => return Ok(Some(Found::Signatures(signatures))),
                Err(ExchangeError::Delayed { .. }) => return Ok(Some(Found::Waiting)),
                Err(ExchangeError::Recoup) => return Ok(Some(Found::Revoked)),
                Err(error) if error.is_refused_with(&[word::NOT_FOUND]) => index += 1,
                Err(error) if error.is_refused_with(&[word::INSUFFICIENT_FUNDS, word::KEY_EXPIRED]) => {
                    return Ok(Some(Found::Expired));
                }
                Err(error) if error.is_refused_with(&[word::KEY_REVOKED]) => {
                    return Ok(Some(Found::Revoked));
                }
                Err(error) if error.is_refused_with(&[word::TOO_MANY_REQUESTS]) && pauses < PAUSES_MAX => {
                    pauses += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Makes the coins of a request from its signatures. The mint keys are not named there: each key is tried, of this
    /// denomination if it is given for each blind. Leaves out signatures that no known key has made.
    pub(super) fn make_coins(
        &self,
        id: &BigInt,
        derivation: &Derivation,
        request: u64,
        signatures: &[BlindSignature],
        denominations: Option<&[u64]>,
    ) -> Result<Vec<Coin>, WalletError> {
        let currency = self.currency(id)?;
        let mut coins = Vec::new();
        // The blinds of a request are ordered by denomination, so the key is often that of the one before.
        let mut last = None;
        let mut seen = BTreeSet::new();
        for signature in signatures.iter().take(ITEMS_MAX) {
            let Ok(blind) = signature.reference.parse::<u32>() else {
                continue;
            };
            if blind.to_string() != signature.reference || !seen.insert(blind) {
                continue;
            }
            let denomination = denominations.map(|all| all.get(blind as usize));
            let made = coin(
                currency,
                derivation,
                (request, blind),
                signature,
                denomination,
                last.as_ref(),
            );
            if let Some(made) = made {
                last = Some(made.payload.clone());
                coins.push(made);
            }
        }
        Ok(coins)
    }
}

/// An accepted request.
pub(super) enum Found {
    Signatures(Vec<BlindSignature>),
    /// The signatures come later.
    Waiting,
    /// Mint keys were revoked before they signed.
    Revoked,
    /// It brings no coins any more.
    Expired,
}

/// Makes a coin with the key that has made the signature.
fn coin(
    currency: &Currency,
    derivation: &Derivation,
    (request, blind): (u64, u32),
    signature: &BlindSignature,
    denomination: Option<Option<&u64>>,
    last: Option<&Payload>,
) -> Option<Coin> {
    let suite: CipherSuite = currency.cddc.cipher_suite();
    let seed = derivation.blinding_seed(request, blind);
    let serial = derivation.serial(request, blind);
    let mut locations: Vec<&String> = currency
        .cddcs
        .values()
        .map(|cddc| &cddc.cdd().cdd_location)
        .collect();
    locations.sort();
    locations.dedup();
    let mut keys: Vec<_> = currency.mint_keys.values().collect();
    keys.sort_by_key(|key| Some(key.public_key().id()) != last.map(|last| &last.mint_key_id));
    let is_meant = |value: u64| denomination.is_none_or(|denomination| denomination == Some(&value));
    for key in keys
        .into_iter()
        .filter(|key| is_meant(key.mint_key().denomination))
    {
        for location in &locations {
            let payload = Payload {
                cdd_location: (*location).clone(),
                denomination: key.mint_key().denomination,
                issuer_id: currency.cddc.master_key().id().clone(),
                mint_key_id: key.public_key().id().clone(),
                protocol_version: PROTOCOL_VERSION.to_owned(),
                serial: serial.clone(),
            };
            let Ok((_, unblinder)) = suite.blind(key.public_key(), &payload, &seed) else {
                continue;
            };
            let signed = [(key.public_key(), &payload, &signature.blind_signature, unblinder)];
            if let Ok(mut coins) = suite.finish_all(&signed) {
                return coins.pop();
            }
        }
    }
    None
}

//! Currencies, their documents and how these are kept up to date, and whether a coin stack is what it says.
//!
//! The list of revoked mint keys is the one thing here without a signature: it is believed because the issuer
//! can refuse coins with or without it. All that it brings about is that the wallet keeps coins back; nothing
//! is revealed before its owner asks for a recoup.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::TimeDelta;
use opencoin_crypto::VerifiedCddc;
use opencoin_schema::{BigInt, Cddc, Coin, CoinStack, Mkc, WeightedUrl};
use opencoin_text::printable;

use super::Wallet;
use crate::client::{self, ExchangeError};
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::{CoinId, Event, Kind, Operation};
use crate::state::{Fate, Past};

/// Documents older than this are asked for again before payloads are blinded.
const DOCUMENTS_AGE_MAX: TimeDelta = TimeDelta::seconds(60);
/// How many CDDCs are fetched for one list of certificates.
const CDDCS_FETCHED_MAX: usize = 32;
/// How much of the reason of a revocation is kept.
const REASON_CHARS_MAX: usize = 200;

impl Wallet {
    pub(super) fn currency(&self, id: &BigInt) -> Result<&Currency, WalletError> {
        self.state.currencies.get(id).ok_or(WalletError::NoCurrency)
    }

    /// The only currency, or the one with this id or name.
    pub(super) fn choose(&self, wanted: Option<&str>) -> Result<BigInt, WalletError> {
        let named = |(id, currency): &(&BigInt, &Currency)| {
            wanted
                .is_none_or(|wanted| id.to_string() == wanted || currency.cddc.cdd().currency_name == wanted)
        };
        let found: Vec<(&BigInt, &Currency)> = self.state.currencies.iter().filter(named).collect();
        match found.as_slice() {
            [(id, _)] => Ok((*id).clone()),
            [] if self.state.currencies.is_empty() => Err(WalletError::NoCurrency),
            found => {
                let describe = |(id, currency): (&BigInt, &Currency)| {
                    format!("{} ({id})", printable(&currency.cddc.cdd().currency_name))
                };
                let known = self
                    .state
                    .currencies
                    .iter()
                    .map(describe)
                    .collect::<Vec<_>>()
                    .join(", ");
                Err(match wanted {
                    Some(wanted) if found.is_empty() => WalletError::UnknownCurrencyName {
                        wanted: wanted.to_owned(),
                        known,
                    },
                    Some(_) | None => WalletError::WhichCurrency(known),
                })
            }
        }
    }

    /// Verifies documents and keeps them. A currency that is known keeps its master key for good; each mint
    /// key is verified under the CDDC that its certificate names, which is fetched when it is not known.
    /// `are_current` says that the mint keys are all that the issuer calls current.
    pub(super) async fn learn(
        &mut self,
        url: String,
        cddc: Cddc,
        mkcs: Vec<Mkc>,
        are_current: bool,
        services: &[WeightedUrl],
    ) -> Result<(), WalletError> {
        let mut newest = opencoin_crypto::verify_cddc(&cddc)?;
        let id = newest.master_key().id().clone();
        let known = self.state.currencies.get(&id);
        if known.is_some_and(|known| known.cddc.master_key() != newest.master_key()) {
            return Err(WalletError::MasterKeyChanged(id.to_string()));
        }
        if let Some(known) = known.filter(|known| known.cddc.cdd().cdd_serial > cddc.cdd.cdd_serial) {
            // An older document, whoever sends it, does not replace a newer one.
            newest = known.cddc.clone();
        }
        // In older journals the newest stands for all.
        let mut cddcs = known.map(|known| known.cddcs.clone()).unwrap_or_default();
        cddcs.insert(newest.cdd().cdd_serial, newest.clone());
        let mut older = Vec::new();
        for serial in missing_serials(&mkcs, &cddcs)? {
            let fetched = client::fetch_cddc(self.transport.as_ref(), services, serial).await?;
            let verified = opencoin_crypto::verify_cddc(&fetched)?;
            if verified.master_key() != newest.master_key() {
                return Err(WalletError::MasterKeyChanged(
                    verified.master_key().id().to_string(),
                ));
            }
            cddcs.insert(serial, verified);
            older.push(fetched);
        }
        for mkc in &mkcs {
            opencoin_crypto::verify_mint_key_certificate(mkc, &cddcs[&mkc.mint_key.cdd_serial])?;
        }
        let current: Option<BTreeSet<BigInt>> =
            are_current.then(|| mkcs.iter().map(|mkc| mkc.mint_key.id.clone()).collect());
        let is_news = self.state.currencies.get(&id).is_none_or(|known| {
            known.url != url
                || known.cddc != newest
                || !older.is_empty()
                || mkcs
                    .iter()
                    .any(|mkc| !known.mint_keys.contains_key(&mkc.mint_key.id))
                || current.is_some() && known.current != current
        });
        let cddc = Box::new(newest.cddc().clone());
        if is_news {
            self.record(Event::Documents {
                url,
                cddc,
                mkcs,
                older,
                current,
            })
        } else {
            Ok(())
        }
    }

    /// Brings the documents up to date if they were last asked for more than [`DOCUMENTS_AGE_MAX`] ago. An
    /// issuer that does not answer is no reason to fail: what is known may do.
    ///
    /// # Errors
    /// When what the issuer answers is not this currency, or does not verify.
    pub(super) async fn freshen(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let age = self.documents_at.get(id).map(|at| (self.clock)() - *at);
        if age.is_some_and(|age| (TimeDelta::zero()..=DOCUMENTS_AGE_MAX).contains(&age)) {
            return Ok(());
        }
        match self.refresh(id).await {
            Err(WalletError::Exchange(_)) => Ok(()),
            refreshed => refreshed,
        }
    }

    /// Asks the issuer which CDD and which mint keys are current, and which mint keys were revoked. The
    /// master key must be the same.
    pub(super) async fn refresh(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let refreshed = self.fetch_documents(id).await;
        if matches!(refreshed, Ok(()) | Err(WalletError::Exchange(_))) {
            // Also when there was no answer: not every step of an operation should wait for one.
            self.documents_at.insert(id.clone(), (self.clock)());
        }
        refreshed
    }

    async fn fetch_documents(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let (services, url, mut cddc) = (
            info_services(currency),
            currency.url.clone(),
            currency.cddc.cddc().clone(),
        );
        if client::fetch_cdd_serial(self.transport.as_ref(), &services).await? > cddc.cdd.cdd_serial {
            cddc = client::fetch_cddc(self.transport.as_ref(), &services, 0).await?;
        }
        let mkcs = client::fetch_mkcs(self.transport.as_ref(), &services, Vec::new()).await?;
        if cddc.cdd.issuer_public_master_key != *self.currency(id)?.cddc.master_key().document() {
            return Err(WalletError::MasterKeyChanged(cddc.cdd.id.to_string()));
        }
        if let Some(foreign) = mkcs.iter().find(|mkc| mkc.mint_key.issuer_id != *id) {
            return Err(WalletError::MasterKeyChanged(
                foreign.mint_key.issuer_id.to_string(),
            ));
        }
        self.learn(url, cddc, mkcs, true, &services).await?;
        self.learn_revocations(id, &services).await
    }

    /// Asks which mint keys were revoked. What the issuer says last counts: nobody else can know.
    async fn learn_revocations(&mut self, id: &BigInt, services: &[WeightedUrl]) -> Result<(), WalletError> {
        let mut mint_keys = client::fetch_revocations(self.transport.as_ref(), services).await?;
        mint_keys.sort_by(|a, b| a.id.cmp(&b.id));
        mint_keys.dedup_by(|a, b| a.id == b.id);
        for key in &mut mint_keys {
            key.reason = key.reason.chars().take(REASON_CHARS_MAX).collect();
        }
        let known = self.currency(id)?.revoked.iter();
        let is_news = !known.eq(mint_keys.iter().map(|key| (&key.id, &key.reason)));
        let event = Event::Revocations {
            currency: id.clone(),
            mint_keys,
            at: (self.clock)(),
        };
        if is_news { self.record(event) } else { Ok(()) }
    }

    /// Takes the documents of the issuer at this URL for a currency: a new one, or one that is known. Gives
    /// its id.
    pub(super) async fn fetch_currency(&mut self, url: &str) -> Result<BigInt, WalletError> {
        let services = [WeightedUrl(0, url.to_owned())];
        let cddc = client::fetch_cddc(self.transport.as_ref(), &services, 0).await?;
        let mkcs = client::fetch_mkcs(self.transport.as_ref(), &services, Vec::new()).await?;
        let id = opencoin_crypto::verify_cddc(&cddc)?.master_key().id().clone();
        self.learn(url.to_owned(), cddc, mkcs, true, &services).await?;
        self.learn_revocations(&id, &services).await?;
        self.documents_at.insert(id.clone(), (self.clock)());
        Ok(id)
    }

    pub(super) fn issuer_of(&self, stack: &CoinStack) -> Result<BigInt, WalletError> {
        let first = stack.coins.first().ok_or(WalletError::EmptyStack)?;
        let issuer = &first.payload.issuer_id;
        if !self.state.currencies.contains_key(issuer) {
            let hint = format!("the coins say {:?}", first.payload.cdd_location);
            return Err(WalletError::UnknownCurrency {
                issuer: issuer.to_string(),
                hint,
            });
        }
        match stack
            .coins
            .iter()
            .position(|coin| coin.payload.issuer_id != *issuer)
        {
            Some(index) => Err(WalletError::BadCoin(index)),
            None => Ok(issuer.clone()),
        }
    }

    /// Fetches certificates of mint keys that the stack names and the wallet has not seen.
    pub(super) async fn learn_mint_keys(
        &mut self,
        id: &BigInt,
        stack: &CoinStack,
    ) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let is_unknown = |id: &BigInt| !currency.mint_keys.contains_key(id);
        let named: BTreeSet<&BigInt> = stack.coins.iter().map(|coin| &coin.payload.mint_key_id).collect();
        let unknown: Vec<BigInt> = named.into_iter().filter(|id| is_unknown(id)).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let (services, url, cddc) = (
            info_services(currency),
            currency.url.clone(),
            currency.cddc.cddc().clone(),
        );
        let mkcs = client::fetch_mkcs(self.transport.as_ref(), &services, unknown).await?;
        self.learn(url, cddc, mkcs, false, &services).await
    }

    /// What each coin is worth; every one must verify and be there once.
    pub(super) fn verify(&self, id: &BigInt, stack: &CoinStack) -> Result<Vec<u64>, WalletError> {
        let currency = self.currency(id)?;
        let suite = currency.cddc.cipher_suite();
        let mut seen = BTreeSet::new();
        let mut values = Vec::with_capacity(stack.coins.len());
        for (index, coin) in stack.coins.iter().enumerate() {
            if !seen.insert(currency.coin_id(&coin.payload)) {
                return Err(WalletError::RepeatedCoin(index));
            }
            let key = currency
                .mint_keys
                .get(&coin.payload.mint_key_id)
                .ok_or(WalletError::UnknownMintKey(index))?;
            suite
                .verify_coin(key.public_key(), coin)
                .map_err(|_| WalletError::BadCoin(index))?;
            if (self.clock)() > key.mint_key().coins_expiry_date.to_utc() {
                return Err(WalletError::ExpiredCoin(index));
            }
            values.push(key.mint_key().denomination);
        }
        let sum = values
            .iter()
            .try_fold(0_u64, |sum, value| sum.checked_add(*value));
        sum.ok_or(WalletError::Overflow).map(|_| values)
    }

    /// Refuses a stack with a coin of a revoked mint key.
    pub(super) fn check_not_revoked(&self, id: &BigInt, stack: &CoinStack) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let reason_of = |coin: &Coin| currency.revoked.get(&coin.payload.mint_key_id);
        match stack
            .coins
            .iter()
            .enumerate()
            .find_map(|(index, coin)| reason_of(coin).map(|reason| (index, reason)))
        {
            Some((index, reason)) => Err(WalletError::RevokedCoin {
                index,
                reason: printable(reason),
            }),
            None => Ok(()),
        }
    }

    /// The coins of others that were received, or are being received.
    pub(super) fn received(&self) -> HashSet<&CoinId> {
        let receives = |past: &&Past<Operation>| {
            matches!(past.what.kind, Kind::Receive { .. }) && past.fate != Fate::Refused
        };
        let given = self
            .state
            .operations
            .values()
            .filter(receives)
            .flat_map(|past| &past.what.gives);
        given
            .filter(|given| !given.is_own)
            .map(|given| &given.coin)
            .collect()
    }
}

/// Where documents are asked for: the URL that the user named first.
fn info_services(currency: &Currency) -> Vec<WeightedUrl> {
    let mut services = vec![WeightedUrl(i64::MIN, currency.url.clone())];
    services.extend(currency.cddc.cdd().info_service.iter().cloned());
    services
}

/// The CDDCs under which these keys were certified and which are not known.
fn missing_serials(
    mkcs: &[Mkc],
    known: &BTreeMap<u64, VerifiedCddc>,
) -> Result<BTreeSet<u64>, ExchangeError> {
    let serials = mkcs.iter().map(|mkc| mkc.mint_key.cdd_serial);
    let missing: BTreeSet<u64> = serials.filter(|serial| !known.contains_key(serial)).collect();
    if missing.len() > CDDCS_FETCHED_MAX {
        let description = format!("the issuer's mint keys name {} unknown CDDs", missing.len());
        return Err(ExchangeError::Unknown(description));
    }
    Ok(missing)
}

//! Currencies, their documents and the updates of these.
//!
//! Only the list of revoked mint keys has no signature. It is trusted because the issuer can refuse coins
//! without it too. Its only effect is that the wallet does not spend coins of revoked keys; a recoup, which
//! reveals them, happens only when the user asks for it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::VerifiedCddc;
use opencoin_schema::{BigInt, Cddc, CoinStack, Mkc, WeightedUrl};
use opencoin_text::printable;

use super::Wallet;
use crate::client::{self, ExchangeError};
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::Event;

/// Documents older than this are fetched again before payloads are blinded.
const DOCUMENTS_AGE_MAX: TimeDelta = TimeDelta::seconds(60);
/// The most unknown CDDCs that are fetched before their mint keys are written to the disk.
const PORTION_CDDCS: usize = 32;
/// The longest stored reason of a revocation.
const REASON_CHARS_MAX: usize = 200;

/// The last attempt to fetch a currency's documents.
pub(super) struct Refresh {
    at: DateTime<Utc>,
    /// Why the issuer did not answer.
    failed: Option<ExchangeError>,
}

impl Wallet {
    pub(super) fn currency(&self, id: &BigInt) -> Result<&Currency, WalletError> {
        self.state.currencies.get(id).ok_or(WalletError::NoCurrency)
    }

    /// Returns the currency with this id or name, or the only currency.
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
                let known: Vec<String> = self.state.currencies.iter().map(describe).collect();
                let known = known.join(", ");
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

    /// Verifies documents and stores them. A known currency's master key never changes. Each mint key is
    /// verified under the CDDC that its certificate names; unknown CDDCs are fetched. `current` are the ids
    /// of all current mint keys, if the issuer was asked for them.
    async fn learn_portion(
        &mut self,
        url: String,
        cddc: &Cddc,
        mkcs: Vec<Mkc>,
        current: Option<BTreeSet<BigInt>>,
        services: &[WeightedUrl],
    ) -> Result<(), WalletError> {
        let mut newest = opencoin_crypto::verify_cddc(cddc)?;
        let id = newest.master_key().id().clone();
        let known = self.state.currencies.get(&id);
        if known.is_some_and(|known| known.cddc.master_key() != newest.master_key()) {
            return Err(WalletError::MasterKeyChanged(id.to_string()));
        }
        if let Some(known) = known.filter(|known| known.cddc.cdd().cdd_serial > cddc.cdd.cdd_serial) {
            // An older CDDC does not replace a newer one.
            newest = known.cddc.clone();
        }
        // Older journals store only the newest CDDC.
        let mut cddcs = known.map(|known| known.cddcs.clone()).unwrap_or_default();
        cddcs.insert(newest.cdd().cdd_serial, newest.clone());
        let mut older = Vec::new();
        for serial in unknown_serials(&mkcs, &cddcs) {
            let fetched = client::fetch_cddc(&self.transport, services, serial).await?;
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

    /// Calls [`Self::learn_portion`] for portions with few unknown CDDCs, the newest first. If the issuer
    /// stops answering, the finished portions stay stored.
    async fn learn(
        &mut self,
        url: &str,
        cddc: &Cddc,
        mkcs: Vec<Mkc>,
        are_current: bool,
        services: &[WeightedUrl],
    ) -> Result<(), WalletError> {
        let current: Option<BTreeSet<BigInt>> =
            are_current.then(|| mkcs.iter().map(|mkc| mkc.mint_key.id.clone()).collect());
        let mut by_serial: BTreeMap<u64, Vec<Mkc>> = BTreeMap::new();
        for mkc in mkcs {
            by_serial.entry(mkc.mint_key.cdd_serial).or_default().push(mkc);
        }
        let mut newest_first: Vec<Vec<Mkc>> = by_serial.into_values().rev().collect();
        // Without mint keys the CDDC is still stored.
        if newest_first.is_empty() {
            newest_first.push(Vec::new());
        }
        for portion in newest_first.chunks(PORTION_CDDCS) {
            self.learn_portion(url.to_owned(), cddc, portion.concat(), current.clone(), services)
                .await?;
        }
        Ok(())
    }

    /// Refreshes documents older than [`DOCUMENTS_AGE_MAX`]. If the issuer does not answer, the known
    /// documents are used.
    ///
    /// # Errors
    /// The issuer's documents are of another currency or do not verify.
    pub(super) async fn refresh_if_old(&mut self, id: &BigInt) -> Result<(), WalletError> {
        match self.require_recent(id).await {
            Err(WalletError::Exchange(_)) => Ok(()),
            refreshed => refreshed,
        }
    }

    /// Does the same as [`Self::refresh_if_old`], but fails if the issuer did not answer the last time.
    pub(super) async fn require_recent(&mut self, id: &BigInt) -> Result<(), WalletError> {
        if let Some(asked) = self.asked.get(id)
            && (TimeDelta::zero()..=DOCUMENTS_AGE_MAX).contains(&(self.now - asked.at))
        {
            return asked.failed.clone().map_or(Ok(()), |error| Err(error.into()));
        }
        self.refresh(id).await
    }

    /// Fetches the current CDD, the current mint keys and the revocations. The master key must not change.
    pub(super) async fn refresh(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let refreshed = self.fetch_documents(id).await;
        let failed = match &refreshed {
            Ok(()) => None,
            // These requests change nothing, so there is nothing to resume.
            Err(WalletError::Exchange(ExchangeError::Unknown(reason))) => {
                Some(ExchangeError::NotSent(reason.clone()))
            }
            Err(WalletError::Exchange(error)) => Some(error.clone()),
            Err(_) => return refreshed,
        };
        // Failures are remembered too, so that only one step of an operation waits for the timeout.
        let asked = Refresh {
            at: self.now,
            failed: failed.clone(),
        };
        self.asked.insert(id.clone(), asked);
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn fetch_documents(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let (services, url, mut cddc) = (
            currency.info_services(),
            currency.url.clone(),
            currency.cddc.cddc().clone(),
        );
        if client::fetch_cdd_serial(&self.transport, &services).await? > cddc.cdd.cdd_serial {
            cddc = client::fetch_cddc(&self.transport, &services, 0).await?;
        }
        let mkcs = client::fetch_mkcs(&self.transport, &services, Vec::new()).await?;
        if cddc.cdd.issuer_public_master_key != *self.currency(id)?.cddc.master_key().document() {
            return Err(WalletError::MasterKeyChanged(cddc.cdd.id.to_string()));
        }
        if let Some(foreign) = mkcs.iter().find(|mkc| mkc.mint_key.issuer_id != *id) {
            return Err(WalletError::MasterKeyChanged(
                foreign.mint_key.issuer_id.to_string(),
            ));
        }
        let learned = self.learn(&url, &cddc, mkcs, true, &services).await;
        // Revocations are stored even if the other documents fail.
        self.learn_revocations(id, &services).await.and(learned)
    }

    /// Fetches the list of revoked mint keys. The latest list replaces the stored one.
    async fn learn_revocations(&mut self, id: &BigInt, services: &[WeightedUrl]) -> Result<(), WalletError> {
        let revoked = client::fetch_revocations(&self.transport, services).await?;
        let Some(mut mint_keys) = revoked else {
            return Ok(());
        };
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
        };
        if is_news { self.record(event) } else { Ok(()) }
    }

    /// Fetches the documents of the issuer at this URL, for a new or a known currency. Returns its id.
    pub(super) async fn fetch_currency(&mut self, url: &str) -> Result<BigInt, WalletError> {
        let services = [WeightedUrl(0, url.to_owned())];
        let cddc = client::fetch_cddc(&self.transport, &services, 0).await?;
        self.learn_currency(url, &cddc).await
    }

    /// Fetches the other documents of the issuer at this URL, and stores them with this CDDC. Returns its id.
    pub(super) async fn learn_currency(&mut self, url: &str, cddc: &Cddc) -> Result<BigInt, WalletError> {
        let services = [WeightedUrl(0, url.to_owned())];
        let mkcs = client::fetch_mkcs(&self.transport, &services, Vec::new()).await?;
        let id = opencoin_crypto::verify_cddc(cddc)?.master_key().id().clone();
        self.learn(url, cddc, mkcs, true, &services).await?;
        self.learn_revocations(&id, &services).await?;
        let (at, failed) = (self.now, None);
        self.asked.insert(id.clone(), Refresh { at, failed });
        Ok(id)
    }

    /// Fetches the certificates of the stack's unknown mint keys.
    pub(super) async fn learn_mint_keys(
        &mut self,
        id: &BigInt,
        stack: &CoinStack,
    ) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let of_currency = stack.coins.iter().filter(|coin| coin.payload.issuer_id == *id);
        let named: BTreeSet<&BigInt> = of_currency.map(|coin| &coin.payload.mint_key_id).collect();
        let is_unknown = |id: &&BigInt| !currency.mint_keys.contains_key(*id);
        let unknown: Vec<BigInt> = named.into_iter().filter(is_unknown).cloned().collect();
        match unknown.is_empty() {
            true => Ok(()),
            false => self.fetch_mint_keys(id, unknown).await,
        }
    }

    /// Fetches the certificates of these mint keys.
    pub(super) async fn fetch_mint_keys(
        &mut self,
        id: &BigInt,
        keys: Vec<BigInt>,
    ) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let (services, url, cddc) = (
            currency.info_services(),
            currency.url.clone(),
            currency.cddc.cddc().clone(),
        );
        let mkcs = client::fetch_mkcs(&self.transport, &services, keys).await?;
        self.learn(&url, &cddc, mkcs, false, &services).await
    }
}

/// Returns the serials of the unknown CDDCs under which these keys were certified.
fn unknown_serials(mkcs: &[Mkc], known: &BTreeMap<u64, VerifiedCddc>) -> BTreeSet<u64> {
    let serials = mkcs.iter().map(|mkc| mkc.mint_key.cdd_serial);
    serials.filter(|serial| !known.contains_key(serial)).collect()
}

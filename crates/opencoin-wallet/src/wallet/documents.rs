//! Currencies, their documents, and whether a coin stack is what it says.

use std::collections::{BTreeSet, HashSet};

use opencoin_schema::{BigInt, Cddc, CoinStack, Mkc, WeightedUrl};

use super::Wallet;
use crate::client;
use crate::error::WalletError;
use crate::state::{CoinId, Currency, Event, Fate, Kind, Operation, Past};

impl Wallet {
    pub(super) fn currency(&self, id: &BigInt) -> Result<&Currency, WalletError> {
        self.state.currencies.get(id).ok_or(WalletError::NoCurrency)
    }

    /// The only currency, or the one with this id or name.
    pub(super) fn choose(&self, wanted: Option<&str>) -> Result<BigInt, WalletError> {
        let named = |(id, currency): &(&BigInt, &Currency)| {
            wanted.is_none_or(|wanted| id.to_string() == wanted || currency.cddc.cdd().currency_name == wanted)
        };
        let found: Vec<(&BigInt, &Currency)> = self.state.currencies.iter().filter(named).collect();
        match found.as_slice() {
            [(id, _)] => Ok((*id).clone()),
            [] if self.state.currencies.is_empty() => Err(WalletError::NoCurrency),
            _ => {
                let describe = |(id, currency): (&BigInt, &Currency)| format!("{} ({id})", currency.cddc.cdd().currency_name);
                Err(WalletError::WhichCurrency(self.state.currencies.iter().map(describe).collect::<Vec<_>>().join(", ")))
            }
        }
    }

    /// Verifies documents and keeps them. A currency that is known keeps its master key for good.
    pub(super) fn documents(&mut self, url: String, cddc: Cddc, mkcs: Vec<Mkc>) -> Result<(), WalletError> {
        let mut cddc = cddc;
        let mut verified = opencoin_crypto::verify_cddc(&cddc)?;
        if let Some(known) = self.state.currencies.get(verified.master_key().id())
            && known.cddc.cdd().cdd_serial > cddc.cdd.cdd_serial
        {
            // An older document, whoever sends it, does not replace a newer one.
            verified = known.cddc.clone();
            cddc = verified.cddc().clone();
        }
        for mkc in &mkcs {
            opencoin_crypto::verify_mint_key_certificate(mkc, &verified)?;
        }
        let known = self.state.currencies.get(verified.master_key().id());
        if known.is_some_and(|known| known.cddc.master_key() != verified.master_key()) {
            return Err(WalletError::MasterKeyChanged(verified.master_key().id().to_string()));
        }
        let is_news = known.is_none_or(|known| {
            known.url != url
                || *known.cddc.cddc() != cddc
                || mkcs.iter().any(|mkc| !known.mint_keys.contains_key(&mkc.mint_key.id))
        });
        if is_news { self.record(Event::Documents { url, cddc: Box::new(cddc), mkcs }) } else { Ok(()) }
    }

    /// Fetches the current documents of a currency, which must still have the same master key.
    pub(super) async fn refresh(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let services = info_services(currency);
        let url = currency.url.clone();
        let cddc = client::fetch_cddc(self.transport.as_ref(), &services).await?;
        let mkcs = client::fetch_mkcs(self.transport.as_ref(), &services, Vec::new()).await?;
        if cddc.cdd.issuer_public_master_key != *self.currency(id)?.cddc.master_key().document() {
            return Err(WalletError::MasterKeyChanged(cddc.cdd.id.to_string()));
        }
        self.documents(url, cddc, mkcs)
    }

    pub(super) fn issuer_of(&self, stack: &CoinStack) -> Result<BigInt, WalletError> {
        let first = stack.coins.first().ok_or(WalletError::EmptyStack)?;
        let issuer = &first.payload.issuer_id;
        if !self.state.currencies.contains_key(issuer) {
            let hint = format!("the coins say {:?}", first.payload.cdd_location);
            return Err(WalletError::UnknownCurrency { issuer: issuer.to_string(), hint });
        }
        match stack.coins.iter().position(|coin| coin.payload.issuer_id != *issuer) {
            Some(index) => Err(WalletError::BadCoin(index)),
            None => Ok(issuer.clone()),
        }
    }

    /// Fetches certificates of mint keys that the stack names and the wallet has not seen.
    pub(super) async fn learn_mint_keys(&mut self, id: &BigInt, stack: &CoinStack) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let is_unknown = |id: &BigInt| !currency.mint_keys.contains_key(id);
        let named: BTreeSet<&BigInt> = stack.coins.iter().map(|coin| &coin.payload.mint_key_id).collect();
        let unknown: Vec<BigInt> = named.into_iter().filter(|id| is_unknown(id)).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let (services, url, cddc) = (info_services(currency), currency.url.clone(), currency.cddc.cddc().clone());
        let mkcs = client::fetch_mkcs(self.transport.as_ref(), &services, unknown).await?;
        self.documents(url, cddc, mkcs)
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
            let key = currency.mint_keys.get(&coin.payload.mint_key_id).ok_or(WalletError::UnknownMintKey(index))?;
            suite.verify_coin(key.public_key(), coin).map_err(|_| WalletError::BadCoin(index))?;
            if (self.clock)() > key.mint_key().coins_expiry_date.to_utc() {
                return Err(WalletError::ExpiredCoin(index));
            }
            values.push(key.mint_key().denomination);
        }
        let sum = values.iter().try_fold(0_u64, |sum, value| sum.checked_add(*value));
        sum.ok_or(WalletError::Overflow).map(|_| values)
    }

    /// The coins of others that were received, or are being received.
    pub(super) fn received(&self) -> HashSet<&CoinId> {
        let receives = |past: &&Past<Operation>| matches!(past.what.kind, Kind::Receive { .. }) && past.fate != Fate::Refused;
        let given = self.state.operations.values().filter(receives).flat_map(|past| &past.what.gives);
        given.filter(|given| !given.is_own).map(|given| &given.coin).collect()
    }
}

/// Where documents are asked for: the URL that the user named first.
fn info_services(currency: &Currency) -> Vec<WeightedUrl> {
    let mut services = vec![WeightedUrl(i64::MIN, currency.url.clone())];
    services.extend(currency.cddc.cdd().info_service.iter().cloned());
    services
}

//! The certificates of mint keys, and the list of keys whose coins are accepted.

use std::collections::BTreeSet;
use std::sync::Arc;

use opencoin_keys::Currency;
use opencoin_ledger::MintKeyId;
use opencoin_schema::{BigInt, Mkc, RequestMintKeyCertificates, Timestamp};
use serde::Serialize;

use super::Issuer;
use crate::admission;
use crate::documents::Sought;
use crate::refusal::Refusal;

/// A mint key whose coins are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveMintKey {
    /// Its coins are accepted until then.
    pub coins_expiry_date: Timestamp,
    /// The value of its coins.
    pub denomination: u64,
    /// Its id.
    pub id: BigInt,
}

impl Issuer {
    /// The answer to `RequestMKCs`: the current keys of these denominations and the keys with these ids, or all
    /// current keys if the request names neither.
    ///
    /// # Errors
    /// When the request names too many.
    pub async fn mint_key_certificates(
        &self,
        request: &RequestMintKeyCertificates,
    ) -> Result<Vec<Mkc>, Refusal> {
        admission::check_count("denominations", request.denominations.len())?;
        admission::check_count("mint_key_ids", request.mint_key_ids.len())?;
        let is_all = request.denominations.is_empty() && request.mint_key_ids.is_empty();
        let currency = self.currency_showing(request.mint_key_ids.iter()).await;
        let unpublished = self.unpublished(&currency);
        let current = currency.current_mint_keys(self.clock.now(), &unpublished);
        let is_current = |id: &BigInt| {
            current.iter().any(|key| {
                let mint_key = key.verified.mint_key();
                mint_key.id == *id && (is_all || request.denominations.contains(&mint_key.denomination))
            })
        };
        let mut keys: Vec<Mkc> = (currency.mint_keys())
            .map(|key| key.verified.mkc())
            .filter(|mkc| is_current(&mkc.mint_key.id) || request.mint_key_ids.contains(&mkc.mint_key.id))
            .filter(|mkc| self.is_shown(&currency, &mkc.mint_key.id))
            .cloned()
            .collect();
        keys.sort_by_key(|mkc| mkc.mint_key.denomination);
        Ok(keys)
    }

    /// The published mint keys whose coins have not expired, also those that no longer sign.
    pub async fn live_mint_keys(&self) -> Vec<LiveMintKey> {
        let currency = self.currency_with_keys([].into_iter()).await;
        let (now, unpublished) = (self.clock.now(), self.unpublished(&currency));
        let live = currency.mint_keys().filter(|key| {
            let mint_key = key.verified.mint_key();
            mint_key.sign_coins_not_before.to_utc() <= now
                && now <= mint_key.coins_expiry_date.to_utc()
                && !unpublished.contains(&key.ledger_id)
        });
        let mut live: Vec<LiveMintKey> = live
            .map(|key| {
                let mint_key = key.verified.mint_key();
                LiveMintKey {
                    coins_expiry_date: mint_key.coins_expiry_date,
                    denomination: mint_key.denomination,
                    id: mint_key.id.clone(),
                }
            })
            .collect();
        live.sort_by(|a, b| (a.denomination, &a.id).cmp(&(b.denomination, &b.id)));
        live
    }

    /// The certificate of one mint key.
    pub async fn mint_key_certificate(&self, id: &BigInt) -> Option<Mkc> {
        let currency = self.currency_showing([id].into_iter()).await;
        let key = currency.mint_key(id).filter(|_| self.is_shown(&currency, id))?;
        Some(key.verified.mkc().clone())
    }

    /// The currency, after a look at the folder and the books if one of these mint keys is not shown here. Another process
    /// may have shown it before, and somebody asks about its coins.
    async fn currency_showing<'ids>(&self, ids: impl Iterator<Item = &'ids BigInt> + Clone) -> Arc<Currency> {
        self.currency_with(Sought::PublishedKeys, |currency| {
            ids.clone()
                .all(|id| currency.mint_key(id).is_some() && self.is_shown(currency, id))
        })
        .await
    }

    /// Whether anybody may see the certificate. One that is not in the public log yet may never be there.
    fn is_shown(&self, currency: &Currency, id: &BigInt) -> bool {
        let key = currency.mint_key(id);
        self.log.is_none() || key.is_some_and(|key| self.documents.is_logged(key.ledger_id))
    }

    /// The mint keys that are not published: they are stopped, or not in the public log yet.
    fn unpublished(&self, currency: &Currency) -> BTreeSet<MintKeyId> {
        let mut unpublished = BTreeSet::clone(&self.documents.unpublished());
        if self.log.is_some() {
            // New certificates are known before the books have registered their keys, which then wait for the log.
            let numbers = self.documents.numbers();
            let ids = currency.mint_keys().map(|key| key.ledger_id);
            unpublished.extend(ids.filter(|id| !numbers.contains_key(id)));
        }
        unpublished
    }
}

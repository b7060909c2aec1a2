//! How many coins there are; see [`crate::supply`].

use std::sync::Arc;

use opencoin_api::Supply;

use super::Issuer;
use crate::refusal::{Refusal, unavailable};
use crate::supply::{counted, logged};

impl Issuer {
    /// The coins as of the newest batch of the public log that is known to be published; without a log, as counted when
    /// they were first asked for on this day. `None` if the first batch is not published yet.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn supply(&self) -> Result<Option<Arc<Supply>>, Refusal> {
        match &self.log {
            Some(log) => {
                let counts = log.counts().await.map_err(unavailable)?;
                let Some(counts) = counts else { return Ok(None) };
                let statuses = self.mint_key_statuses().await?;
                let supply = logged(&counts, &statuses).map_err(unavailable)?;
                Ok(Some(Arc::new(supply)))
            }
            None => self.daily_supply().await.map(Some),
        }
    }

    async fn daily_supply(&self) -> Result<Arc<Supply>, Refusal> {
        let now = self.clock.now();
        if let Some(supply) = self.daily_supply.of_day(now.date_naive()) {
            return Ok(supply);
        }
        let supply = Arc::new(counted(&self.mint_key_statuses().await?, now));
        self.daily_supply.remember(now.date_naive(), Arc::clone(&supply));
        Ok(supply)
    }
}

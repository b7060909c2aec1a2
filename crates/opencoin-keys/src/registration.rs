//! Registers the documents of a currency in its ledger and its public log.

use opencoin_ledger::{
    BATCH_COMMANDS_MAX, Command, Ledger, LedgerError, LedgerTime, MintKeyId, Outcome, Refusal,
};
use opencoin_schema::Cddc;

use crate::clock::Clock;
use crate::currency::{CertifiedMintKey, Currency, ledger_time};

/// The mint keys cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger knows only keys that the currency does not have.
    #[error("the database holds the books of another currency: its mint key {0} has no certificate here")]
    OtherCurrency(MintKeyId),
    /// The ledger knows a key with other terms.
    #[error("the database does not agree with the certificates: {0}")]
    Terms(Refusal),
}

/// Registers the currency's mint keys in its ledger. Known keys do not change. A key that comes too late to be in the
/// public log when it signs is left out, and so never used. If the currency has a public log, it is
/// opened in new books and gets the currency's documents. In books that had money before it stays closed.
///
/// The leaf of a registered key can no longer be taken back, because the numbers of keys in the log have no gap. So only a
/// server that seals what waits may register keys of a public log: otherwise the leaf could wait until it is late.
///
/// # Errors
/// When the ledger fails, belongs to another currency, or knows a key with other terms.
pub async fn register_mint_keys(
    currency: &Currency,
    ledger: &dyn Ledger,
    clock: &dyn Clock,
) -> Result<(), OpenError> {
    register(currency, ledger, clock, true).await
}

/// As [`register_mint_keys`], for everybody else: new mint keys of a log that is open already are left to a server.
///
/// # Errors
/// As [`register_mint_keys`].
pub async fn register_documents(
    currency: &Currency,
    ledger: &dyn Ledger,
    clock: &dyn Clock,
) -> Result<(), OpenError> {
    register(currency, ledger, clock, false).await
}

async fn register(
    currency: &Currency,
    ledger: &dyn Ledger,
    clock: &dyn Clock,
    is_sealed_soon: bool,
) -> Result<(), OpenError> {
    let known = ledger.mint_keys().await?;
    let has_certificate = |id| currency.mint_keys().any(|key| key.ledger_id == id);
    let strangers: Vec<_> = known.iter().filter(|key| !has_certificate(key.id)).collect();
    match strangers.first() {
        Some(other) if strangers.len() == known.len() => return Err(OpenError::OtherCurrency(other.id)),
        // Another machine has newer certificates, which will be copied here.
        Some(other) => {
            tracing::warn!(mint_key = %other.id, others = strangers.len() - 1, "the books know mint keys without a certificate here")
        }
        None => {}
    }
    let now = clock.now();
    let at = ledger_time(now);
    let has_waiting_log = !known.is_empty() && currency.log().is_some() && !is_sealed_soon;
    let register = |key: &CertifiedMintKey| {
        let is_known = known
            .iter()
            .any(|status| status.id == key.ledger_id && status.terms == key.terms);
        let is_late = !known.is_empty() && currency.is_late(key, now);
        if is_late && !is_known {
            alarm_of_late_key(key.ledger_id);
        }
        (!is_known && !is_late && !has_waiting_log).then(|| register_command(key, at))
    };
    let commands: Vec<Command> = currency.mint_keys().filter_map(register).collect();
    apply(ledger, &commands).await?;
    if currency.log().is_none() {
        return Ok(());
    }
    match apply(ledger, &[open_log(currency, at)]).await {
        // `opencoin log enable` opens it, and no server serves the books before.
        Err(OpenError::Terms(Refusal::LogAfterMoney)) => return Ok(()),
        opened => opened?,
    }
    let describe = |cddc: &Cddc| Command::LogCurrency {
        cddc: Box::new(cddc.clone()),
        at,
    };
    let commands: Vec<Command> = currency.cddcs().map(describe).collect();
    apply(ledger, &commands).await
}

/// Logs that a mint key is never used because it came too late for the public log.
pub fn alarm_of_late_key(mint_key: MintKeyId) {
    tracing::error!(%mint_key, "ALARM: this mint key came too late to be in the public log when it signs, so it is never used; make another one: opencoin issuer keys rotate --now");
}

/// The command that registers a mint key.
#[must_use]
pub fn register_command(key: &CertifiedMintKey, at: LedgerTime) -> Command {
    Command::RegisterMintKey {
        id: key.ledger_id,
        terms: key.terms,
        certificate: Box::new(key.verified.mkc().clone()),
        at,
    }
}

/// Opens the public log, unless it is open.
fn open_log(currency: &Currency, at: LedgerTime) -> Command {
    let certificate = |key: &CertifiedMintKey| (key.ledger_id, key.verified.mkc().clone());
    Command::OpenLog {
        certificates: currency.mint_keys().map(certificate).collect(),
        declared: None,
        at,
    }
}

/// Applies any number of commands.
async fn apply(ledger: &dyn Ledger, commands: &[Command]) -> Result<(), OpenError> {
    for portion in commands.chunks(BATCH_COMMANDS_MAX) {
        ledger
            .apply(portion)
            .await?
            .into_iter()
            .try_for_each(|outcome: Outcome| outcome.map(|_| ()))
            .map_err(OpenError::Terms)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use opencoin_ledger::{
        Amount, MINT_KEY_ID_BYTES, MemoryLedger, MintKeyTerms, register_uncertified_mint_key,
    };

    use super::*;

    #[tokio::test]
    async fn more_keys_than_fit_in_a_batch_are_registered() {
        let ledger = MemoryLedger::new();
        let [from, to, expiry] = [1, 2, 3].map(LedgerTime::from_unix_micros);
        let terms = MintKeyTerms::new(Amount::new(1).unwrap(), from, to, expiry).unwrap();
        let register = |number: usize| {
            let mut id = [0; MINT_KEY_ID_BYTES];
            id[..8].copy_from_slice(&number.to_be_bytes());
            register_uncertified_mint_key(MintKeyId::new(id), terms, from)
        };
        let commands: Vec<Command> = (0..=BATCH_COMMANDS_MAX).map(register).collect();
        apply(&ledger, &commands).await.unwrap();
        assert_eq!(ledger.mint_keys().await.unwrap().len(), commands.len());
    }
}

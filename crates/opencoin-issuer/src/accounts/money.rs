//! Transfers and payouts. Each is idempotent by its key.

use opencoin_api::TEXT_CHARS_MAX;
use opencoin_ledger::{
    AccountEntry, AccountId, Amount, Command, IdempotencyKey, Payout, PayoutFilter, PayoutNo, Reference,
};

use super::entries::page_length;
use super::{AccountService, account_name};
use crate::refusal::{Reason, Refusal, unavailable};

impl AccountService {
    /// Checks a transfer before its payer confirms it. What changes in between is found by [`Self::transfer`].
    ///
    /// # Errors
    /// As there.
    pub async fn check_transfer(
        &self,
        from: AccountId,
        to: &str,
        amount: u64,
        label: &str,
    ) -> Result<(), Refusal> {
        let (amount, _) = (positive(amount)?, optional_label(label)?);
        self.payee(to).await?;
        if self.profile(from).await?.account.balance < amount {
            return Err(Refusal::new(
                Reason::InsufficientFunds,
                "the balance of the account is too low",
            ));
        }
        Ok(())
    }

    /// Pays another account. Returns the payer's entry, and whether the request was repeated.
    ///
    /// # Errors
    /// When there is no such account, the balance is too low, or the key was used for something else.
    pub async fn transfer(
        &self,
        from: AccountId,
        key: IdempotencyKey,
        to: &str,
        amount: u64,
        label: &str,
    ) -> Result<(AccountEntry, bool), Refusal> {
        let amount = positive(amount)?;
        let label = optional_label(label)?;
        let to = self.payee(to).await?;
        let command = Command::Transfer {
            from,
            to,
            amount,
            key: key.clone(),
            label,
            at: self.now(),
        };
        let repeated = self.apply(command).await?.repeated;
        let entry = self.accounts.entry_of(from, &key).await.map_err(unavailable)?;
        // It was applied a moment ago, so this is a standby that lags behind.
        Ok((entry.ok_or_else(Refusal::unavailable)?, repeated))
    }

    /// The account of this name.
    async fn payee(&self, name: &str) -> Result<AccountId, Refusal> {
        let profile = self
            .accounts
            .profile(&account_name(name)?)
            .await
            .map_err(unavailable)?;
        let missing = || Refusal::new(Reason::NotFound, "there is no account of this name");
        Ok(profile.ok_or_else(missing)?.account.id)
    }

    /// Requests a payout, which debits the account at once. Returns also whether the request was repeated.
    ///
    /// # Errors
    /// When the balance is too low, or the key was used for something else.
    pub async fn request_payout(
        &self,
        account: AccountId,
        key: IdempotencyKey,
        amount: u64,
        destination: &str,
    ) -> Result<(Payout, bool), Refusal> {
        let (amount, destination) = (positive(amount)?, text("destination", destination)?);
        let command = Command::RequestPayout {
            account,
            amount,
            destination,
            key: key.clone(),
            at: self.now(),
        };
        let repeated = self.apply(command).await?.repeated;
        let payout = self
            .accounts
            .payout_of(account, &key)
            .await
            .map_err(unavailable)?;
        Ok((payout.ok_or_else(Refusal::unavailable)?, repeated)) // as above
    }

    /// The payouts of the account, by ascending number.
    ///
    /// # Errors
    /// When the page is too long or the ledger cannot be read.
    pub async fn payouts(
        &self,
        account: AccountId,
        after: PayoutNo,
        limit: Option<u32>,
    ) -> Result<Vec<Payout>, Refusal> {
        let limit = page_length(limit)?;
        self.accounts
            .payouts(PayoutFilter::Of(account), after, limit)
            .await
            .map_err(unavailable)
    }

    /// The newest payouts of the account with numbers below `before`, or all, descending.
    ///
    /// # Errors
    /// When the page is too long or the ledger cannot be read.
    pub async fn newest_payouts(
        &self,
        account: AccountId,
        before: Option<PayoutNo>,
        limit: Option<u32>,
    ) -> Result<Vec<Payout>, Refusal> {
        let limit = page_length(limit)?;
        self.accounts
            .newest_payouts(PayoutFilter::Of(account), before, limit)
            .await
            .map_err(unavailable)
    }

    /// A payout of the account.
    ///
    /// # Errors
    /// When the account has no payout with this number.
    pub async fn payout(&self, account: AccountId, no: PayoutNo) -> Result<Payout, Refusal> {
        let payout = self
            .accounts
            .payout(no)
            .await
            .map_err(unavailable)?
            .filter(|payout| payout.account == account);
        payout.ok_or_else(|| Refusal::new(Reason::NotFound, "the account has no such payout"))
    }
}

/// Checks a label, which may be empty.
fn optional_label(label: &str) -> Result<Option<Reference>, Refusal> {
    if label.is_empty() {
        return Ok(None);
    }
    // The error of `text` would demand a character.
    let rule = || format!("label: at most {TEXT_CHARS_MAX} characters, and no control characters");
    let label = Reference::new(label).map_err(|_| Refusal::new(Reason::Invalid, rule()))?;
    Ok(Some(label))
}

/// Checks that an amount can be paid.
pub fn positive(units: u64) -> Result<Amount, Refusal> {
    let amount = Amount::new(units).ok().filter(|amount| !amount.is_zero());
    amount.ok_or_else(|| {
        Refusal::new(
            Reason::Invalid,
            "amount: a whole number, at least 1 and below 2^63",
        )
    })
}

/// Checks that the books can store a text.
pub fn text(field: &str, text: &str) -> Result<Reference, Refusal> {
    Reference::new(text).map_err(|error| Refusal::new(Reason::Invalid, format!("{field}: {error}")))
}

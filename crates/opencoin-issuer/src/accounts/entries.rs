//! Pages of an account's entries and of the directory.

use opencoin_api::{PAGE_LENGTH_DEFAULT, PAGE_LENGTH_MAX};
use opencoin_ledger::{AccountEntry, AccountId, AccountName, EntryPage, Profile, ProfileFilter};

use super::AccountService;
use crate::refusal::{Reason, Refusal, unavailable};

/// One page of a list.
pub struct Page<T> {
    /// At most the length of the page.
    pub items: Vec<T>,
    /// Whether the page has the requested length, so that more may follow.
    pub is_full: bool,
}

impl<T> Page<T> {
    /// A page of these items, of which the request wanted `limit`.
    pub fn new(items: Vec<T>, limit: u32) -> Self {
        let is_full = items.len() >= limit as usize;
        Self { items, is_full }
    }
}

/// The length of a page: the requested one, or the default.
///
/// # Errors
/// When it is 0 or above [`PAGE_LENGTH_MAX`].
pub fn page_length(asked: Option<u32>) -> Result<u32, Refusal> {
    let length = asked.unwrap_or(PAGE_LENGTH_DEFAULT);
    if (1..=PAGE_LENGTH_MAX).contains(&length) {
        return Ok(length);
    }
    Err(Refusal::new(
        Reason::Invalid,
        format!("limit: a page has 1 to {PAGE_LENGTH_MAX} items"),
    ))
}

impl AccountService {
    /// Entries of an account.
    ///
    /// # Errors
    /// When the page is too long or the ledger cannot be read.
    pub async fn entries(
        &self,
        account: AccountId,
        page: EntryPage,
        limit: Option<u32>,
    ) -> Result<Page<AccountEntry>, Refusal> {
        let limit = page_length(limit)?;
        Ok(Page::new(
            self.accounts
                .entries(account, page, limit)
                .await
                .map_err(unavailable)?,
            limit,
        ))
    }

    /// The listed accounts, ordered by name.
    ///
    /// # Errors
    /// When the page is too long or the ledger cannot be read.
    pub async fn directory(
        &self,
        after: Option<&AccountName>,
        limit: Option<u32>,
    ) -> Result<Page<Profile>, Refusal> {
        let limit = page_length(limit)?;
        let listed = self
            .accounts
            .profiles(ProfileFilter::Listed, after, limit)
            .await
            .map_err(unavailable)?;
        Ok(Page::new(listed, limit))
    }
}

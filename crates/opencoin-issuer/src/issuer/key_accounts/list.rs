//! All accounts of keys, as the published log has them.

use std::sync::Arc;

use opencoin_api::{KEY_ACCOUNTS_MAX, KeyAccounts};

use super::super::Issuer;
use super::statements::base64;
use crate::log::LoggedAccounts;
use crate::refusal::{Reason, Refusal, unavailable};

/// The list, as compact JSON text. It is made once for each batch.
pub type KeyAccountList = Arc<[u8]>;

impl Issuer {
    /// All accounts of keys, as of the newest published batch of the log.
    ///
    /// # Errors
    /// When there are too many, or nothing is published yet.
    pub async fn key_accounts(&self) -> Result<KeyAccountList, Refusal> {
        let log = self.key_log()?;
        let missing = || Refusal::new(Reason::NotFound, "no batch of the log is published yet");
        let logged = log
            .logged_accounts()
            .await
            .map_err(unavailable)?
            .ok_or_else(missing)?;
        if logged.accounts.count() > KEY_ACCOUNTS_MAX {
            return Err(Refusal::new(
                Reason::TooLarge,
                format!("there are more than {KEY_ACCOUNTS_MAX} accounts of keys; replay the log instead"),
            ));
        }
        Ok(logged.list(|accounts, batch| {
            let document = KeyAccounts {
                accounts: rows(accounts),
                batch_leaf: base64(&batch.leaf),
                proof: batch.proof.clone(),
            };
            opencoin_schema::text::compact(&document)
        }))
    }
}

fn rows(accounts: &LoggedAccounts) -> Vec<(String, u64, u64)> {
    accounts
        .iter()
        .map(|(key, account)| (key.to_string(), account.balance, account.seq))
        .collect()
}

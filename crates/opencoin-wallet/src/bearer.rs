//! Whose account a mint takes from and a redeem gives to.

use crate::account::{Holder, StoredSession};
use crate::secret::Secret;

/// What the issuer knows an account by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub(crate) token: Secret,
    /// Whose session it is; `None` for the account's own token, which does not end.
    pub(crate) holder: Option<Holder>,
}

impl From<&Secret> for Bearer {
    /// The account's own token.
    fn from(token: &Secret) -> Self {
        Self {
            token: token.clone(),
            holder: None,
        }
    }
}

impl From<&StoredSession> for Bearer {
    fn from(session: &StoredSession) -> Self {
        Self {
            token: session.token.clone(),
            holder: Some(session.holder.clone()),
        }
    }
}

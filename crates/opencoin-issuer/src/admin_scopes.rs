//! What an operator's token permits.

use std::collections::BTreeSet;
use std::fmt;

use opencoin_ledger::OperatorName;
use serde::{Deserialize, Serialize};

use crate::refusal::{Reason, Refusal};

/// A scope of an operator's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminScope {
    /// To read everything.
    Read,
    /// To read and change accounts: to open and close them, to credit and debit them, to settle payouts.
    Cashier,
    /// To read and change mint keys and signing, and to run audits.
    Keys,
}

impl AdminScope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Read, Self::Cashier, Self::Keys];

    /// The word in files, answers and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Cashier => "cashier",
            Self::Keys => "keys",
        }
    }
}

impl fmt::Display for AdminScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// What a request of an operator needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminRight {
    /// To read what concerns all operators: what was done, and who they are.
    Look,
    /// To read accounts and payouts.
    ReadAccounts,
    /// To change accounts and payouts.
    ChangeAccounts,
    /// To read the state of keys and audits.
    ReadKeys,
    /// To change keys or signing, or to run an audit.
    ChangeKeys,
}

impl AdminRight {
    /// The scopes of which one suffices.
    const fn scopes(self) -> &'static [AdminScope] {
        match self {
            Self::Look => &AdminScope::ALL,
            Self::ReadAccounts => &[AdminScope::Read, AdminScope::Cashier],
            Self::ChangeAccounts => &[AdminScope::Cashier],
            Self::ReadKeys => &[AdminScope::Read, AdminScope::Keys],
            Self::ChangeKeys => &[AdminScope::Keys],
        }
    }
}

/// An operator who was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedOperator {
    /// The name of the operator's token.
    pub name: OperatorName,
    /// What it permits.
    pub scopes: BTreeSet<AdminScope>,
}

impl AuthenticatedOperator {
    /// Checks a right.
    ///
    /// # Errors
    /// [`Reason::Forbidden`] if the token has none of the scopes that give it.
    pub fn check(&self, right: AdminRight) -> Result<(), Refusal> {
        let enough = right.scopes();
        if enough.iter().any(|scope| self.scopes.contains(scope)) {
            return Ok(());
        }
        let words: Vec<String> = enough.iter().map(|scope| format!("`{scope}`")).collect();
        let description = format!(
            "the token {} does not have the scope {} that this needs",
            self.name,
            words.join(" or ")
        );
        Err(Refusal::new(Reason::Forbidden, description))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_permits_its_part_and_a_refusal_names_what_is_missing() {
        let operator = |scopes: &[AdminScope]| AuthenticatedOperator {
            name: "desk".parse().unwrap(),
            scopes: scopes.iter().copied().collect(),
        };
        let rights = [
            AdminRight::Look,
            AdminRight::ReadAccounts,
            AdminRight::ChangeAccounts,
            AdminRight::ReadKeys,
            AdminRight::ChangeKeys,
        ];
        let may = |scopes: &[AdminScope]| rights.map(|right| operator(scopes).check(right).is_ok());
        assert_eq!(may(&[]), [false; 5]);
        assert_eq!(may(&[AdminScope::Read]), [true, true, false, true, false]);
        assert_eq!(may(&[AdminScope::Cashier]), [true, true, true, false, false]);
        assert_eq!(may(&[AdminScope::Keys]), [true, false, false, true, true]);
        assert_eq!(may(&AdminScope::ALL), [true; 5]);
        let refused = operator(&[AdminScope::Keys])
            .check(AdminRight::ReadAccounts)
            .unwrap_err();
        assert_eq!(refused.reason, Reason::Forbidden);
        assert!(refused.to_string().contains("`read` or `cashier`"), "{refused}");
    }
}

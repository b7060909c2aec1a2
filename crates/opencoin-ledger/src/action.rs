//! What operators do, as it is recorded.
//!
//! A change of the books by an operator leaves an [`Action`] in the transaction of the change, so that neither is
//! there without the other. A repeated request changes nothing and leaves none.

use std::fmt;
use std::str::FromStr;

use opencoin_text::{is_invisible, is_misleading};

use crate::{ACCOUNT_NAME_CHARS_MAX, AccountName, Amount, Command, Consent, LedgerTime};

/// The maximum length of the subject of an action, in characters.
pub const ACTION_SUBJECT_CHARS_MAX: usize = 200;
/// The maximum length of the detail of an action, in characters.
pub const ACTION_DETAIL_CHARS_MAX: usize = 500;

/// The name of who acts for the issuer: that of an operator's token, or the one that a command was given. It has the
/// characters of an account name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorName(String);

/// The text is not the name of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of an operator has 1 to {ACCOUNT_NAME_CHARS_MAX} characters, each one of a-z, 0-9, '.', '_' and '-', and does not begin with '.' or '-'"
)]
pub struct OperatorNameError;

impl OperatorName {
    /// Who acts on the command line, unless another name is given.
    #[must_use]
    pub fn command_line() -> Self {
        Self("command-line".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OperatorName {
    type Err = OperatorNameError;

    fn from_str(text: &str) -> Result<Self, OperatorNameError> {
        let name = AccountName::from_str(text).map_err(|_| OperatorNameError)?;
        Ok(Self(name.as_str().to_owned()))
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Declares the kinds of actions with their stored words.
macro_rules! action_kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What an operator has done. The words are stored.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ActionKind {
            $($(#[$doc])* $name,)*
        }

        impl ActionKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stored word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

action_kinds! {
    /// Opened an account.
    OpenAccount = "open-account",
    /// Replaced the token of an account.
    ReplaceToken = "replace-token",
    /// Set the password of an account.
    SetPassword = "set-password",
    /// Issued a code with which the holder sets a password.
    IssueStartCode = "issue-start-code",
    /// Froze an account.
    FreezeAccount = "freeze-account",
    /// Opened a frozen account again.
    ThawAccount = "thaw-account",
    /// Closed an account for good.
    CloseAccount = "close-account",
    /// Removed a service of an account.
    RemoveService = "remove-service",
    /// Credited an incoming payment.
    Credit = "credit",
    /// Debited an outgoing payment.
    Debit = "debit",
    /// Assigned recovered money to an account.
    AssignRecovered = "assign-recovered",
    /// Took recovered money from an account.
    TakeRecovered = "take-recovered",
    /// Recorded that a payout was paid.
    PayPayout = "pay-payout",
    /// Recorded that a payout failed.
    FailPayout = "fail-payout",
    /// Uploaded a statement of the bank.
    UploadStatement = "upload-statement",
    /// Booked a statement of the bank.
    BookStatement = "book-statement",
    /// Assigned a line of a statement to an account.
    AssignBankLine = "assign-bank-line",
    /// Set a line of a statement aside.
    SetBankLineAside = "set-bank-line-aside",
    /// Made a file of payouts for the bank.
    ExportPayouts = "export-payouts",
    /// Withdrew a file of payouts that was never sent.
    WithdrawExport = "withdraw-export",
    /// Recorded that the bank has paid all of a file of payouts.
    PayExport = "pay-export",
    /// Proposed an operation that needs a second operator.
    Propose = "propose",
    /// Declined a proposal of another operator.
    DeclineProposal = "decline-proposal",
    /// Withdrew a proposal of their own.
    WithdrawProposal = "withdraw-proposal",
    /// Stopped a mint key.
    RevokeKey = "revoke-key",
    /// Pruned a mint key.
    PruneKey = "prune-key",
    /// Made new mint keys, or a request for the master key.
    RotateKeys = "rotate-keys",
    /// Made another description of the currency, or a request for the master key.
    ChangeDescription = "change-description",
    /// Imported certificates that the master key has signed.
    ImportCertificates = "import-certificates",
    /// Gave up a request that waited for the master key.
    GiveUpRequest = "give-up-request",
    /// Sent a wrong passphrase of the master key.
    WrongPassphrase = "wrong-passphrase",
    /// Destroyed private keys.
    DestroyKeys = "destroy-keys",
    /// Paused signing.
    PauseSigning = "pause-signing",
    /// Resumed signing.
    ResumeSigning = "resume-signing",
    /// Started an audit.
    RunAudit = "run-audit",
    /// The audit that the operator had started found that every invariant holds.
    AuditHolds = "audit-holds",
    /// The audit that the operator had started found a broken invariant.
    AuditBroken = "audit-broken",
    /// The audit that the operator had started has no result.
    AuditFailed = "audit-failed",
    /// Created a token of an operator.
    CreateAdminToken = "create-admin-token",
    /// Removed a token of an operator.
    RemoveAdminToken = "remove-admin-token",
}

/// Something that an operator does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Who does it.
    pub operator: OperatorName,
    /// What they do.
    pub kind: ActionKind,
    /// What is changed.
    pub subject: ActionSubject,
    /// The amount of money that it is about, in the smallest unit.
    pub amount: Option<Amount>,
    /// What people should know about it.
    pub detail: Option<ActionDetail>,
    /// The issuer's time.
    pub at: LedgerTime,
}

/// Declares a text of an action. It is made from what was checked before, so making it does not fail.
macro_rules! action_text {
    ($(#[$doc:meta])* $name:ident, $chars_max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text, cut at its maximum length. Characters that mislead or that nobody sees are replaced.
            #[must_use]
            pub fn new(text: &str) -> Self {
                let shown = |character| {
                    if is_misleading(character) || is_invisible(character) {
                        char::REPLACEMENT_CHARACTER
                    } else {
                        character
                    }
                };
                let text: String = text.chars().take($chars_max).map(shown).collect();
                Self(if text.is_empty() { "-".to_owned() } else { text })
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

action_text! {
    /// What an action changes: the name of an account, the number of a payout, the id of a mint key.
    ActionSubject, ACTION_SUBJECT_CHARS_MAX
}

action_text! {
    /// What people should know about an action: a reference, a reason. Never a secret.
    ActionDetail, ACTION_DETAIL_CHARS_MAX
}

/// The number of an action: ascending from 1, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionNo(i64);

impl ActionNo {
    /// The action with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, as it is stored.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// An action, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAction {
    /// Its number.
    pub no: ActionNo,
    /// The issuer's time.
    pub at: LedgerTime,
    /// Who has done it.
    pub operator: OperatorName,
    /// The word of its [`ActionKind`], or one that only a later version of this program knows.
    pub kind: String,
    /// What was changed.
    pub subject: ActionSubject,
    /// The amount of money that it is about.
    pub amount: Option<Amount>,
    /// What people should know about it.
    pub detail: Option<ActionDetail>,
}

/// A command of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorCommand {
    /// The command.
    pub command: Command,
    /// What is recorded if the command is applied, proposed or carried out, and not repeated.
    pub action: Action,
    /// Whether a second operator is needed. Only credits, debits, assignments of recovered money and settlements of
    /// payouts can be proposed.
    pub consent: Consent,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn operators_have_names_like_accounts() {
        for good in ["desk", "desk-2", OperatorName::command_line().as_str()] {
            assert_eq!(good.parse::<OperatorName>().unwrap().as_str(), good);
        }
        for bad in ["", "Desk", "-x", "a b"] {
            assert_eq!(bad.parse::<OperatorName>(), Err(OperatorNameError), "{bad:?}");
        }
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: HashSet<&str> = ActionKind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), ActionKind::ALL.len());
        let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(words.iter().all(|word| is_word(word)));
    }

    #[test]
    fn texts_are_short_and_hide_nothing() {
        assert_eq!(
            ActionDetail::new("ref\u{202e}\u{200b}\n7").as_str(),
            "ref\u{fffd}\u{fffd}\u{fffd}7"
        );
        let long = "é".repeat(ACTION_SUBJECT_CHARS_MAX + 1);
        assert_eq!(
            ActionSubject::new(&long).as_str().chars().count(),
            ACTION_SUBJECT_CHARS_MAX
        );
        assert_eq!(ActionSubject::new("").as_str(), "-");
    }
}

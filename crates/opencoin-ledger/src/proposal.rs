//! Operations of operators that wait for a second operator.
//!
//! Who may move money alone up to a limit *proposes* what is above it ([`Consent::Needed`](crate::Consent::Needed)). Another operator carries the
//! proposal out or declines it, and whoever made it can withdraw it. A proposal never changes, and its number is never
//! given again, so whoever consents to a number consents to what they have seen. It stays after the verdict.
//!
//! One operation has one proposal that waits: the reference that the books would give it identifies it. Whether an
//! operation needs consent is decided before it gets here. A payment that was booked directly meanwhile is found by its
//! reference, so that a proposal moves money once at most.

mod lines;

pub use lines::line_consent;

use opencoin_bank::BankLineId;

use crate::bank::LineAccount;
use crate::identity::payment_key;
use crate::journal::{ReferenceKey, ReferenceScope};
use crate::recovered::AssignmentWay;
use crate::{
    Action, ActionKind, Amount, Command, LedgerTime, OperatorName, PayoutNo, ProposalNo, Reference, Refusal,
    Settlement,
};

/// What is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// To credit the account, with this reference.
    Credit(Reference),
    /// To debit the account, with this reference.
    Debit(Reference),
    /// To assign recovered money to the account, with this reference.
    AssignRecovered(Reference),
    /// To take recovered money from the account, with this reference.
    TakeRecovered(Reference),
    /// To record that a payout of the account was paid, with the reference of the payment.
    PayPayout(PayoutNo, Reference),
    /// To record that a payout of the account has failed, with the reason.
    FailPayout(PayoutNo, Reference),
    /// To assign an unmatched line of the bank to the account.
    AssignBankLine(BankLineId),
}

/// The kind of what is proposed. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum ProposedKind {
    /// [`Proposed::Credit`]
    Credit = 1,
    /// [`Proposed::Debit`]
    Debit = 2,
    /// [`Proposed::AssignRecovered`]
    AssignRecovered = 3,
    /// [`Proposed::TakeRecovered`]
    TakeRecovered = 4,
    /// [`Proposed::PayPayout`]
    PayPayout = 5,
    /// [`Proposed::FailPayout`]
    FailPayout = 6,
    /// [`Proposed::AssignBankLine`]
    AssignBankLine = 7,
}

impl ProposedKind {
    const ALL: [Self; 7] = [
        Self::Credit,
        Self::Debit,
        Self::AssignRecovered,
        Self::TakeRecovered,
        Self::PayPayout,
        Self::FailPayout,
        Self::AssignBankLine,
    ];

    /// The stored number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The kind with this stored number; `None` if there is none.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The kind of the action that carries it out.
    #[must_use]
    pub const fn action(self) -> ActionKind {
        match self {
            Self::Credit => ActionKind::Credit,
            Self::Debit => ActionKind::Debit,
            Self::AssignRecovered => ActionKind::AssignRecovered,
            Self::TakeRecovered => ActionKind::TakeRecovered,
            Self::PayPayout => ActionKind::PayPayout,
            Self::FailPayout => ActionKind::FailPayout,
            Self::AssignBankLine => ActionKind::AssignBankLine,
        }
    }
}

impl Proposed {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ProposedKind {
        match self {
            Self::Credit(_) => ProposedKind::Credit,
            Self::Debit(_) => ProposedKind::Debit,
            Self::AssignRecovered(_) => ProposedKind::AssignRecovered,
            Self::TakeRecovered(_) => ProposedKind::TakeRecovered,
            Self::PayPayout(..) => ProposedKind::PayPayout,
            Self::FailPayout(..) => ProposedKind::FailPayout,
            Self::AssignBankLine(_) => ProposedKind::AssignBankLine,
        }
    }

    /// The reference or the reason.
    #[must_use]
    pub const fn text(&self) -> Option<&Reference> {
        match self {
            Self::Credit(text)
            | Self::Debit(text)
            | Self::AssignRecovered(text)
            | Self::TakeRecovered(text)
            | Self::PayPayout(_, text)
            | Self::FailPayout(_, text) => Some(text),
            Self::AssignBankLine(_) => None,
        }
    }

    /// The payout.
    #[must_use]
    pub const fn payout(&self) -> Option<PayoutNo> {
        match self {
            Self::PayPayout(payout, _) | Self::FailPayout(payout, _) => Some(*payout),
            _ => None,
        }
    }

    /// The line of the bank.
    #[must_use]
    pub const fn line(&self) -> Option<BankLineId> {
        match self {
            Self::AssignBankLine(line) => Some(*line),
            _ => None,
        }
    }

    /// What identifies the operation: that of the transaction that would carry it out, or of the line.
    #[must_use]
    pub fn reference(&self) -> ReferenceKey {
        match self {
            Self::Credit(text)
            | Self::Debit(text)
            | Self::AssignRecovered(text)
            | Self::TakeRecovered(text) => payment_key(text),
            Self::PayPayout(payout, _) | Self::FailPayout(payout, _) => ReferenceKey::of_settlement(*payout),
            Self::AssignBankLine(line) => ReferenceKey::new(ReferenceScope::BankLine, line.as_bytes()),
        }
    }
}

/// An operation that waits for a second operator, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its number.
    pub no: ProposalNo,
    /// What is proposed.
    pub proposed: Proposed,
    /// The account whose money it is about.
    pub account: LineAccount,
    /// In the smallest unit. Not zero.
    pub amount: Amount,
    /// Who proposes it.
    pub operator: OperatorName,
    /// When. The issuer's time.
    pub at: LedgerTime,
    /// What became of it; `None` while it waits.
    pub verdict: Option<ProposalVerdict>,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalVerdict {
    /// Whether it was carried out. Otherwise it was declined or withdrawn.
    pub carried_out: bool,
    /// Who has decided. If it is the one who proposed it, it was withdrawn.
    pub operator: OperatorName,
    /// When. The issuer's time.
    pub at: LedgerTime,
}

impl Proposal {
    /// The command that carries it out at this time; `None` if it is about a line of the bank.
    #[must_use]
    pub fn command(&self, at: LedgerTime) -> Option<Command> {
        let (account, amount) = (self.account.id, self.amount);
        let assign = |way, reference: &Reference| Command::AssignRecovered {
            account,
            amount,
            way,
            reference: reference.clone(),
            at,
        };
        let settle = |payout: PayoutNo, settlement| Command::SettlePayout {
            payout,
            settlement,
            at,
        };
        Some(match &self.proposed {
            Proposed::Credit(reference) => Command::Credit {
                account,
                amount,
                reference: reference.clone(),
                at,
            },
            Proposed::Debit(reference) => Command::Debit {
                account,
                amount,
                reference: reference.clone(),
                at,
            },
            Proposed::AssignRecovered(reference) => assign(AssignmentWay::ToAccount, reference),
            Proposed::TakeRecovered(reference) => assign(AssignmentWay::FromAccount, reference),
            Proposed::PayPayout(payout, reference) => settle(*payout, Settlement::Paid(reference.clone())),
            Proposed::FailPayout(payout, reason) => settle(*payout, Settlement::Failed(reason.clone())),
            Proposed::AssignBankLine(_) => return None,
        })
    }

    /// Whether it was carried out before, if this operator may carry it out.
    ///
    /// # Errors
    /// It is their own, or it was declined.
    pub fn consent_of(&self, operator: &OperatorName) -> Result<bool, Refusal> {
        if self.operator == *operator {
            return Err(Refusal::OwnProposal);
        }
        match &self.verdict {
            None => Ok(false),
            Some(verdict) if verdict.carried_out => Ok(true),
            Some(_) => Err(Refusal::ProposalDeclined),
        }
    }

    /// Whether it proposes the same as another one, whoever made them.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.proposed == other.proposed && self.account.id == other.account.id && self.amount == other.amount
    }
}

impl ProposalVerdict {
    /// The verdict of the operator whose action carries a proposal out.
    #[must_use]
    pub fn carried_out(action: &Action) -> Self {
        Self {
            carried_out: true,
            operator: action.operator.clone(),
            at: action.at,
        }
    }

    /// The verdict of the operator whose action declines or withdraws a proposal.
    #[must_use]
    pub fn declined(action: &Action) -> Self {
        Self {
            carried_out: false,
            ..Self::carried_out(action)
        }
    }
}

/// What became of an operator's wish to decline a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclineOutcome {
    /// It is declined.
    Declined,
    /// It was declined before.
    Repeated,
    /// It was carried out before. Nothing was changed.
    CarriedOut,
    /// There is no such proposal.
    Unknown,
}

/// Which proposals [`Operators::proposals`](crate::Operators::proposals) returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalFilter {
    /// All of them.
    All,
    /// Those that wait.
    Waiting,
}

/// Proposals that wait for a certain operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WaitingProposals {
    /// How many.
    pub count: u64,
    /// When the first of them was made.
    pub oldest: Option<LedgerTime>,
}

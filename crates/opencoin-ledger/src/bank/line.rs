//! A line of a statement, and its state.

use opencoin_bank::{BankLine, BankLineContent, BankLineId, Ignored, LineKind};

use crate::{AccountId, AccountName, Amount, LedgerTime, OperatorName, Reference};

/// The most payment codes of a line that are kept. A line with more than one is for people to look at anyway.
const CODES_KEPT_MAX: usize = 8;

/// How many lines are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineCount {
    /// How many.
    pub count: u64,
    /// When the first of them came into the state; `None` if there are none. The issuer's time.
    pub oldest: Option<LedgerTime>,
}

/// A line as a statement brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// Its place in the file, from 1.
    pub place: u32,
    /// What the file says.
    pub content: BankLineContent,
    /// What it means for the currency.
    pub meaning: LineMeaning,
}

/// What a line means for the currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineMeaning {
    /// Money came in.
    Incoming(IncomingLine),
    /// Nothing to book.
    Ignored(IgnoredLine),
}

/// Money that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingLine {
    /// The identity of the line: the same in whatever file it comes.
    pub id: BankLineId,
    /// The amount in the smallest unit. Not zero.
    pub amount: Amount,
    /// The first accounts whose payment codes are in the text, in alphabetical order.
    pub codes: Vec<String>,
    /// Whether it is several transactions that the file does not tell apart.
    pub is_gathered: bool,
    /// Whether the bank takes back an earlier movement, or returns one.
    pub is_return: bool,
}

/// Why a line is not booked. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum IgnoredLine {
    /// Money went out.
    Outgoing = 0,
    /// The bank has not booked it yet.
    NotBooked = 1,
    /// It is of another account of the same bank.
    OtherAccount = 2,
    /// It is in another currency.
    OtherCurrency = 3,
    /// The amount is zero, too large, or finer than the smallest unit.
    Amount = 4,
    /// The bank took money back. A person must look whose it was.
    TakenBack = 5,
}

impl IgnoredLine {
    const ALL: [Self; 6] = [
        Self::Outgoing,
        Self::NotBooked,
        Self::OtherAccount,
        Self::OtherCurrency,
        Self::Amount,
        Self::TakenBack,
    ];

    /// The stored number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The reason with this stored number; `None` if there is none.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

impl From<BankLine> for StatementLine {
    /// An amount that the books cannot hold is ignored as such.
    fn from(line: BankLine) -> Self {
        let meaning = match line.kind {
            LineKind::Incoming(incoming) => match Amount::new(incoming.units) {
                Ok(amount) if !amount.is_zero() => LineMeaning::Incoming(IncomingLine {
                    id: incoming.id,
                    amount,
                    codes: incoming.codes.into_iter().take(CODES_KEPT_MAX).collect(),
                    is_gathered: incoming.is_gathered,
                    is_return: incoming.is_return,
                }),
                Ok(_) | Err(_) => LineMeaning::Ignored(IgnoredLine::Amount),
            },
            LineKind::Ignored(reason) => LineMeaning::Ignored(match reason {
                Ignored::Outgoing => IgnoredLine::Outgoing,
                Ignored::TakenBack => IgnoredLine::TakenBack,
                Ignored::NotBooked => IgnoredLine::NotBooked,
                Ignored::OtherAccount => IgnoredLine::OtherAccount,
                Ignored::OtherCurrency => IgnoredLine::OtherCurrency,
                Ignored::Amount(_) => IgnoredLine::Amount,
            }),
        };
        Self {
            place: line.place,
            content: line.content,
            meaning,
        }
    }
}

impl StatementLine {
    /// The identity of the line, if money came in.
    #[must_use]
    pub fn id(&self) -> Option<BankLineId> {
        match &self.meaning {
            LineMeaning::Incoming(incoming) => Some(incoming.id),
            LineMeaning::Ignored(_) => None,
        }
    }

    /// The amount, if money came in.
    #[must_use]
    pub fn amount(&self) -> Option<Amount> {
        match &self.meaning {
            LineMeaning::Incoming(incoming) => Some(incoming.amount),
            LineMeaning::Ignored(_) => None,
        }
    }
}

/// What the reference of a line's credit begins with.
const CREDIT_REFERENCE_PREFIX: &str = "bank line ";

/// The reference under which a line is credited. It depends on the line alone, so the ledger credits each line once.
#[must_use]
pub fn credit_reference(line: BankLineId) -> Reference {
    let text = format!("{CREDIT_REFERENCE_PREFIX}{line}");
    Reference::new(text).expect("digits and letters are a reference")
}

/// The line under whose reference a payment would be. Another payment under it would keep the line from being credited.
#[must_use]
pub fn line_with_credit_reference(reference: &Reference) -> Option<BankLineId> {
    let id = reference.as_str().strip_prefix(CREDIT_REFERENCE_PREFIX)?;
    id.parse().ok()
}

/// The number of a statement: ascending from 1, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementNo(i64);

impl StatementNo {
    /// The statement with this number.
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

/// The number of a line in the order in which lines were kept: ascending from 1, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BankLineNo(i64);

impl BankLineNo {
    /// A number below that of every line, to read from the beginning.
    pub const BEFORE_ALL: Self = Self(0);

    /// The line with this number.
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

/// The account that gets the money of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineAccount {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: AccountName,
}

/// The state of a line that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BankLineState {
    /// Nobody knows whose money it is.
    Unmatched,
    /// The account is decided, and it is not known yet whether it was credited.
    Claimed(LineAccount),
    /// The account was credited.
    Booked(LineAccount),
    /// It is not credited, for this reason.
    SetAside(Reference),
}

/// The kind of a state. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum BankLineStateKind {
    /// [`BankLineState::Unmatched`]
    Unmatched = 0,
    /// [`BankLineState::Claimed`]
    Claimed = 1,
    /// [`BankLineState::Booked`]
    Booked = 2,
    /// [`BankLineState::SetAside`]
    SetAside = 3,
}

impl BankLineStateKind {
    /// The stored number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }
}

impl BankLineState {
    /// The kind of the state.
    #[must_use]
    pub fn kind(&self) -> BankLineStateKind {
        match self {
            Self::Unmatched => BankLineStateKind::Unmatched,
            Self::Claimed(_) => BankLineStateKind::Claimed,
            Self::Booked(_) => BankLineStateKind::Booked,
            Self::SetAside(_) => BankLineStateKind::SetAside,
        }
    }
}

impl BankLineState {
    /// Whether both were brought about by the same decision: a claim that was booked since is the same.
    #[must_use]
    pub fn is_same_decision(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Claimed(one) | Self::Booked(one), Self::Claimed(other) | Self::Booked(other)) => {
                one == other
            }
            _ => self == other,
        }
    }
}

/// A line that was kept when a statement was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLine {
    /// Its number.
    pub no: BankLineNo,
    /// The statement that was booked with it first.
    pub statement: StatementNo,
    /// The line.
    pub line: StatementLine,
    /// Its state.
    pub state: BankLineState,
    /// Who brought it into this state.
    pub operator: OperatorName,
    /// When. The issuer's time.
    pub at: LedgerTime,
}

impl KeptLine {
    /// The amount. Only incoming money is kept, so there is one.
    #[must_use]
    pub fn amount(&self) -> Option<Amount> {
        self.line.amount()
    }

    /// The claim, if the line is claimed.
    #[must_use]
    pub fn claimed(&self) -> Option<ClaimedLine> {
        match (&self.state, &self.line.meaning) {
            (BankLineState::Claimed(account), LineMeaning::Incoming(incoming)) => Some(ClaimedLine {
                no: self.no,
                id: incoming.id,
                account: account.clone(),
                amount: incoming.amount,
                operator: self.operator.clone(),
            }),
            _ => None,
        }
    }
}

/// A claimed line whose account is to be credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedLine {
    /// Its number.
    pub no: BankLineNo,
    /// Its identity.
    pub id: BankLineId,
    /// The account that gets the money.
    pub account: LineAccount,
    /// The amount.
    pub amount: Amount,
    /// Who has claimed it.
    pub operator: OperatorName,
}

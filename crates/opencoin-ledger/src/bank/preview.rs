//! What booking a statement would do.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use opencoin_bank::bare;
use sha2::{Digest, Sha256};

use crate::{AccountStatus, Amount, LedgerTime, OperatorName, Reference};

use super::line::{BankLineState, IgnoredLine, LineAccount, LineMeaning, StatementLine, StatementNo};

/// Identifies what was uploaded: the file, and how it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatementDigest([u8; 32]);

impl StatementDigest {
    /// The digest with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A statement to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatement {
    /// Identifies the file and how it was read.
    pub digest: StatementDigest,
    /// The name of the file, for people.
    pub name: Reference,
    /// A digest of how the file was read: its form, and the columns of a table. Another reading may give the same movement
    /// another identity.
    pub reading: [u8; 32],
    /// The columns, if the file is a table.
    pub columns: Option<TableColumns>,
    /// Its lines, in the order of the file. No identity is there twice.
    pub lines: Vec<StatementLine>,
}

/// With which columns a table was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableColumns {
    /// Those of the settings at that time.
    OfSettings,
    /// Others, as a text that whoever reads tables understands. It is not empty.
    Typed(String),
}

impl TableColumns {
    /// The text that stores have.
    #[must_use]
    pub fn stored(&self) -> &str {
        match self {
            Self::OfSettings => "",
            Self::Typed(columns) => columns,
        }
    }
}

/// A statement that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankStatement {
    /// Its number.
    pub no: StatementNo,
    /// The name of the file.
    pub name: Reference,
    /// When it was uploaded. The issuer's time.
    pub at: LedgerTime,
    /// Who uploaded it.
    pub operator: OperatorName,
    /// The number of its lines.
    pub lines: u32,
    /// How it was booked last; `None` if it was not.
    pub booked: Option<BookedStatement>,
}

/// How a statement was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedStatement {
    /// The digest of the preview.
    pub preview: PreviewDigest,
    /// The number of lines that were claimed for accounts.
    pub lines: u32,
    /// Their sum, or the largest amount if it is larger.
    pub amount: Amount,
    /// When. The issuer's time.
    pub at: LedgerTime,
}

/// What booking a statement would do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The statement.
    pub statement: BankStatement,
    /// Its lines, in the order of the file.
    pub lines: Vec<PreviewLine>,
}

/// A line of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewLine {
    /// The line.
    pub line: StatementLine,
    /// What booking would do with it.
    pub verdict: Verdict,
}

/// What booking would do with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is credited to this account.
    New(LineAccount),
    /// Nothing: it was decided before, and is not unmatched.
    Decided(BankLineState),
    /// It is kept for people to look at, or was kept before.
    Unmatched {
        /// Why it is not credited.
        why: Unmatched,
        /// Whether it was kept before.
        is_kept: bool,
    },
    /// Nothing, ever.
    Ignored(IgnoredLine),
}

/// Why a line is not credited to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unmatched {
    /// It has no payment code.
    NoCode,
    /// It has the payment codes of several accounts.
    SeveralCodes,
    /// The bank takes back or returns an earlier movement.
    Return,
    /// It is several transactions that the file does not tell apart.
    Gathered,
    /// No account has the name in its payment code.
    UnknownAccount,
    /// The account is closed for good.
    ClosedAccount,
    /// A line with the same identity, or with the same reference of the bank, says something else.
    OtherContent,
    /// A kept line has the same day and amount, and was read in another way. It may be the same movement.
    MayBeBooked,
}

/// The digest of what booking a statement would do. It does not change while lines that were decided before go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PreviewDigest([u8; 32]);

/// The text is not the digest of a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the digest of a preview has 64 digits of 0-9 and a-f")]
pub struct PreviewDigestError;

impl PreviewDigest {
    /// The digest with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PreviewDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for PreviewDigest {
    type Err = PreviewDigestError;

    fn from_str(text: &str) -> Result<Self, PreviewDigestError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() || !text.bytes().all(is_digit) {
            return Err(PreviewDigestError);
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| PreviewDigestError)?;
        }
        Ok(Self(bytes))
    }
}

impl Preview {
    /// The lines that are credited, each with its account.
    pub fn new_lines(&self) -> impl Iterator<Item = (&StatementLine, &LineAccount)> {
        self.lines.iter().filter_map(|line| match &line.verdict {
            Verdict::New(account) => Some((&line.line, account)),
            Verdict::Decided(_) | Verdict::Unmatched { .. } | Verdict::Ignored(_) => None,
        })
    }

    /// The lines that are kept now for people to look at.
    pub fn lines_to_keep(&self) -> impl Iterator<Item = &StatementLine> {
        self.lines.iter().filter_map(|line| match &line.verdict {
            Verdict::Unmatched { is_kept: false, .. } => Some(&line.line),
            Verdict::Unmatched { is_kept: true, .. }
            | Verdict::New(_)
            | Verdict::Decided(_)
            | Verdict::Ignored(_) => None,
        })
    }

    /// Whether the statement was booked, and booking it again would do nothing. The record of the booking stays then.
    #[must_use]
    pub fn is_booked_already(&self) -> bool {
        self.statement.booked.is_some()
            && self.new_lines().next().is_none()
            && self.lines_to_keep().next().is_none()
    }

    /// The sum of the lines that are credited, or the largest amount if it is larger.
    #[must_use]
    pub fn new_amount(&self) -> Amount {
        self.new_lines()
            .filter_map(|(line, _)| line.amount())
            .fold(Amount::ZERO, |sum, amount| {
                sum.checked_add(amount).unwrap_or(Amount::MAX)
            })
    }

    /// How many of the lines that are credited are above this amount.
    #[must_use]
    pub fn lines_above(&self, limit: Amount) -> u32 {
        let amounts = self.new_lines().filter_map(|(line, _)| line.amount());
        let above = amounts.filter(|amount| *amount > limit).count();
        u32::try_from(above).expect("a statement has few lines")
    }

    /// How many lines are above the limit, if this operator uploaded the statement and there are any: then another one
    /// must book it.
    #[must_use]
    pub fn needs_another(&self, operator: &OperatorName, limit: Option<Amount>) -> Option<u32> {
        let above = self.lines_above(limit?);
        (above > 0 && self.statement.operator == *operator).then_some(above)
    }

    /// The digest of what would be done.
    #[must_use]
    pub fn digest(&self) -> PreviewDigest {
        let mut hash = Sha256::new();
        hash.update(b"opencoin statement preview");
        hash.update(self.statement.no.get().to_be_bytes());
        let mut add = |kind: &[u8], line: &StatementLine, account: i64| {
            if let LineMeaning::Incoming(incoming) = &line.meaning {
                hash.update(kind);
                hash.update(incoming.id.as_bytes());
                hash.update(incoming.amount.units().to_be_bytes());
                hash.update(account.to_be_bytes());
            }
        };
        for (line, account) in self.new_lines() {
            add(b"new", line, account.id.get());
        }
        for line in self.lines_to_keep() {
            add(b"keep", line, 0);
        }
        PreviewDigest(hash.finalize().into())
    }
}

impl PreviewLine {
    /// Why the line is not credited; `None` if it is, was decided before, or is nothing to book.
    #[must_use]
    pub fn why(&self) -> Option<Unmatched> {
        match self.verdict {
            Verdict::Unmatched { why, .. } => Some(why),
            Verdict::New(_) | Verdict::Decided(_) | Verdict::Ignored(_) => None,
        }
    }
}

/// What a verdict depends on besides the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictOn {
    /// The state of the line, if it was kept before.
    pub kept: Option<BankLineState>,
    /// Whether the kept line says something else.
    pub is_other_content: bool,
    /// Whether a line of the statement with the same reference, day and amount says something else than the kept one.
    pub shares_reference: bool,
    /// Whether a kept line that is not in the statement may be the same movement, read in another way.
    pub may_be_booked: bool,
    /// The account with the name in the line's one payment code, and its status; `None` if there is none.
    pub payee: Option<(LineAccount, AccountStatus)>,
}

/// Whether a line says something else than the kept line with its identity. Another reading may show another part of the
/// text, but the payment codes must be the same.
#[must_use]
pub fn is_other_content(line: &StatementLine, kept: (&str, &str), is_same_reading: bool) -> bool {
    let (codes, text) = kept;
    let LineMeaning::Incoming(incoming) = &line.meaning else {
        return false;
    };
    incoming.codes.join(" ") != codes || is_same_reading && bare(&line.content.text) != bare(text)
}

/// What booking would do with the lines of a statement.
#[must_use]
pub fn verdicts(lines: Vec<(StatementLine, VerdictOn)>) -> Vec<PreviewLine> {
    // Several movements may share a reference, and are told apart by their order. If one of them is not what it was, the
    // order has changed, and none of them is known.
    let shared: HashSet<_> = lines
        .iter()
        .filter(|(_, on)| on.is_other_content)
        .filter_map(|(line, _)| reference_of(line))
        .collect();
    let verdict_of = |(line, on): (StatementLine, VerdictOn)| {
        let shares_reference = reference_of(&line).is_some_and(|reference| shared.contains(&reference));
        let verdict = verdict(
            &line,
            VerdictOn {
                shares_reference,
                ..on
            },
        );
        PreviewLine { line, verdict }
    };
    lines.into_iter().map(verdict_of).collect()
}

/// The reference of the bank with what else is in an identity that is made of it.
fn reference_of(line: &StatementLine) -> Option<(String, Amount, String)> {
    let reference = bare(&line.content.bank_reference);
    let amount = line.amount()?;
    (!reference.is_empty()).then_some((line.content.day.to_string(), amount, reference))
}

/// What booking would do with a line.
#[must_use]
pub fn verdict(line: &StatementLine, on: VerdictOn) -> Verdict {
    let incoming = match &line.meaning {
        LineMeaning::Ignored(reason) => return Verdict::Ignored(*reason),
        LineMeaning::Incoming(incoming) => incoming,
    };
    let is_kept = match on.kept {
        None => false,
        Some(_) if on.is_other_content => {
            let why = Unmatched::OtherContent;
            return Verdict::Unmatched { why, is_kept: true };
        }
        Some(BankLineState::Unmatched) => true,
        Some(decided) => return Verdict::Decided(decided),
    };
    let why = match (incoming.codes.len(), on.payee) {
        _ if incoming.is_return => Unmatched::Return,
        _ if incoming.is_gathered => Unmatched::Gathered,
        _ if on.shares_reference => Unmatched::OtherContent,
        // Also without a good code: a person may match the line, and must know first.
        _ if on.may_be_booked => Unmatched::MayBeBooked,
        (0, _) => Unmatched::NoCode,
        (1, Some((account, AccountStatus::Open | AccountStatus::Frozen))) => return Verdict::New(account),
        (1, Some((_, AccountStatus::Closed))) => Unmatched::ClosedAccount,
        (1, None) => Unmatched::UnknownAccount,
        _ => Unmatched::SeveralCodes,
    };
    Verdict::Unmatched { why, is_kept }
}

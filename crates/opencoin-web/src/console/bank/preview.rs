//! The lists of a preview, and their sums.

use std::collections::BTreeMap;

use opencoin_bank::BankLineId;
use opencoin_ledger::Amount;
use opencoin_ledger::bank::{IgnoredLine, Preview, PreviewLine, Verdict};

use crate::format::Money;
use crate::language::Language;
use crate::messages::{Message, Messages};

use super::said::{self, LineSaid};

/// A list of a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    New,
    Decided,
    Unmatched,
    TakenBack,
    Ignored,
}

impl List {
    pub(super) const ALL: [Self; 5] = [
        Self::New,
        Self::Unmatched,
        Self::TakenBack,
        Self::Decided,
        Self::Ignored,
    ];

    /// Its word in addresses.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Decided => "decided",
            Self::Unmatched => "unmatched",
            Self::TakenBack => "taken-back",
            Self::Ignored => "ignored",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.word() == word)
    }

    pub(super) fn title(self, t: Messages) -> &'static str {
        match self {
            Self::New => t.bank_list_new(),
            Self::Decided => t.bank_list_decided(),
            Self::Unmatched => t.bank_list_unmatched(),
            Self::TakenBack => t.bank_list_taken_back(),
            Self::Ignored => t.bank_list_ignored(),
        }
    }

    fn of(line: &PreviewLine) -> Self {
        match &line.verdict {
            Verdict::New(_) => Self::New,
            Verdict::Decided(_) => Self::Decided,
            Verdict::Unmatched { .. } => Self::Unmatched,
            Verdict::Ignored(IgnoredLine::TakenBack) => Self::TakenBack,
            Verdict::Ignored(_) => Self::Ignored,
        }
    }
}

/// A part of a list.
pub(super) struct Part {
    pub(super) list: List,
    pub(super) title: &'static str,
    /// The number of all lines of the list.
    pub(super) count: usize,
    /// The sum of all lines of the list, if the bank brought them in the currency.
    pub(super) sum: Option<String>,
    pub(super) lines: Vec<LineSaid>,
    /// How many lines follow these.
    pub(super) more: usize,
    /// The words of a link to all of them.
    pub(super) all: Message,
}

/// The numbers of kept lines.
pub(super) type Numbers = BTreeMap<BankLineId, i64>;

/// The identities of the lines of a list from a place in it, at most so many, that may be kept.
pub(super) fn kept(
    preview: &Preview,
    list: List,
    (from, most): (usize, usize),
) -> impl Iterator<Item = BankLineId> {
    let of_list = preview.lines.iter().filter(move |line| List::of(line) == list);
    let may_be_kept = |line: &PreviewLine| match line.verdict {
        Verdict::Unmatched { is_kept, .. } => is_kept,
        Verdict::Decided(_) => true,
        Verdict::New(_) | Verdict::Ignored(_) => false,
    };
    let lines = of_list.skip(from).take(most);
    lines
        .filter(move |line| may_be_kept(line))
        .filter_map(|line| line.line.id())
}

/// How lists are written.
#[derive(Clone, Copy)]
pub(super) struct Writing<'a> {
    pub(super) money: &'a Money,
    pub(super) t: Messages,
    pub(super) language: Language,
    /// The numbers of the kept lines.
    pub(super) numbers: &'a Numbers,
}

/// The lines of a list from a place in it, at most so many.
pub(super) fn part(
    preview: &Preview,
    list: List,
    (from, most): (usize, usize),
    writing: Writing<'_>,
) -> Part {
    let all: Vec<&PreviewLine> = preview
        .lines
        .iter()
        .filter(|line| List::of(line) == list)
        .collect();
    let amounts = all.iter().filter_map(|line| line.line.amount());
    let sum = amounts.fold(Amount::ZERO, |sum, amount| {
        sum.checked_add(amount).unwrap_or(Amount::MAX)
    });
    let lines = all.iter().skip(from).take(most);
    let lines: Vec<LineSaid> = lines
        .map(|line| {
            let verdict = verdict(line, writing.t);
            let said = said::line(&line.line, verdict, writing.money, writing.language);
            LineSaid {
                no: line.line.id().and_then(|id| writing.numbers.get(&id).copied()),
                ..said
            }
        })
        .collect();
    Part {
        list,
        title: list.title(writing.t),
        count: all.len(),
        all: writing.t.bank_all_lines(all.len() as u64),
        sum: (!sum.is_zero()).then(|| writing.money.amount(sum.units())),
        more: all.len().saturating_sub(from + lines.len()),
        lines,
    }
}

fn verdict(line: &PreviewLine, t: Messages) -> Option<Message> {
    Some(match &line.verdict {
        Verdict::New(account) => t.bank_goes_to(&account.name),
        Verdict::Decided(state) => said::state(state, t),
        Verdict::Unmatched { why, .. } => said::unmatched(*why, &line.line, t),
        Verdict::Ignored(IgnoredLine::TakenBack) => return None,
        Verdict::Ignored(why) => said::ignored(*why, t),
    })
}

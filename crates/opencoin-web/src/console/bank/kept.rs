//! A kept line, for whoever decides what becomes of it: what the bank says of it, and why its statement does not credit it.

use opencoin_bank::BankLineId;
use opencoin_http::Server;
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::bank::{BankLineNo, BankLineState, KeptLine, PreviewLine, Unmatched};
use opencoin_text::printable;

use crate::console::desk::Desk;
use crate::format::Moment;
use crate::language::Language;
use crate::messages::{Message, Messages};

use super::said;

/// A kept line.
pub(super) struct Kept {
    pub(super) line: KeptLine,
    /// Why its statement does not credit it; `None` if the line is decided, or would be credited now.
    why: Option<Unmatched>,
}

impl Kept {
    /// The line with the number in a path, and its identity.
    pub(super) async fn numbered(server: &Server, no: &str) -> Result<(Self, BankLineId), Refusal> {
        let unknown = || Refusal::new(Reason::NotFound, "there is no such line");
        let no: i64 = no.parse().map_err(|_| unknown())?;
        let before = no.checked_sub(1).map(BankLineNo::new).ok_or_else(unknown)?;
        let found = server.issuer().bank_desk().lines(None, before, 1).await?;
        let line = found.into_iter().find(|line| line.no.get() == no);
        let line = line.ok_or_else(unknown)?;
        let id = line.line.id().ok_or_else(unknown)?;
        Ok((Self::of(server, line, id).await?, id))
    }

    async fn of(server: &Server, line: KeptLine, id: BankLineId) -> Result<Self, Refusal> {
        let why = match line.state {
            BankLineState::Unmatched => {
                let bank = server.issuer().bank_desk();
                let found = bank.preview_lines(line.statement, vec![id]).await?;
                found.first().and_then(PreviewLine::why)
            }
            BankLineState::Claimed(_) | BankLineState::Booked(_) | BankLineState::SetAside(_) => None,
        };
        Ok(Self { line, why })
    }

    /// That the same money may be in the books already.
    pub(super) fn warning(&self, t: Messages) -> Option<Message> {
        let why = self.why.filter(|why| said::is_doubtful(*why))?;
        Some(said::unmatched(why, &self.line.line, t))
    }

    /// What became of it, or why nothing did.
    pub(super) fn state(&self, t: Messages) -> Message {
        match (&self.line.state, self.why) {
            (BankLineState::Unmatched, Some(why)) => said::unmatched(why, &self.line.line, t),
            (BankLineState::Unmatched, None) => said::kept(&self.line, t),
            (decided, _) => said::state(decided, t),
        }
    }

    /// What the bank says of it, besides its amount: names and values.
    pub(super) fn facts(&self, language: Language, t: Messages) -> Vec<(&'static str, String)> {
        let content = &self.line.line.content;
        let day = content.day.and_time(chrono::NaiveTime::MIN).and_utc();
        let texts = [
            (t.bank_party(), &content.party),
            (t.bank_party_account(), &content.party_account),
            (t.bank_text(), &content.text),
            (t.console_bank_reference(), &content.bank_reference),
        ];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
        let day = (t.bank_day(), Moment::day(language, day).plain());
        let texts = texts.map(|(name, text)| (name, printable(text)));
        std::iter::once(day).chain(texts).collect()
    }
}

/// The line that a proposal credits, for whoever decides the proposal.
pub(in crate::console) struct ProposedLine {
    pub(in crate::console) no: i64,
    pub(in crate::console) statement: i64,
    pub(in crate::console) state: Message,
    /// That the same money may be in the books already.
    pub(in crate::console) warning: Option<Message>,
    /// What the bank says of it, and who has brought the statement.
    pub(in crate::console) facts: Vec<(&'static str, String)>,
}

impl ProposedLine {
    pub(in crate::console) async fn of(
        server: &Server,
        desk: &Desk,
        id: BankLineId,
    ) -> Result<Self, Refusal> {
        let (bank, t) = (server.issuer().bank_desk(), desk.visit.messages());
        let kept = Kept::of(server, bank.line(id).await?, id).await?;
        let statement = bank.statement(kept.line.statement).await?;
        let mut facts = kept.facts(desk.visit.language, t);
        facts.push((t.bank_uploaded_by(), statement.operator.as_str().to_owned()));
        Ok(Self {
            no: kept.line.no.get(),
            statement: kept.line.statement.get(),
            state: said::state(&kept.line.state, t),
            warning: kept.warning(t),
            facts,
        })
    }
}

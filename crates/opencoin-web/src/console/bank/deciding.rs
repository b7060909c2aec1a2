//! One line that matches no account: whose money it is, or why it is nobody's.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_bank::BankLineId;
use opencoin_http::Server;
use opencoin_issuer::accounts::{account_name, text};
use opencoin_issuer::{AdminRight, Asked, BankDeskError, Reason, Refusal};
use opencoin_ledger::bank::{BankLineNo, BankLineState, KeptLine, PreviewLine, StatementNo, Unmatched};
use opencoin_ledger::{AccountName, AccountStatus, Reference};
use opencoin_text::printable;

use crate::address::Path;
use crate::console::desk::{Bar, Desk, Place};
use crate::format::{Moment, Money};
use crate::language::Language;
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::{self, About, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Failure, Frame, PageResult, page};

use super::said::{self, LineSaid};

#[derive(Template)]
#[template(path = "console/bank/line.html")]
struct LinePage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    no: i64,
    /// The statement that was booked with it.
    statement: i64,
    amount: String,
    line: LineSaid,
    /// The whole text, and the account of the other side.
    text: String,
    party_account: String,
    bank_reference: String,
    state: Message,
    /// What somebody should know before they decide.
    warning: Option<Message>,
    may_decide: bool,
    assign: Draft,
    aside: Draft,
}

/// What is decided about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Assign,
    SetAside,
}

/// The order that was typed.
enum Order {
    Assign(AccountName),
    SetAside(Reference),
}

/// The forms for one line.
struct Deciding<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    money: Money,
    line: KeptLine,
    id: BankLineId,
    /// Why its statement does not credit it; `None` if the line is decided, or would be credited now.
    why: Option<Unmatched>,
    verdict: Verdict,
}

impl<'a> Deciding<'a> {
    async fn of(server: &'a Server, desk: &'a Desk, no: &str, verdict: Verdict) -> Result<Self, Failure> {
        let unknown = || Refusal::new(Reason::NotFound, "there is no such line");
        let no: i64 = no.parse().map_err(|_| unknown())?;
        let before = no.checked_sub(1).map(BankLineNo::new).ok_or_else(unknown)?;
        let found = server.issuer().bank_desk().lines(None, before, 1).await;
        let found = found.map_err(Refusal::from)?.into_iter().next();
        let line = found.filter(|line| line.no.get() == no).ok_or_else(unknown)?;
        let id = line.line.id().ok_or_else(unknown)?;
        let why = match line.state {
            BankLineState::Unmatched => why(server, &line, id).await?,
            BankLineState::Claimed(_) | BankLineState::Booked(_) | BankLineState::SetAside(_) => None,
        };
        Ok(Self {
            server,
            desk,
            t: desk.visit.messages(),
            money: desk.money(server),
            id,
            line,
            why,
            verdict,
        })
    }

    fn path(&self) -> String {
        format!("/console/bank/lines/{}", self.line.no.get())
    }

    fn units(&self) -> u64 {
        self.line.amount().map_or(0, opencoin_ledger::Amount::units)
    }

    /// That the same money may be in the books already.
    fn warning(&self) -> Option<Message> {
        let why = self.why.filter(|why| said::is_doubtful(*why))?;
        Some(said::unmatched(why, &self.line.line, self.t))
    }

    fn title(&self) -> String {
        self.t.bank_line_number(self.line.no.get()).plain()
    }
}

impl TwoSteps for Deciding<'_> {
    const FIELDS: &'static [&'static str] = &["account", "reason"];
    type Order = Order;

    fn read(&self, draft: &mut Draft) -> Option<Order> {
        match self.verdict {
            Verdict::Assign => {
                let name = account_name(&draft.value("account").to_lowercase()).ok();
                if name.is_none() {
                    draft.blame("account", self.t.bank_no_such_account());
                }
                name.map(Order::Assign)
            }
            Verdict::SetAside => {
                let reason = text("reason", draft.value("reason")).ok();
                if reason.is_none() {
                    draft.blame("reason", self.t.common_wrong_text());
                }
                reason.map(Order::SetAside)
            }
        }
    }

    async fn check(&self, order: &Order) -> Result<(), Refusal> {
        if self.line.state != BankLineState::Unmatched {
            return Err(BankDeskError::Decided(self.line.state.clone()).into());
        }
        if let Order::Assign(name) = order {
            let profile = self.server.issuer().cashier().account(name).await?;
            if profile.account.status == AccountStatus::Closed {
                return Err(BankDeskError::ClosedAccount(name.clone()).into());
            }
        }
        Ok(())
    }

    fn question(&self, order: &Order) -> Question {
        let (t, amount) = (self.t, self.money.amount(self.units()));
        let party = printable(&self.line.line.content.party);
        let (text, explained, button, word) = match order {
            Order::Assign(name) => (
                if party.is_empty() {
                    t.bank_assign_question_nameless(amount, name)
                } else {
                    t.bank_assign_question(amount, party, name)
                },
                t.bank_assign_explained(),
                t.bank_assign_now(),
                "assign",
            ),
            Order::SetAside(reason) => (
                if party.is_empty() {
                    t.bank_aside_question_nameless(amount, printable(reason.as_str()))
                } else {
                    t.bank_aside_question(amount, party, printable(reason.as_str()))
                },
                t.bank_aside_explained(),
                t.bank_aside_now(),
                "set-aside",
            ),
        };
        let limit = self.server.issuer().second_person().amount();
        let above = limit.filter(|limit| self.units() > limit.units());
        let (explained, button) = match (order, above) {
            (Order::Assign(_), Some(limit)) => {
                let limit = self.money.amount(limit.units());
                (t.proposals_above(limit), t.proposals_propose_now())
            }
            _ => (explained.into(), button),
        };
        let bar = self.desk.bar(self.server, Some(Place::Bank));
        Question {
            frame: self.desk.visit.frame(self.title()),
            t,
            bar: bar.html(),
            form_token: bar.form_token,
            text,
            explained,
            button,
            action: format!("{}/{word}/confirm", self.path()),
            back: self.path(),
        }
    }

    fn about(&self) -> About {
        About {
            warning: self.warning(),
            facts: facts(&self.line, self.desk.visit.language, self.t),
        }
    }

    async fn carry_out(&self, sent: &SentKey, order: &Order) -> Result<String, Refusal> {
        let bank = self.server.issuer().bank_desk();
        let acting = bank.acting(&self.desk.operator.name);
        let work = async {
            Ok(match order {
                Order::Assign(name) => match acting.assign(self.id, name).await {
                    Ok(Asked::Done(_)) => Note::LineAssigned(name.to_string()),
                    Ok(Asked::Waits(proposal)) => Note::Waits(proposal.no.get()),
                    Err(BankDeskError::NotYet(name)) => Note::LineReserved(name.to_string()),
                    Err(error) => return Err(error.into()),
                },
                Order::SetAside(reason) => {
                    acting.set_aside(self.id, reason.clone()).await?;
                    Note::LineSetAside
                }
            })
        };
        self.desk.once(sent, work).await?;
        Ok(self.desk.page_after(sent, "/console/bank/lines").await)
    }

    fn blame(&self, draft: &mut Draft, order: &Order, refusal: &Refusal) -> Option<StatusCode> {
        let (field, fault, status) = match (order, refusal.reason) {
            (Order::Assign(_), Reason::NotFound) => {
                ("account", self.t.bank_no_such_account(), StatusCode::NOT_FOUND)
            }
            (Order::Assign(_), Reason::Invalid) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                ("account", self.t.bank_account_refuses(), status)
            }
            (Order::Assign(_), Reason::Decided) => {
                ("account", self.t.bank_line_decided(), StatusCode::CONFLICT)
            }
            (Order::SetAside(_), Reason::Decided) => {
                ("reason", self.t.bank_line_decided(), StatusCode::CONFLICT)
            }
            _ => return None,
        };
        draft.blame(field, fault);
        Some(status)
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let (t, language) = (self.t, self.desk.visit.language);
        let fresh = || Draft::fresh(self.desk.new_key());
        let (assign, aside) = match self.verdict {
            Verdict::Assign => (draft, fresh()),
            Verdict::SetAside => (fresh(), draft),
        };
        let (line, content) = (&self.line.line, &self.line.line.content);
        let state = match &self.line.state {
            BankLineState::Unmatched => match self.why {
                Some(why) => said::unmatched(why, line, t),
                None => said::kept(&self.line, t),
            },
            decided => said::state(decided, t),
        };
        let form = LinePage {
            frame: self.desk.visit.frame(self.title()),
            t,
            bar: self.desk.bar(self.server, Some(Place::Bank)),
            no: self.line.no.get(),
            statement: self.line.statement.get(),
            amount: self.money.large(self.units()),
            text: printable(&content.text),
            party_account: printable(&content.party_account),
            bank_reference: printable(&content.bank_reference),
            line: said::line(line, None, &self.money, language),
            state,
            warning: self.warning(),
            may_decide: self.line.state == BankLineState::Unmatched
                && self.desk.may(AdminRight::ChangeAccounts),
            assign,
            aside,
        };
        Ok(page(status, language, &form))
    }
}

/// Why the statement that was booked with a line does not credit it.
async fn why(server: &Server, line: &KeptLine, id: BankLineId) -> Result<Option<Unmatched>, Refusal> {
    let bank = server.issuer().bank_desk();
    let found = bank.preview_lines(line.statement, vec![id]).await?;
    Ok(found.first().and_then(PreviewLine::why))
}

fn verdict(word: &str) -> Result<Verdict, Refusal> {
    match word {
        "assign" => Ok(Verdict::Assign),
        "set-aside" => Ok(Verdict::SetAside),
        _ => Err(Refusal::new(Reason::NotFound, "there is no such page")),
    }
}

/// `GET /console/bank/lines/{no}`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(no): Path<String>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let form = Deciding::of(&server, &desk, &no, Verdict::Assign).await?;
    form.form(Draft::fresh(desk.new_key()), StatusCode::OK).await
}

/// `POST /console/bank/lines/{no}/{verdict}`: asks whether it is right.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((no, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let form = Deciding::of(&server, &desk, &no, verdict(&word)?).await?;
    steps::check(&form, &fields).await
}

/// `POST /console/bank/lines/{no}/{verdict}/confirm`: decides it.
pub(super) async fn confirm(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((no, word)): Path<(String, String)>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let form = Deciding::of(&server, &desk, &no, verdict(&word)?).await?;
    steps::confirm(&form, &fields).await
}

/// What the bank says of a line, besides its amount and its payer.
fn facts(line: &KeptLine, language: Language, t: Messages) -> Vec<(&'static str, String)> {
    let content = &line.line.content;
    let day = content.day.and_time(chrono::NaiveTime::MIN).and_utc();
    vec![
        (t.bank_day(), Moment::day(language, day).plain()),
        (t.bank_text(), printable(&content.text)),
    ]
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
        let line = bank.line(id).await?;
        let (mut warning, state) = (None, said::state(&line.state, t));
        if line.state == BankLineState::Unmatched {
            let why = why(server, &line, id).await?;
            warning = why
                .filter(|why| said::is_doubtful(*why))
                .map(|why| said::unmatched(why, &line.line, t));
        }
        let after = StatementNo::new(line.statement.get() + 1);
        let statement = bank.statements(Some(after), 1).await?.into_iter().next();
        let uploaded_by = statement.filter(|statement| statement.no == line.statement);
        let content = &line.line.content;
        let mut facts = facts(&line, desk.visit.language, t);
        for (name, value) in [
            (t.bank_party(), &content.party),
            (t.bank_party_account(), &content.party_account),
            (t.console_bank_reference(), &content.bank_reference),
        ] {
            if !value.is_empty() {
                facts.push((name, printable(value)));
            }
        }
        if let Some(statement) = uploaded_by {
            facts.push((t.bank_uploaded_by(), statement.operator.as_str().to_owned()));
        }
        Ok(Self {
            no: line.no.get(),
            statement: line.statement.get(),
            state,
            warning,
            facts,
        })
    }
}

//! What needs a person, in words.
//!
//! What it is, is decided where `opencoin issuer overview` has it from as well, and the numbers are those of
//! `GET /v1/admin/overview`. Everybody at the console reads what keeps the issuer from working; a link to the page on which
//! it is mended is for those who may open it.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, Denominations, Refusal, Task, Urgency, WaitingSince};

use super::desk::Desk;
use crate::format::{Moment, Money};
use crate::language::Language;
use crate::messages::{Message, Messages};

/// The page on which something is done, and what the link says.
type Link = (Cow<'static, str>, &'static str);

/// Something that waits for a person.
pub(super) struct Item {
    pub(super) urgency: Urgency,
    pub(super) text: Message,
    /// What it means, or what to do.
    pub(super) detail: Option<Message>,
    /// A moment, with the words before it.
    pub(super) at: Option<(&'static str, Moment)>,
    /// The same in technical words, for those who help.
    pub(super) technical: String,
    /// The page on which it is done, and what the link says.
    pub(super) link: Option<Link>,
}

impl Item {
    fn new(text: impl Into<Message>) -> Self {
        Self {
            urgency: Urgency::Note,
            text: text.into(),
            detail: None,
            at: None,
            technical: String::new(),
            link: None,
        }
    }

    /// The class of the note.
    pub(super) fn class(&self) -> &'static str {
        match self.urgency {
            Urgency::Alarm => "bad",
            Urgency::Soon => "warn",
            Urgency::Note => "",
        }
    }

    fn with_detail(mut self, detail: impl Into<Message>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    fn at(mut self, words: &'static str, moment: Moment) -> Self {
        self.at = Some((words, moment));
        self
    }
}

/// What waits for whoever is at this desk, the most urgent first, and as of when.
pub(super) async fn items(server: &Server, desk: &Desk) -> Result<(Vec<Item>, DateTime<Utc>), Refusal> {
    let overview = server.issuer().overview(&desk.operator.name).await?;
    let writer = Writer {
        server,
        desk,
        t: desk.visit.messages(),
        language: desk.visit.language,
        money: desk.money(server),
    };
    let item = |task: Task| {
        let urgency = task.urgency();
        Some(Item {
            urgency,
            ..writer.item(task)?
        })
    };
    Ok((
        overview.tasks().into_iter().filter_map(item).collect(),
        overview.at,
    ))
}

/// Writes tasks for whoever is at a desk.
struct Writer<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
    language: Language,
    money: Money,
}

impl Writer<'_> {
    /// `None` if it is not for whoever is at the desk.
    fn item(&self, task: Task) -> Option<Item> {
        let t = self.t;
        let item = match task {
            Task::LogHalted(reason) => Item {
                technical: reason,
                ..Item::new(t.today_log_halted()).with_detail(t.today_log_halted_advice())
            },
            Task::NoQuorum(since) => Item::new(t.today_log_no_quorum())
                .with_detail(t.today_log_no_quorum_advice())
                .at(t.today_since(), self.minute(since)),
            Task::Unsealed(since) => Item::new(t.today_log_unsealed())
                .with_detail(t.today_log_unsealed_advice())
                .at(t.today_since(), self.minute(since)),
            Task::AuditBroken(at) => self.audit(t.today_audit_broken(), Some(at)),
            Task::AuditFailed(at) => self.audit(t.today_audit_failed(), Some(at)),
            Task::AuditDue(_) if !self.server.issuer().makes_audits() => return None,
            Task::AuditDue(Some(at)) => self.audit(t.today_audit_old(), Some(at)),
            Task::AuditDue(None) => self.audit(t.today_audit_never(), None),
            Task::NoKey(lacking) => {
                let text = t.today_no_key(self.values(&lacking));
                self.keys(Item::new(text), &lacking)
            }
            Task::KeysDue(end, lacking) => {
                let text = t.today_keys_due(self.values(&lacking), Moment::day(self.language, end));
                self.keys(Item::new(text), &lacking)
            }
            Task::DescriptionExpired => {
                Item::new(t.today_description_expired()).with_detail(t.today_description_advice())
            }
            Task::DescriptionDue(at) => {
                Item::new(t.today_description_expires(Moment::day(self.language, at)))
                    .with_detail(t.today_description_advice())
            }
            Task::SigningPaused => Item {
                link: self.link(AdminRight::ReadKeys, "/console/keys", t.today_to_keys()),
                ..Item::new(t.today_signing_paused())
            },
            of_accounts @ (Task::Proposals(_)
            | Task::Payouts(_)
            | Task::UnfinishedFile(..)
            | Task::UnmatchedLines(_)
            | Task::FrozenAccounts(_)) => return self.of_accounts(of_accounts),
        };
        Some(item)
    }

    /// What those read who may read accounts.
    fn of_accounts(&self, task: Task) -> Option<Item> {
        let t = self.t;
        if !self.desk.may(AdminRight::ReadAccounts) {
            return None;
        }
        let item = match task {
            // For those who could carry them out.
            Task::Proposals(waiting) => Item {
                link: Some(self.link(
                    AdminRight::ChangeAccounts,
                    "/console/proposals",
                    t.proposals_to_list(),
                )?),
                ..Item::new(t.proposals_wait(waiting.count)).at(t.today_since(), self.minute(waiting.oldest))
            },
            Task::Payouts(waiting) => self.waits(
                t.today_payouts_wait(waiting.count),
                waiting,
                ("/console/payouts".into(), t.today_to_payouts()),
            ),
            // One that is being settled now is among them for a moment.
            Task::UnfinishedFile(no, since) => {
                let no = no.get();
                let path = format!("/console/payout-files/{no}");
                Item {
                    link: Some((path.into(), t.files_to_unfinished())),
                    at: since.map(|since| (t.today_since(), self.minute(since))),
                    ..Item::new(t.files_unfinished(no)).with_detail(t.files_unfinished_advice())
                }
            }
            Task::UnmatchedLines(waiting) => self.waits(
                t.bank_lines_wait(waiting.count),
                waiting,
                ("/console/bank/lines".into(), t.bank_to_lines()),
            ),
            Task::FrozenAccounts(count) => Item {
                link: Some(("/console/accounts?only=frozen".into(), t.today_to_frozen())),
                ..Item::new(t.today_accounts_frozen(count))
            },
            _ => return None,
        };
        Some(item)
    }

    fn minute(&self, at: DateTime<Utc>) -> Moment {
        Moment::minute(self.language, at)
    }

    /// A link for those who may open the page.
    fn link(&self, right: AdminRight, path: &'static str, says: &'static str) -> Option<Link> {
        self.desk.may(right).then_some((path.into(), says))
    }

    fn waits(&self, text: Message, waiting: WaitingSince, link: Link) -> Item {
        Item {
            link: Some(link),
            ..Item::new(text).at(self.t.today_oldest_since(), self.minute(waiting.oldest))
        }
    }

    fn audit(&self, text: &'static str, at: Option<DateTime<Utc>>) -> Item {
        let t = self.t;
        Item {
            link: self.link(AdminRight::ReadKeys, "/console/audit", t.today_to_audit()),
            at: at.map(|at| (t.today_checked(), self.minute(at))),
            ..Item::new(text)
        }
    }

    fn values(&self, lacking: &Denominations) -> String {
        let values = lacking.values.iter().map(|value| self.money.number(*value));
        values.collect::<Vec<_>>().join(" \u{b7} ")
    }

    fn keys(&self, item: Item, lacking: &Denominations) -> Item {
        let t = self.t;
        Item {
            detail: lacking.came_too_late.then(|| t.today_keys_late().into()),
            link: self.link(AdminRight::ReadKeys, "/console/keys", t.today_to_keys()),
            ..item
        }
    }
}

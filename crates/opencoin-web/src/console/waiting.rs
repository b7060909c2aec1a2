//! What needs a person, in words, the most urgent first.
//!
//! The numbers are those of `GET /v1/admin/overview`. Everybody at the console reads what keeps the issuer from working;
//! a link to the page on which it is mended is for those who may open it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_http::Server;
use opencoin_issuer::audits::{AuditOutcome, AuditState};
use opencoin_issuer::{
    AdminRight, KeyState, LogOverview, MintKeyOverview, MintKeysOverview, Overview, Refusal,
};
use opencoin_ledger::bank::PayoutExport;

use super::desk::Desk;
use crate::format::{Moment, Money, utc};
use crate::language::Language;
use crate::messages::{Message, Messages};

/// Books that were not checked for so long should be.
const AUDIT_AGE_MAX: TimeDelta = TimeDelta::days(35);
/// The part of the time within which the public log promises its leaves, after which what waits is late: one half, as for
/// new keys.
const LATE_PARTS: i32 = 2;

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
    pub(super) link: Option<(Cow<'static, str>, &'static str)>,
}

/// How urgent something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Money cannot move, or may be wrong.
    Alarm,
    /// Somebody waits, or something will stop.
    Soon,
    /// Somebody should know it.
    Note,
}

impl Urgency {
    /// The class of the note.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Alarm => "bad",
            Self::Soon => "warn",
            Self::Note => "",
        }
    }
}

impl Item {
    fn new(urgency: Urgency, text: impl Into<Message>) -> Self {
        Self {
            urgency,
            text: text.into(),
            detail: None,
            at: None,
            technical: String::new(),
            link: None,
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

/// What waits for whoever is at this desk, and as of when.
pub(super) async fn items(server: &Server, desk: &Desk) -> Result<(Vec<Item>, DateTime<Utc>), Refusal> {
    let overview = server.issuer().overview(&desk.operator.name).await?;
    let finder = Finder::new(server, desk, &overview);
    let mut items = Vec::new();
    items.extend(finder.log());
    items.extend(finder.audit());
    if desk.may(AdminRight::ReadAccounts) {
        items.extend(finder.proposals());
        items.extend(finder.payouts());
        items.extend(finder.unfinished_files());
        items.extend(finder.unmatched());
    }
    items.extend(finder.keys());
    items.extend(finder.description());
    items.extend(finder.paused());
    if desk.may(AdminRight::ReadAccounts) {
        items.extend(finder.frozen());
    }
    // A stable order: of the same urgency, the order above.
    items.sort_by_key(|item| item.urgency);
    Ok((items, overview.at))
}

struct Finder<'a> {
    server: &'a Server,
    desk: &'a Desk,
    overview: &'a Overview,
    t: Messages,
    language: Language,
    money: Money,
}

impl<'a> Finder<'a> {
    fn new(server: &'a Server, desk: &'a Desk, overview: &'a Overview) -> Self {
        Self {
            server,
            desk,
            overview,
            t: desk.visit.messages(),
            language: desk.visit.language,
            money: desk.money(server),
        }
    }

    fn minute(&self, at: DateTime<Utc>) -> Moment {
        Moment::minute(self.language, at)
    }

    /// A link for those who may open the page.
    fn link(
        &self,
        right: AdminRight,
        path: &'static str,
        says: &'static str,
    ) -> Option<(Cow<'static, str>, &'static str)> {
        self.desk.may(right).then_some((path.into(), says))
    }

    fn log(&self) -> Vec<Item> {
        let t = self.t;
        let Some(LogOverview {
            halted,
            unsealed_since,
            without_quorum_since,
            ..
        }) = &self.overview.log
        else {
            return Vec::new();
        };
        let mut items = Vec::new();
        if let Some(reason) = halted {
            items.push(Item {
                technical: reason.clone(),
                ..Item::new(Urgency::Alarm, t.today_log_halted()).with_detail(t.today_log_halted_advice())
            });
        }
        if let Some(since) = without_quorum_since {
            let item =
                Item::new(Urgency::Soon, t.today_log_no_quorum()).with_detail(t.today_log_no_quorum_advice());
            items.push(item.at(t.today_since(), self.minute(*since)));
        }
        let unsealed = unsealed_since.map(utc);
        let promised = self.server.issuer().currency().log().map(|log| log.within_s());
        if let (Some(since), Some(within_s)) = (unsealed, promised)
            && self.overview.at - since > TimeDelta::seconds(within_s.into()) / LATE_PARTS
        {
            let item =
                Item::new(Urgency::Alarm, t.today_log_unsealed()).with_detail(t.today_log_unsealed_advice());
            items.push(item.at(t.today_since(), self.minute(since)));
        }
        items
    }

    fn audit(&self) -> Option<Item> {
        let t = self.t;
        let AuditState { running, last } = &self.overview.audit;
        let link = self.link(AdminRight::ReadKeys, "/console/audit", t.today_to_audit());
        let at = |item: Item, at| item.at(t.today_checked(), self.minute(at));
        let item = match last {
            Some(last) if last.outcome == AuditOutcome::Broken => {
                at(Item::new(Urgency::Alarm, t.today_audit_broken()), utc(last.at))
            }
            Some(last) if last.outcome == AuditOutcome::Failed => {
                at(Item::new(Urgency::Soon, t.today_audit_failed()), utc(last.at))
            }
            _ if running.is_some() || !self.server.issuer().makes_audits() => return None,
            Some(last) if self.overview.at - utc(last.at) > AUDIT_AGE_MAX => {
                at(Item::new(Urgency::Note, t.today_audit_old()), utc(last.at))
            }
            None if self.age()? > AUDIT_AGE_MAX => Item::new(Urgency::Note, t.today_audit_never()),
            Some(_) | None => return None,
        };
        Some(Item { link, ..item })
    }

    /// How long ago the first key of the currency began to sign.
    fn age(&self) -> Option<TimeDelta> {
        let begun = self.overview.keys.keys().map(|key| key.signs_from).min()?;
        Some(self.overview.at - begun)
    }

    /// What other operators have proposed and this one could carry out.
    fn proposals(&self) -> Option<Item> {
        let (t, waiting) = (self.t, &self.overview.proposals);
        let oldest = waiting.oldest.map(utc)?;
        let right = AdminRight::ChangeAccounts;
        let link = self.link(right, "/console/proposals", t.proposals_to_list())?;
        let item = Item::new(Urgency::Soon, t.proposals_wait(waiting.count));
        Some(Item {
            link: Some(link),
            ..item.at(t.today_since(), self.minute(oldest))
        })
    }

    fn payouts(&self) -> Option<Item> {
        let (t, waiting) = (self.t, &self.overview.payouts);
        let oldest = waiting.oldest.map(utc)?;
        let item = Item::new(Urgency::Soon, t.today_payouts_wait(waiting.count));
        Some(Item {
            link: Some(("/console/payouts".into(), t.today_to_payouts())),
            ..item.at(t.today_oldest_since(), self.minute(oldest))
        })
    }

    /// Files that the bank has paid and whose payouts are not all settled. One that is being settled now is among them for
    /// a moment.
    fn unfinished_files(&self) -> Vec<Item> {
        let t = self.t;
        let item = |file: &PayoutExport| {
            let no = file.no.get();
            let item = Item {
                link: Some((
                    format!("/console/payout-files/{no}").into(),
                    t.files_to_unfinished(),
                )),
                ..Item::new(Urgency::Soon, t.files_unfinished(no))
            };
            let item = item.with_detail(t.files_unfinished_advice());
            match file.ended_at {
                Some(at) => item.at(t.today_since(), self.minute(utc(at))),
                None => item,
            }
        };
        self.overview.unfinished_files.iter().map(item).collect()
    }

    fn unmatched(&self) -> Option<Item> {
        let (t, waiting) = (self.t, &self.overview.unmatched);
        let oldest = waiting.oldest.map(utc)?;
        let item = Item::new(Urgency::Soon, t.bank_lines_wait(waiting.count));
        Some(Item {
            link: Some(("/console/bank/lines".into(), t.bank_to_lines())),
            ..item.at(t.today_oldest_since(), self.minute(oldest))
        })
    }

    fn keys(&self) -> Vec<Item> {
        let (t, keys) = (self.t, &self.overview.keys);
        let link = self.link(AdminRight::ReadKeys, "/console/keys", t.today_to_keys());
        let values = |denominations: &[u64]| {
            let values = denominations.iter().map(|value| self.money.number(*value));
            values.collect::<Vec<_>>().join(" \u{b7} ")
        };
        let detail = |denominations: &[u64]| {
            let has_late = denominations.iter().any(|value| came_too_late(keys, *value));
            has_late.then(|| t.today_keys_late().into())
        };
        let (unsigned, ending) = lacking(keys);
        let mut items = Vec::new();
        if !unsigned.is_empty() {
            items.push(Item {
                detail: detail(&unsigned),
                link: link.clone(),
                ..Item::new(Urgency::Alarm, t.today_no_key(values(&unsigned)))
            });
        }
        for (end, denominations) in &ending {
            let day = Moment::day(self.language, *end);
            items.push(Item {
                detail: detail(denominations),
                link: link.clone(),
                ..Item::new(Urgency::Soon, t.today_keys_due(values(denominations), day))
            });
        }
        items
    }

    fn description(&self) -> Option<Item> {
        let (t, keys) = (self.t, &self.overview.keys);
        if keys.at < keys.description_due {
            return None;
        }
        let item = if keys.description_expires <= keys.at {
            Item::new(Urgency::Alarm, t.today_description_expired())
        } else {
            let day = Moment::day(self.language, keys.description_expires);
            Item::new(Urgency::Soon, t.today_description_expires(day))
        };
        Some(item.with_detail(t.today_description_advice()))
    }

    fn paused(&self) -> Option<Item> {
        let t = self.t;
        let item = || Item {
            link: self.link(AdminRight::ReadKeys, "/console/keys", t.today_to_keys()),
            ..Item::new(Urgency::Soon, t.today_signing_paused())
        };
        self.overview.keys.is_signing_paused.then(item)
    }

    fn frozen(&self) -> Option<Item> {
        let (t, count) = (self.t, self.overview.frozen_accounts);
        let item = || Item {
            link: Some(("/console/accounts?only=frozen".into(), t.today_to_frozen())),
            ..Item::new(Urgency::Note, t.today_accounts_frozen(count))
        };
        (count > 0).then(item)
    }
}

/// The denominations for which no key signs, and those whose next key is due, by the day on which the last one ends.
fn lacking(keys: &MintKeysOverview) -> (Vec<u64>, BTreeMap<DateTime<Utc>, Vec<u64>>) {
    let (mut unsigned, mut ending) = (Vec::new(), BTreeMap::<_, Vec<u64>>::new());
    for (&denomination, due) in &keys.rotations {
        let own = || keys.denominations.get(&denomination).into_iter().flatten();
        if !own().any(signs) {
            unsigned.push(denomination);
        } else if *due <= keys.at
            && let Some(end) = own()
                .filter(|key| will_sign(key))
                .map(|key| key.signs_until)
                .max()
        {
            ending.entry(end).or_default().push(denomination);
        }
    }
    (unsigned, ending)
}

fn signs(key: &MintKeyOverview) -> bool {
    key.state == KeyState::Signing && !key.awaits_log
}

fn will_sign(key: &MintKeyOverview) -> bool {
    matches!(key.state, KeyState::Signing | KeyState::Future)
}

/// Whether the last key of a denomination came too late for the public log.
fn came_too_late(keys: &MintKeysOverview, denomination: u64) -> bool {
    let last = keys.denominations.get(&denomination).and_then(|keys| keys.last());
    last.is_some_and(|key| key.state == KeyState::Late)
}

//! Checks of the books: the last one, which rules it found broken, and a button that starts another one.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::audits::{AUDIT_SUBJECT, AuditOutcome, AuditState, EndedAudit};
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::{ActionFilter, ActionSubject};
use opencoin_text::printable;

use super::actions::{ActionLine, lines};
use super::desk::{After, Bar, Desk, Done, Place};
use crate::address::Query;
use crate::format::{Moment, utc};
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::{SentKey, sent_key};
use crate::visit::{Frame, PageResult, page, see_other};

/// How many of the last actions about audits the page shows. Each audit has two: that it began, and how it ended.
const LAST_ACTIONS: u32 = 20;

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    currency: String,
    done: Option<Done>,
    /// Since when one runs, and who started it.
    running: Option<(Moment, Message)>,
    last: Option<Last>,
    actions: Vec<ActionLine>,
    makes_audits: bool,
    may_start: bool,
    /// The idempotency key of the form.
    key: String,
}

/// The last audit.
struct Last {
    at: Moment,
    by: Message,
    outcome: AuditOutcome,
    /// What it found or why it has no result, in technical words.
    detail: String,
    /// Every rule. Empty if the rules are known no more.
    rules: Vec<Rule>,
}

/// A rule of the books.
struct Rule {
    holds: bool,
    /// The rule in the visitor's language; `None` if it has no words in it.
    text: Option<&'static str>,
    name: &'static str,
    /// The figures, or what breaks the rule.
    detail: String,
}

impl Last {
    fn broken(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| !rule.holds)
    }

    fn broken_count(&self) -> u64 {
        self.broken().count() as u64
    }
}

/// `GET /console/audit`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadKeys)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let (issuer, money) = (server.issuer(), desk.money(&server));
    let AuditState { running, last } = issuer.audit_state().await?;
    let filter = ActionFilter::Of(ActionSubject::new(AUDIT_SUBJECT));
    let actions = issuer.cashier().actions(filter, None, LAST_ACTIONS).await;
    let audit = AuditPage {
        frame: desk.visit.frame(t.audit_title()),
        t,
        bar: desk.bar(&server, Some(Place::Audit)),
        currency: money.name(),
        done: desk.said(&after, &money).await,
        running: running.map(|running| {
            (
                Moment::minute(language, utc(running.since)),
                t.audit_by(running.operator.as_str()),
            )
        }),
        last: last.map(|last| described(last, &desk)),
        actions: lines(&server, &desk, &actions.map_err(Refusal::from)?),
        makes_audits: issuer.makes_audits(),
        may_start: desk.may(AdminRight::ChangeKeys),
        key: desk.new_key(),
    };
    Ok(page(StatusCode::OK, language, &audit))
}

fn described(audit: EndedAudit, desk: &Desk) -> Last {
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let rule = |check: opencoin_audit::Check| Rule {
        holds: check.holds,
        text: words(check.name, t),
        name: check.name,
        detail: printable(&check.detail),
    };
    Last {
        at: Moment::minute(language, utc(audit.at)),
        by: t.audit_by(audit.operator.as_str()),
        outcome: audit.outcome,
        detail: printable(&audit.detail),
        rules: audit.checks.into_iter().map(rule).collect(),
    }
}

/// `POST /console/audit`: starts an audit, unless one runs.
pub(super) async fn start(State(server): State<Arc<Server>>, desk: Desk, body: Body) -> PageResult {
    desk.needs(&server, AdminRight::ChangeKeys)?;
    let fields = desk.form(&server, body).await?;
    let sent = SentKey {
        key: sent_key(&fields)?,
        content: Vec::new(),
    };
    let work = async {
        server.issuer().start_audit(&desk.operator.name).await?;
        Ok(Note::AuditStarted)
    };
    desk.once(&sent, work).await?;
    Ok(see_other(&format!("/console/audit?done={}", sent.key.as_str())))
}

/// A rule in the words of people who do not know the books.
fn words(name: &str, t: Messages) -> Option<&'static str> {
    Some(match name {
        "certificates verify" => t.audit_rule_certificates(),
        "every row makes sense" => t.audit_rule_rows(),
        "no balance is below zero" => t.audit_rule_negative(),
        "every balance is what the journal says" => t.audit_rule_balances(),
        "no entry of an account is missing" => t.audit_rule_entries(),
        "a closed account has no money and no way in" => t.audit_rule_closed(),
        "every key has made the payments and got the credits that the journal says" => {
            t.audit_rule_key_counts()
        }
        "the public log has the account of every key as the books have it" => t.audit_rule_keys_logged(),
        "no mint key has more coins back than it signed" => t.audit_rule_returned(),
        "every signature counted was accepted in the journal" => t.audit_rule_signed(),
        "no more signatures were given again than were recovered from the public log" => t.audit_rule_again(),
        "every coin counted as returned is recorded as spent" => t.audit_rule_spent(),
        "every coin counted as recouped is recorded as such" => t.audit_rule_recouped_rows(),
        "a pruned mint key has no more coins recorded as spent or recouped than it counts" => {
            t.audit_rule_pruned_rows()
        }
        "coins of stopped mint keys alone were recouped, and no more than were signed" => {
            t.audit_rule_recouped()
        }
        "every retired mint key was retired in the journal" => t.audit_rule_retired(),
        "every pruned mint key was pruned in the journal" => t.audit_rule_pruned(),
        "every payout was asked for in the journal and settled as it says" => t.audit_rule_payouts(),
        "every payout is in at most one file that was not withdrawn" => t.audit_rule_one_file(),
        "every payout of a file that the bank has paid is settled" => t.audit_rule_paid_files(),
        "every file has as many payouts and as much money as it says" => t.audit_rule_files(),
        "all stored blinds belong to a transaction" => t.audit_rule_blinds(),
        "no mint waits for money that was given up" => t.audit_rule_given_up(),
        "accounts, payouts on their way and coins outstanding are what was paid in minus what was paid out plus what was recouped" => {
            t.audit_rule_money()
        }
        "payouts on their way are what the journal says" => t.audit_rule_open_payouts(),
        "coins outstanding by mint key are what the journal says" => t.audit_rule_coins(),
        "what was recouped by mint key is what the journal says" => t.audit_rule_recouped_sum(),
        "the public log has every signature and every coin that came back" => t.audit_rule_log_counts(),
        "the totals of the public log are those of the books" => t.audit_rule_log_totals(),
        "the root over key accounts in the public log is that of its rows" => t.audit_rule_log_root(),
        "the public log is not halted" => t.audit_rule_log_halted(),
        "the journal that was read earlier has not changed" => t.audit_rule_journal(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use opencoin_audit::{AuditFacts, check};

    use super::*;
    use crate::language::Language;

    #[test]
    fn every_rule_has_words_in_every_language() {
        let report = check(&AuditFacts::default());
        let names = report.checks.iter().map(|check| check.name);
        for name in names.chain([
            "certificates verify",
            "the journal that was read earlier has not changed",
        ]) {
            for language in Language::ALL {
                assert!(words(name, Messages::new(language)).is_some(), "{name}");
            }
        }
    }
}

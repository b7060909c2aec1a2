//! Who did what: everything that operators have changed, the newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::accounts::text;
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::{ActionFilter, ActionKind, ActionNo, ActionSubject, RecordedAction};
use opencoin_text::printable;
use serde::Deserialize;

use super::desk::{Bar, Desk, Place};
use crate::address::Query;
use crate::format::{Moment, utc};
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, encoded, page};
use crate::words::is_of_bank_line;

/// The most actions on a page.
const ACTIONS_PER_PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "console/actions.html")]
struct ActionsPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    currency: String,
    subject: String,
    actions: Vec<ActionLine>,
    /// The address of the page with earlier actions.
    earlier: Option<String>,
}

/// An action as a line of a list.
pub(super) struct ActionLine {
    pub(super) at: Moment,
    pub(super) operator: String,
    pub(super) what: Message,
    /// Without the currency.
    pub(super) amount: Option<String>,
    pub(super) detail: String,
    /// Whether the server has written the detail, in English.
    pub(super) is_english: bool,
    /// What only support needs: ids, and words of the program.
    pub(super) technical: String,
}

/// Which actions are shown.
#[derive(Deserialize)]
pub(super) struct Asked {
    /// Only what has changed this.
    #[serde(default)]
    subject: String,
    /// Actions before this one.
    before: Option<i64>,
}

/// `GET /console/actions`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(asked): Query<Asked>,
) -> PageResult {
    desk.needs(&server, AdminRight::Look)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let subject = asked.subject.trim();
    let filter = if subject.is_empty() {
        ActionFilter::All
    } else {
        ActionFilter::Of(ActionSubject::new(text("subject", subject)?.as_str()))
    };
    let cashier = server.issuer().cashier();
    let found = cashier.actions(filter, asked.before.map(ActionNo::new), ACTIONS_PER_PAGE);
    let found = found.await.map_err(Refusal::from)?;
    let is_full = found.len() >= ACTIONS_PER_PAGE as usize;
    let last = found.last().filter(|_| is_full);
    let earlier = last.map(|last| {
        let parameters = [
            ("subject".to_owned(), subject.to_owned()),
            ("before".to_owned(), last.no.get().to_string()),
        ];
        format!("/console/actions?{}", encoded(&parameters))
    });
    let money = desk.money(&server);
    let actions = ActionsPage {
        frame: desk.visit.frame(t.console_actions()),
        t,
        bar: desk.bar(&server, Some(Place::Actions)),
        currency: money.name(),
        subject: subject.to_owned(),
        actions: lines(&server, &desk, &found),
        earlier,
    };
    Ok(page(StatusCode::OK, language, &actions))
}

/// Actions as lines of a list.
pub(super) fn lines(server: &Server, desk: &Desk, actions: &[RecordedAction]) -> Vec<ActionLine> {
    let (language, t, money) = (desk.visit.language, desk.visit.messages(), desk.money(server));
    let currency = server.issuer().currency();
    let coins_of = |id: &str| {
        let mut keys = currency.mint_keys();
        let key = keys.find(|key| key.ledger_id.to_string() == id)?;
        Some(money.amount(key.verified.mint_key().denomination))
    };
    let line = |action: &RecordedAction| {
        let detail = action.detail.as_ref();
        let detail = detail.map_or_else(String::new, |detail| printable(detail.as_str()));
        let kind = ActionKind::ALL.iter().find(|kind| kind.word() == action.kind);
        let writing = match kind {
            Some(_) if is_of_bank_line(&detail) => Writing::ForSupport,
            Some(kind) => Writing::of(*kind),
            None => Writing::OfPerson,
        };
        let (detail, technical) = match writing {
            Writing::OfPerson | Writing::OfServer => (detail, String::new()),
            Writing::OfPersonOnKey => (detail, printable(action.subject.as_str())),
            Writing::ForSupport => (String::new(), detail),
        };
        ActionLine {
            at: Moment::minute(language, utc(action.at)),
            operator: action.operator.as_str().to_owned(),
            what: what(action, t, coins_of),
            amount: action.amount.map(|amount| money.number(amount.units())),
            detail,
            is_english: writing == Writing::OfServer,
            technical,
        }
    };
    actions.iter().map(line).collect()
}

/// Who has written the detail of an action, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    OfPerson,
    /// The action is about a key, whose id only support needs.
    OfPersonOnKey,
    /// In English.
    OfServer,
    /// Ids, and words of the program.
    ForSupport,
}

impl Writing {
    fn of(kind: ActionKind) -> Self {
        match kind {
            ActionKind::RevokeKey | ActionKind::PruneKey => Self::OfPersonOnKey,
            ActionKind::Propose
            | ActionKind::DeclineProposal
            | ActionKind::WithdrawProposal
            | ActionKind::AssignBankLine
            | ActionKind::ExportPayouts => Self::OfServer,
            ActionKind::RotateKeys
            | ActionKind::ChangeDescription
            | ActionKind::ImportCertificates
            | ActionKind::GiveUpRequest
            | ActionKind::DestroyKeys
            | ActionKind::AuditHolds
            | ActionKind::AuditBroken
            | ActionKind::AuditFailed
            | ActionKind::CreateAdminToken => Self::ForSupport,
            ActionKind::OpenAccount
            | ActionKind::ReplaceToken
            | ActionKind::SetPassword
            | ActionKind::IssueStartCode
            | ActionKind::FreezeAccount
            | ActionKind::ThawAccount
            | ActionKind::CloseAccount
            | ActionKind::RemoveService
            | ActionKind::Credit
            | ActionKind::Debit
            | ActionKind::AssignRecovered
            | ActionKind::TakeRecovered
            | ActionKind::PayPayout
            | ActionKind::FailPayout
            | ActionKind::WrongPassphrase
            | ActionKind::UploadStatement
            | ActionKind::BookStatement
            | ActionKind::SetBankLineAside
            | ActionKind::WithdrawExport
            | ActionKind::PayExport
            | ActionKind::PauseSigning
            | ActionKind::ResumeSigning
            | ActionKind::RunAudit
            | ActionKind::RemoveAdminToken => Self::OfPerson,
        }
    }
}

/// What was done, as a sentence. `coins_of` has the amount of the coins of a key with this id, if there is such a key.
fn what(action: &RecordedAction, t: Messages, coins_of: impl Fn(&str) -> Option<String>) -> Message {
    let subject = printable(action.subject.as_str());
    let kind = ActionKind::ALL.iter().find(|kind| kind.word() == action.kind);
    let Some(kind) = kind else {
        // A later version has written it.
        return t.console_act_unknown(printable(&action.kind), subject);
    };
    match kind {
        ActionKind::OpenAccount => t.console_act_open_account(subject),
        ActionKind::ReplaceToken => t.console_act_replace_token(subject),
        ActionKind::SetPassword => t.console_act_set_password(subject),
        ActionKind::IssueStartCode => t.console_act_start_code(subject),
        ActionKind::FreezeAccount => t.console_act_freeze(subject),
        ActionKind::ThawAccount => t.console_act_thaw(subject),
        ActionKind::CloseAccount => t.console_act_close(subject),
        ActionKind::RemoveService => t.console_act_remove_program(subject),
        ActionKind::Credit => t.console_act_credit(subject),
        ActionKind::Debit => t.console_act_debit(subject),
        ActionKind::AssignRecovered => t.console_act_assign_recovered(subject),
        ActionKind::TakeRecovered => t.console_act_take_recovered(subject),
        ActionKind::PayPayout => t.console_act_paid(subject),
        ActionKind::FailPayout => t.console_act_failed(subject),
        ActionKind::Propose => t.proposals_act_propose(subject),
        ActionKind::DeclineProposal => t.proposals_act_decline(subject),
        ActionKind::WithdrawProposal => t.proposals_act_withdraw(subject),
        ActionKind::RevokeKey => match coins_of(&subject) {
            Some(value) => t.console_act_stop_key(value),
            None => t.console_act_stop_unknown_key().into(),
        },
        ActionKind::PruneKey => match coins_of(&subject) {
            Some(value) => t.console_act_prune_key(value),
            None => t.console_act_prune_unknown_key().into(),
        },
        ActionKind::RotateKeys => t.console_act_rotate_keys().into(),
        ActionKind::ChangeDescription => t.console_act_change_description().into(),
        ActionKind::ImportCertificates => t.console_act_import_certificates().into(),
        ActionKind::GiveUpRequest => t.keys_act_give_up().into(),
        ActionKind::WrongPassphrase => t.keys_act_wrong_passphrase().into(),
        ActionKind::DestroyKeys => t.console_act_destroy_keys().into(),
        ActionKind::UploadStatement => t.console_act_upload_statement(subject),
        ActionKind::BookStatement => t.console_act_book_statement(subject),
        ActionKind::AssignBankLine => t.console_act_assign_line().into(),
        ActionKind::SetBankLineAside => t.console_act_set_line_aside().into(),
        ActionKind::ExportPayouts => t.console_act_export_payouts().into(),
        ActionKind::WithdrawExport => t.files_act_withdraw(subject),
        ActionKind::PayExport => t.files_act_pay(subject),
        ActionKind::PauseSigning => t.console_act_pause_signing().into(),
        ActionKind::ResumeSigning => t.console_act_resume_signing().into(),
        ActionKind::RunAudit => t.console_act_run_audit().into(),
        ActionKind::AuditHolds => t.console_act_audit_holds().into(),
        ActionKind::AuditBroken => t.console_act_audit_broken().into(),
        ActionKind::AuditFailed => t.console_act_audit_failed().into(),
        ActionKind::CreateAdminToken => t.console_act_create_token(subject),
        ActionKind::RemoveAdminToken => t.console_act_remove_token(subject),
    }
}

//! Makes a file of the payouts that were chosen.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use opencoin_bank::DestinationError;
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, EXPORT_PAYOUTS_MAX, ExportRequest, PayoutDeskError, Refusal};
use opencoin_ledger::bank::ExportFormat;
use opencoin_ledger::{Payout, PayoutNo};

use crate::console::desk::{Desk, Place};
use crate::console::payouts::{self, Asked, FileForm};
use crate::format::Moment;
use crate::forms::Fields;
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::{self, About, Draft, Question, SentKey, sent_key};
use crate::visit::{Failure, PageResult, see_other};

/// The field with the payouts of frozen accounts that the question has named.
const ANSWERED_FIELD: &str = "frozen";

/// What the form says; what is wrong is in its faults.
fn read(fields: &Fields, key: &SentKey, t: Messages) -> (FileForm, Option<ExportRequest>) {
    let chosen: Vec<i64> = fields.all("payout").filter_map(|no| no.parse().ok()).collect();
    let mut form = FileForm {
        key: key.key.as_str().to_owned(),
        format: fields.trimmed("format").to_owned(),
        execution: fields.trimmed("execution").to_owned(),
        faults: Vec::new(),
        chosen: None,
    };
    let day = Some(form.execution.as_str()).filter(|day| !day.is_empty());
    let execution = day.map(|day| day.parse()).transpose();
    if execution.is_err() {
        form.faults.push(t.files_wrong_day().into());
    }
    if chosen.is_empty() || chosen.len() > EXPORT_PAYOUTS_MAX {
        form.faults.push(t.files_wrong_number(EXPORT_PAYOUTS_MAX));
    }
    let request = execution
        .ok()
        .filter(|_| form.faults.is_empty())
        .map(|execution| ExportRequest {
            key: key.key.clone(),
            payouts: chosen.iter().copied().map(PayoutNo::new).collect(),
            format: match form.format.as_str() {
                "csv" => ExportFormat::Csv,
                _ => ExportFormat::Pain001,
            },
            execution,
        });
    form.chosen = Some(chosen);
    (form, request)
}

/// `POST /console/payout-files`.
pub(super) async fn make(State(server): State<Arc<Server>>, desk: Desk, body: Body) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let t = desk.visit.messages();
    let chosen = fields.all("payout").collect::<Vec<_>>().join(" ");
    let sent = SentKey {
        key: sent_key(&fields)?,
        content: vec![
            ("payouts", chosen),
            ("format", fields.trimmed("format").to_owned()),
            ("execution", fields.trimmed("execution").to_owned()),
        ],
    };
    let (mut form, request) = read(&fields, &sent, t);
    let Some(request) = request else {
        let again = (form, None, StatusCode::UNPROCESSABLE_ENTITY);
        return payouts::shown_as(&server, &desk, &Asked::beyond(None), again).await;
    };
    if let Some(question) = frozen_question(&server, &desk, &fields, &form).await? {
        return Ok(question);
    }
    let (files, mut faults) = (server.issuer().payout_desk(), Vec::new());
    let work = async {
        let made = files.acting(&desk.operator.name).export(request).await;
        let made = made.map_err(|error| {
            faults = blame(&error, &desk);
            Refusal::from(error)
        })?;
        Ok(Note::FileMade {
            no: made.export.no.get(),
        })
    };
    let done = desk.once(&sent, work).await;
    if let Err(refusal) = done {
        if faults.is_empty() {
            return Err(Failure::from(refusal));
        }
        form.faults = faults;
        let first = form.chosen.iter().flatten().min();
        let asked = Asked::beyond(first.map(|first| first.saturating_sub(1)));
        let again = (form, None, StatusCode::UNPROCESSABLE_ENTITY);
        return payouts::shown_as(&server, &desk, &asked, again).await;
    }
    let key = sent.key.as_str();
    Ok(see_other(&match desk.session.note(key).await {
        Some(Note::FileMade { no }) => format!("/console/payout-files/{no}?done={key}"),
        _ => "/console/payout-files".to_owned(),
    }))
}

/// The question that names the chosen payouts of frozen accounts; `None` if there are none, or it was answered for all of
/// them.
async fn frozen_question(
    server: &Server,
    desk: &Desk,
    fields: &Fields,
    form: &FileForm,
) -> Result<Option<Response<Body>>, Refusal> {
    let chosen = form.chosen.iter().flatten().copied().map(PayoutNo::new);
    let payouts = server.issuer().payout_desk().payouts(chosen.collect()).await?;
    let is_frozen = |payout: &&Payout| payout.is_frozen && payout.settled.is_none();
    let frozen: Vec<_> = payouts.iter().filter(is_frozen).collect();
    let answered: Vec<&str> = fields.all(ANSWERED_FIELD).collect();
    let is_answered = |payout: &&Payout| answered.contains(&payout.no.get().to_string().as_str());
    if frozen.iter().all(is_answered) {
        return Ok(None);
    }
    let (t, money) = (desk.visit.messages(), desk.money(server));
    let mut draft = Draft::fresh(form.key.clone());
    for no in form.chosen.iter().flatten() {
        draft.fill("payout", no.to_string());
    }
    draft.fill("format", form.format.clone());
    draft.fill("execution", form.execution.clone());
    let mut facts = Vec::with_capacity(frozen.len());
    for payout in &frozen {
        let no = payout.no.get();
        draft.fill(ANSWERED_FIELD, no.to_string());
        let amount = money.amount(payout.amount.units());
        let said = t.files_frozen_payout(no, payout.name.as_str(), amount).plain();
        facts.push((t.console_status_frozen(), said));
    }
    let bar = desk.bar(server, Some(Place::Payouts));
    let question = Question {
        frame: desk.visit.frame(t.files_make()),
        t,
        bar: bar.html(),
        form_token: bar.form_token,
        text: t.files_frozen_question(frozen.len() as u64),
        explained: t.files_frozen_explained().into(),
        button: t.files_make_now(),
        action: "/console/payout-files".to_owned(),
        back: "/console/payouts".to_owned(),
    };
    let about = About { warning: None, facts };
    Ok(Some(steps::ask(&question, about, &draft)))
}

/// What is wrong, each payout by itself. Nothing: it is not about the form.
fn blame(error: &PayoutDeskError, desk: &Desk) -> Vec<Message> {
    let t = desk.visit.messages();
    let one = match error {
        PayoutDeskError::Destinations(wrong) => {
            let fault = |(no, reason): &(PayoutNo, DestinationError)| match reason {
                DestinationError::NoIban => t.files_no_iban(no.get()),
                DestinationError::Wrong(_) => t.files_wrong_iban(no.get()),
                DestinationError::Several => t.files_several_ibans(no.get()),
            };
            return wrong.iter().map(fault).collect();
        }
        PayoutDeskError::NoAccount | PayoutDeskError::Setting { .. } => t.files_no_account().into(),
        PayoutDeskError::Number => t.files_wrong_number(EXPORT_PAYOUTS_MAX),
        PayoutDeskError::Execution(today) => {
            let today = today.and_time(chrono::NaiveTime::MIN).and_utc();
            t.files_day_out_of_range(Moment::day(desk.visit.language, today).plain())
        }
        PayoutDeskError::NotOpen(no) => t.files_not_open(no.get()),
        PayoutDeskError::Exported(no, file) => t.files_in_other_file(no.get(), file.get()),
        PayoutDeskError::Amount { no, .. } => t.files_wrong_amount(no.get()),
        PayoutDeskError::Sum | PayoutDeskError::Transfers(_) => t.files_cannot_be_written().into(),
        PayoutDeskError::Ledger(_)
        | PayoutDeskError::Failed(..)
        | PayoutDeskError::Withdrawn(_)
        | PayoutDeskError::PaidExport(_)
        | PayoutDeskError::Paid(..)
        | PayoutDeskError::Unsettled(..)
        | PayoutDeskError::Unfinished(_)
        | PayoutDeskError::NeedsAnother(..)
        | PayoutDeskError::OtherRequest
        | PayoutDeskError::UnknownExport(_) => return Vec::new(),
    };
    vec![one]
}

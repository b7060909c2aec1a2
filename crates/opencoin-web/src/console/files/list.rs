//! The files that were made, the newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{ExportForm, ExportState, PayoutExport};
use opencoin_http::{Server, shown};
use opencoin_issuer::{AdminRight, Refusal};
use opencoin_ledger::bank::ExportNo;
use serde::Deserialize;

use crate::address::Query;
use crate::console::desk::{Bar, Desk, Place};
use crate::format::{Moment, Money};
use crate::messages::Messages;
use crate::visit::{Frame, PageResult, page};

/// The most files on a page.
const FILES_PER_PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "console/files/list.html")]
struct FilesPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    currency: String,
    files: Vec<FileLine>,
    earlier: Option<String>,
}

/// A file as a line of a list.
pub(super) struct FileLine {
    pub(super) no: u64,
    pub(super) at: Moment,
    pub(super) operator: String,
    pub(super) format: &'static str,
    pub(super) payouts: String,
    pub(super) amount: String,
    pub(super) state: ExportState,
    pub(super) ended: Option<Moment>,
}

/// Which files are shown.
#[derive(Deserialize)]
pub(super) struct Asked {
    /// Files below this one.
    before: Option<i64>,
}

/// `GET /console/payout-files`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(asked): Query<Asked>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let before = asked.before.map(ExportNo::new);
    let found = server
        .issuer()
        .payout_desk()
        .exports(before, FILES_PER_PAGE)
        .await;
    let found = found.map_err(Refusal::from)?;
    let is_full = found.len() >= FILES_PER_PAGE as usize;
    let last = found.last().filter(|_| is_full);
    let earlier = last.map(|last| format!("/console/payout-files?before={}", last.no.get()));
    let money = desk.money(&server);
    let files = FilesPage {
        frame: desk.visit.frame(t.files_files()),
        t,
        bar: desk.bar(&server, Some(Place::Payouts)),
        currency: money.name(),
        files: found
            .into_iter()
            .map(|export| line(&shown::payout_export(export), &money, &desk))
            .collect(),
        earlier,
    };
    Ok(page(StatusCode::OK, language, &files))
}

pub(super) fn line(export: &PayoutExport, money: &Money, desk: &Desk) -> FileLine {
    let (language, t) = (desk.visit.language, desk.visit.messages());
    FileLine {
        no: export.id,
        at: Moment::minute(language, export.at),
        operator: export.operator.clone(),
        format: match export.format {
            ExportForm::Pain001 => t.files_pain(),
            ExportForm::Csv => t.files_table(),
        },
        payouts: language.number(u64::from(export.payouts)),
        amount: money.number(export.amount),
        state: export.state,
        ended: export.ended_at.map(|at| Moment::minute(language, at)),
    }
}

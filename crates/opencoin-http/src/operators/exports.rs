//! Files of payouts for the bank.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION};
use axum::http::{Response, StatusCode};
#[cfg(feature = "openapi")]
use opencoin_api::shapes;
use opencoin_api::{
    ExportForm, ExportPayouts, ExportState, ExportedPayouts, PaidExport, PayoutExport, PayoutExports,
};
use opencoin_issuer::accounts::{Page, page_length};
use opencoin_issuer::{ExportRequest, ExportedFile, PayoutDeskError, Reason, Refusal};
use opencoin_ledger::PayoutNo;
use opencoin_ledger::bank::{self, ExportFormat, ExportNo};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::operator::{Admin, ChangesAccounts, ReadsAccounts};
use crate::accounts::convert::{self, moment, number};
use crate::json::{HandlerResult, Idempotent, Json, Parameters, PathParameter, Problem, created, document};
#[cfg(feature = "openapi")]
use crate::problems::{
    Decided, Forbidden, Invalid, Malformed, NotFound, TooLarge, Unauthorized, Unavailable,
};

/// The page of exports.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct NewestExports {
    /// The id below which the page begins. Without it the page has the newest exports.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Cursor>, inline))]
    before: Option<u64>,
    /// The most exports of the page.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    limit: Option<u32>,
}

/// Make a file of payouts for the bank. Each payout is in one file at most. The same request again, with the same key, gets
/// the same bytes.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/payouts/exports", tag = "admin", request_body = ExportPayouts,
    params(("Idempotency-Key" = inline(shapes::IdempotencyKey), Header)),
    responses((status = 201, description = "The file. Location has its path.", content(
            (inline(shapes::FileContent) = "application/xml"), (inline(shapes::FileContent) = "text/csv"))),
        (status = 200, description = "The file, which was made before.", content(
            (inline(shapes::FileContent) = "application/xml"), (inline(shapes::FileContent) = "text/csv"))),
        Malformed, Unauthorized, Forbidden, Decided, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn make(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    Idempotent(key): Idempotent,
    Json(wanted): Json<ExportPayouts>,
) -> HandlerResult {
    let payouts = wanted.payouts.iter();
    let payouts = payouts.map(|id| number("payouts", *id).map(PayoutNo::new));
    let request = ExportRequest {
        key,
        payouts: payouts.collect::<Result<_, _>>()?,
        format: match wanted.format {
            ExportForm::Pain001 => ExportFormat::Pain001,
            ExportForm::Csv => ExportFormat::Csv,
        },
        execution: wanted.execution,
    };
    let exported = admin.payout_desk().acting(&operator).export(request).await?;
    file(exported)
}

/// The files that were made, the newest first.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/payouts/exports", tag = "admin", params(NewestExports),
    responses((status = 200, description = "One page.", body = PayoutExports),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn list(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    Parameters(page): Parameters<NewestExports>,
) -> HandlerResult {
    let before = page.before.map(|before| number("before", before)).transpose()?;
    let limit = page_length(page.limit)?;
    let found = admin
        .payout_desk()
        .exports(before.map(ExportNo::new), limit)
        .await?;
    let Page { items, is_full } = Page::new(found, limit);
    let exports: Vec<_> = items.into_iter().map(payout_export).collect();
    let before = exports.last().filter(|_| is_full).map(|last| last.id);
    document(StatusCode::OK, &PayoutExports { exports, before })
}

/// A file that was made before, byte for byte; 409 if it was withdrawn, or one of its payouts has failed meanwhile.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/payouts/exports/{id}", tag = "admin",
    params(("id" = inline(shapes::ExportId), Path, description = "The export.")),
    responses((status = 200, description = "The file.", content(
            (inline(shapes::FileContent) = "application/xml"), (inline(shapes::FileContent) = "text/csv"))),
        Unauthorized, Forbidden, NotFound, Decided, Unavailable)
))]
pub(crate) async fn show(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    file(admin.payout_desk().file(export_no(&id)?).await?)
}

/// What a file has in it, also if it was withdrawn.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/payouts/exports/{id}/payouts", tag = "admin",
    params(("id" = inline(shapes::ExportId), Path, description = "The export.")),
    responses((status = 200, description = "The file and its payouts.", body = ExportedPayouts),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn payouts(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let (export, payouts) = admin.payout_desk().export(export_no(&id)?).await?;
    let exported = ExportedPayouts {
        export: payout_export(export),
        payouts: payouts.into_iter().map(convert::operators_payout).collect(),
    };
    document(StatusCode::OK, &exported)
}

/// Withdraw a file that was never sent to the bank. It is not given out again, and its payouts can be in another file.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/payouts/exports/{id}/withdraw", tag = "admin",
    params(("id" = inline(shapes::ExportId), Path, description = "The export.")),
    responses((status = 201, description = "It was withdrawn.", body = PayoutExport),
        (status = 200, description = "It was withdrawn before.", body = PayoutExport),
        Unauthorized, Forbidden, NotFound, Decided, Unavailable)
))]
pub(crate) async fn withdraw(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let desk = admin.payout_desk();
    let (export, repeated) = desk.acting(&operator).withdraw(export_no(&id)?).await?;
    document(created(repeated), &payout_export(export))
}

/// Record that the bank has paid a file. Each of its payouts that waits is paid, with the id of the message as the
/// reference. A repetition settles what an interrupted request has left.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/payouts/exports/{id}/paid", tag = "admin",
    params(("id" = inline(shapes::ExportId), Path, description = "The export.")),
    responses((status = 201, description = "It was recorded.", body = PaidExport),
        (status = 200, description = "It was recorded before.", body = PaidExport),
        Unauthorized, Forbidden, NotFound, Decided, Unavailable)
))]
pub(crate) async fn paid(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let desk = admin.payout_desk();
    let paid = desk.acting(&operator).pay(export_no(&id)?).await?;
    document(created(paid.repeated), &paid_export(paid))
}

fn export_no(id: &str) -> Result<ExportNo, Refusal> {
    let not_found = || Refusal::new(Reason::NotFound, "there is no such export");
    let number = id.parse::<u64>().ok().and_then(|id| i64::try_from(id).ok());
    number.map(ExportNo::new).ok_or_else(not_found)
}

/// The answer with a file. A browser saves it and does not show it.
fn file(exported: ExportedFile) -> HandlerResult {
    let ExportedFile {
        export,
        file,
        repeated,
    } = exported;
    let (content_type, extension) = match export.format {
        ExportFormat::Pain001 => ("application/xml", "xml"),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "csv"),
    };
    let no = export.no.get();
    let ascii = |text: String| HeaderValue::from_str(&text).expect("digits and letters are a header");
    let mut response = Response::new(Body::from(file));
    *response.status_mut() = created(repeated);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let name = format!("attachment; filename=\"payouts-{no}.{extension}\"");
    headers.insert(CONTENT_DISPOSITION, ascii(name));
    headers.insert(LOCATION, ascii(format!("/v1/admin/payouts/exports/{no}")));
    Ok(response)
}

/// What is known of a file.
#[must_use]
pub fn payout_export(export: bank::PayoutExport) -> PayoutExport {
    PayoutExport {
        id: export.no.get().unsigned_abs(), // numbers begin at 1
        format: match export.format {
            ExportFormat::Pain001 => ExportForm::Pain001,
            ExportFormat::Csv => ExportForm::Csv,
        },
        message_id: export.message_id,
        payouts: export.payouts,
        amount: export.amount.units(),
        operator: export.operator.as_str().to_owned(),
        at: moment(export.at),
        state: match export.state {
            bank::ExportState::Made => ExportState::Made,
            bank::ExportState::Settling => ExportState::Settling,
            bank::ExportState::Paid => ExportState::Paid,
            bank::ExportState::Withdrawn => ExportState::Withdrawn,
        },
        ended_at: export.ended_at.map(moment),
    }
}

/// What became of the payouts of a file that the bank has paid.
#[must_use]
pub fn paid_export(paid: opencoin_issuer::PaidExport) -> PaidExport {
    PaidExport {
        export: payout_export(paid.export),
        paid: u32::try_from(paid.paid).unwrap_or(u32::MAX),
        failed: paid.failed.iter().map(|no| no.get().unsigned_abs()).collect(),
    }
}

impl From<PayoutDeskError> for Problem {
    fn from(error: PayoutDeskError) -> Self {
        Refusal::from(error).into()
    }
}

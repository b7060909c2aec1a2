//! A file, byte for byte.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, ExportedFile, Reason, Refusal};
use opencoin_ledger::bank::{ExportFormat, ExportNo};

use crate::address::Path;
use crate::console::desk::Desk;
use crate::visit::PageResult;

/// The number in a path.
pub(super) fn number(no: &str) -> Result<ExportNo, Refusal> {
    let not_found = |_| Refusal::new(Reason::NotFound, "there is no such file");
    no.parse().map(ExportNo::new).map_err(not_found)
}

/// `GET /console/payout-files/{no}/download`. A browser saves it and does not show it.
pub(super) async fn download(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(no): Path<String>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadAccounts)?;
    let found = server.issuer().payout_desk().file(number(&no)?).await;
    let ExportedFile { export, file, .. } = found.map_err(Refusal::from)?;
    let (content_type, extension) = match export.format {
        ExportFormat::Pain001 => ("application/xml", "xml"),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "csv"),
    };
    let name = format!("attachment; filename=\"payouts-{}.{extension}\"", export.no.get());
    let mut response = Response::new(Body::from(file));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let name = HeaderValue::try_from(name).expect("digits and letters are a header");
    headers.insert(CONTENT_DISPOSITION, name);
    Ok(response)
}

//! The form with which a statement is uploaded.
//!
//! CAMT.053 needs nothing but the file. The columns of a table are those that were typed for the newest booked table, or else
//! those of the settings, and can be changed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use opencoin_bank::statement::{LINES_MAX, StatementError, StatementFormat};
use opencoin_http::Server;
use opencoin_issuer::accounts::text;
use opencoin_issuer::{AdminRight, Reason, Refusal, StatementFile, StatementUploadError};
use opencoin_ledger::{Reference, TEXT_CHARS_MAX};
use opencoin_text::printable;
use sha2::{Digest, Sha256};

use crate::console::desk::Desk;
use crate::fault::Fault;
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::Draft;
use crate::visit::{Failure, PageResult, see_other};

use super::columns::{self, FIELDS, Known};
use super::statements::{self, Asked};

/// `POST /console/bank`: stores a statement. Nothing is booked.
pub(super) async fn store(
    State(server): State<Arc<Server>>,
    desk: Desk,
    headers: HeaderMap,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let t = desk.visit.messages();
    let upload = match desk.upload(&server, &headers, body).await {
        Ok(upload) => upload,
        Err(refusal) if refusal.reason == Reason::TooLarge => {
            let text = t.bank_file_too_large(columns::size_max(&server));
            let fault = Fault::new(text).then(t.bank_send_again());
            let again = (None, Some(fault), None, StatusCode::PAYLOAD_TOO_LARGE);
            return statements::shown(&server, &desk, Asked::default(), again).await;
        }
        Err(refusal) => return Err(refusal.into()),
    };
    // The memory is another request's when this one is done.
    let _share = upload.share;
    let (mut draft, mut sent) = Draft::of(&upload.fields, &FIELDS)?;
    let format = StatementFormat::detect(&upload.content);
    let columns = match format {
        StatementFormat::Csv => Known::of(&server).await?.read(&mut draft, t),
        StatementFormat::Camt053 => server.issuer().bank_desk().settings().columns.clone(),
    };
    let is_wrong = FIELDS.iter().any(|name| draft.fault(name).is_some());
    if upload.content.is_empty() || is_wrong {
        let fault = is_wrong.then(|| t.bank_wrong_columns().into());
        let fault = fault.unwrap_or_else(|| Message::from(t.bank_no_file()));
        let again = (
            Some(draft),
            Some(Fault::new(fault).then(t.bank_choose_again())),
            None,
            StatusCode::UNPROCESSABLE_ENTITY,
        );
        return statements::shown(&server, &desk, Asked::default(), again).await;
    }
    let digest = const_hex::encode(Sha256::digest(&upload.content));
    sent.content.push(("file", digest));
    let file = StatementFile {
        name: file_name(&upload.name)?,
        format: None,
        columns,
        content: upload.content,
    };
    let (bank, mut fault) = (server.issuer().bank_desk(), None);
    let work = async {
        let uploaded = bank.acting(&desk.operator.name).upload(file).await;
        let (statement, is_new) = uploaded.map_err(|error| {
            fault = blame(&error, (&server, format), &mut draft, t);
            Refusal::from(error)
        })?;
        let no = statement.no.get();
        Ok(Note::StatementUploaded { no, is_new })
    };
    if let Err(refusal) = desk.once(&sent, work).await {
        let fault = fault.ok_or_else(|| Failure::from(refusal.clone()))?;
        let fault = Fault::new(fault).then(t.bank_choose_again()).detailed(&refusal);
        let again = (Some(draft), Some(fault), None, StatusCode::UNPROCESSABLE_ENTITY);
        return statements::shown(&server, &desk, Asked::default(), again).await;
    }
    let key = sent.key.as_str();
    let path = match desk.session.note(key).await {
        Some(Note::StatementUploaded { no, .. }) => format!("/console/bank/statements/{no}?done={key}"),
        _ => "/console/bank".to_owned(),
    };
    Ok(see_other(&path))
}

/// The last part of the name, without characters that mislead.
fn file_name(name: &str) -> Result<Reference, Refusal> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = printable(name.trim()).chars().take(TEXT_CHARS_MAX).collect();
    let name = if name.is_empty() {
        "statement".to_owned()
    } else {
        name
    };
    text("name", &name)
}

/// What is wrong with the file, in words. `None`: it is not about the file.
fn blame(
    error: &StatementUploadError,
    (server, format): (&Server, StatementFormat),
    draft: &mut Draft,
    t: Messages,
) -> Option<Message> {
    let error = match error {
        StatementUploadError::Statement(error) => error,
        StatementUploadError::NoAccount => return Some(t.bank_no_account().into()),
        StatementUploadError::Setting { key, .. } => {
            let name = FIELDS.iter().find(|name| *name == key)?;
            draft.blame(name, t.bank_wrong_choice());
            return Some(t.bank_wrong_columns().into());
        }
        StatementUploadError::Ledger(_) => return None,
    };
    let is_table = format == StatementFormat::Csv;
    Some(match error {
        StatementError::TooLarge => t.bank_file_too_large(columns::size_max(server)),
        StatementError::TooManyLines => t.bank_file_too_many_lines(t.language.number(LINES_MAX as u64)),
        StatementError::Archive => t.bank_file_archive().into(),
        StatementError::Encoding(_) if !is_table => t.bank_file_other_encoding().into(),
        StatementError::UnknownEncoding(_) => t.bank_file_other_encoding().into(),
        StatementError::Encoding(_) => {
            draft.blame("encoding", t.bank_other_encoding());
            t.bank_file_encoding().into()
        }
        StatementError::NoColumns => {
            for name in ["day", "amount", "text"] {
                if draft.value(name).is_empty() {
                    draft.blame(name, t.bank_name_column());
                }
            }
            t.bank_file_no_columns().into()
        }
        StatementError::NoHeader(names) => {
            let names: Vec<String> = names.iter().map(|name| printable(name)).collect();
            draft.blame("day", t.bank_compare_columns());
            t.bank_file_no_header(names.join(", "))
        }
        StatementError::TooManyColumns(most) => {
            draft.blame("text", t.bank_too_many_columns(*most));
            t.bank_wrong_columns().into()
        }
        StatementError::Entry { entry, .. } => t.bank_file_entry(entry),
        StatementError::Row { row, .. } => t.bank_file_row(row),
        StatementError::Xml { line, .. } => t.bank_file_damaged(line),
        StatementError::Entity { line, .. }
        | StatementError::TooDeep { line }
        | StatementError::TextTooLong { line }
        | StatementError::TooManyElements { line } => t.bank_file_strange(line),
        StatementError::Doctype => t.bank_file_doctype().into(),
        StatementError::OtherDocument(_) => t.bank_file_other().into(),
        StatementError::NoStatement => t.bank_file_empty().into(),
    })
}

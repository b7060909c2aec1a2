//! New keys: made here with the passphrase of the master key, or requested from a master key on another machine, whose
//! answer is brought back as a file.
//!
//! The passphrase stands in the form of the second step alone. It is in no page, no session and no log.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, Response, StatusCode};
use chrono::{DateTime, Utc};
use opencoin_http::Server;
use opencoin_issuer::{
    AdminRight, ImportedKeys, KeyMakingState, KeyPlace, MadeKeys, MintKeysOverview, PendingRequest, Reason,
    Refusal,
};
use opencoin_text::printable;
use zeroize::Zeroizing;

use super::desk::{After, Bar, Desk, Place};
use crate::format::{Moment, Money};
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::steps::{SentKey, sent_key};
use crate::visit::{Failure, Frame, PageResult, page, see_other};

/// The page of the request that waits for the master key.
const WAITING: &str = "/console/keys/request";
const KEYS: &str = "/console/keys";
/// The name of the file with the request.
const REQUEST_FILE: &str = "attachment; filename=\"pending.json\"";

#[derive(Template)]
#[template(path = "console/new_keys.html")]
struct MakePage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    /// What is made: a line for each value of coins.
    values: Vec<Message>,
    place: KeyPlace,
    /// Whether a request waits, which is finished now.
    goes_on: bool,
    fault: Option<&'static str>,
    key: String,
}

#[derive(Template)]
#[template(path = "console/key_request.html")]
struct WaitingPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    done: Option<Message>,
    request: Option<Waiting>,
    /// Why a file was not taken, and the same in technical words.
    fault: Option<(&'static str, String)>,
    may_change: bool,
    key: String,
}

/// A request that waits, as the page shows it.
struct Waiting {
    values: Vec<Message>,
    changes_description: bool,
    fingerprint: String,
    import_by: Option<Moment>,
}

/// What the page of the keys says about new ones.
pub(super) struct NewKeys {
    pub(super) place: KeyPlace,
    pub(super) is_due: bool,
    pub(super) has_request: bool,
}

/// What the page of the keys says about new ones; `None` if this server makes none.
///
/// # Errors
/// When the folder of the currency cannot be read.
pub(super) async fn new_keys(server: &Server, keys: &MintKeysOverview) -> Result<Option<NewKeys>, Refusal> {
    let state = match server.issuer().key_making_state().await {
        Err(refusal) if refusal.reason == Reason::NotFound => return Ok(None),
        state => state?,
    };
    Ok(Some(NewKeys {
        place: state.place,
        is_due: keys.rotations_due() > 0,
        has_request: state.pending.is_some(),
    }))
}

fn lines(keys: &[(u64, DateTime<Utc>)], money: &Money, desk: &Desk) -> Vec<Message> {
    let t = desk.visit.messages();
    let line = |(value, begins): &(u64, DateTime<Utc>)| {
        let begins = Moment::minute(desk.visit.language, *begins).plain();
        t.keys_new_line(money.amount(*value), begins)
    };
    keys.iter().map(line).collect()
}

async fn make_page(
    server: &Server,
    desk: &Desk,
    key: String,
    fault: Option<&'static str>,
) -> Result<Option<MakePage>, Failure> {
    let (t, money) = (desk.visit.messages(), desk.money(server));
    let KeyMakingState { place, pending } = server.issuer().key_making_state().await?;
    let overview = server.issuer().mint_key_overview().await?;
    let due = overview.rotations.iter().filter(|(_, due)| **due <= overview.at);
    let values = match &pending {
        Some(request) => lines(&request.mint_keys, &money, desk),
        None => due
            .map(|(value, _)| t.keys_coins_of(money.amount(*value)))
            .collect(),
    };
    // A description alone may be what waits.
    if values.is_empty() && pending.is_none() {
        return Ok(None);
    }
    Ok(Some(MakePage {
        frame: desk.visit.frame(t.keys_make()),
        t,
        bar: desk.bar(server, Some(Place::Keys)),
        values,
        place,
        goes_on: pending.is_some(),
        fault,
        key,
    }))
}

/// `GET /console/keys/new`.
pub(super) async fn show(State(server): State<Arc<Server>>, desk: Desk) -> PageResult {
    desk.needs(&server, AdminRight::ChangeKeys)?;
    Ok(match make_page(&server, &desk, desk.new_key(), None).await? {
        Some(form) => page(StatusCode::OK, desk.visit.language, &form),
        None => see_other(KEYS),
    })
}

/// `POST /console/keys/new`: makes the keys that are due, or requests them.
pub(super) async fn make(State(server): State<Arc<Server>>, desk: Desk, body: Body) -> PageResult {
    desk.needs(&server, AdminRight::ChangeKeys)?;
    let fields = desk.form(&server, body).await?;
    let sent = SentKey {
        key: sent_key(&fields)?,
        content: Vec::new(),
    };
    let typed = fields.text("passphrase");
    let passphrase = (!typed.is_empty()).then(|| Zeroizing::new(typed.to_owned()));
    let issuer = server.issuer();
    let work = async {
        Ok(
            match issuer.make_mint_keys(&desk.operator.name, passphrase).await? {
                MadeKeys::Nothing => Note::NothingDue,
                MadeKeys::Waits(_) => Note::KeysRequested,
                MadeKeys::Done(made) => note(&made),
            },
        )
    };
    match desk.once(&sent, work).await {
        Ok(()) => {}
        Err(refusal) if refusal.description.starts_with("master_passphrase") => {
            let t = desk.visit.messages();
            let fault = Some(t.keys_wrong_passphrase());
            let form = make_page(&server, &desk, sent.key.as_str().to_owned(), fault).await?;
            return Ok(match form {
                Some(form) => page(StatusCode::UNPROCESSABLE_ENTITY, desk.visit.language, &form),
                None => see_other(KEYS),
            });
        }
        Err(refusal) => return Err(refusal.into()),
    }
    let waits = issuer.key_making_state().await?.pending.is_some();
    let next = if waits { WAITING } else { KEYS };
    Ok(see_other(&format!("{next}?done={}", sent.key.as_str())))
}

/// What was taken, as the next page says it.
fn note(imported: &ImportedKeys) -> Note {
    Note::KeysMade {
        count: imported.mint_keys.len() as u64,
        late: imported.late as u64,
        is_new: imported.is_new,
    }
}

async fn waiting_page(
    server: &Server,
    desk: &Desk,
    key: String,
    fault: Option<(&'static str, String)>,
) -> Result<WaitingPage, Failure> {
    let (t, money) = (desk.visit.messages(), desk.money(server));
    let pending = server.issuer().key_making_state().await?.pending;
    let described = |request: PendingRequest| Waiting {
        values: lines(&request.mint_keys, &money, desk),
        changes_description: request.changes_description,
        fingerprint: request.fingerprint,
        import_by: request
            .import_by
            .map(|by| Moment::minute(desk.visit.language, by)),
    };
    Ok(WaitingPage {
        frame: desk.visit.frame(t.keys_request()),
        t,
        bar: desk.bar(server, Some(Place::Keys)),
        done: None,
        request: pending.map(described),
        fault,
        may_change: desk.may(AdminRight::ChangeKeys),
        key,
    })
}

/// `GET /console/keys/request`.
pub(super) async fn show_request(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Query(after): Query<After>,
) -> PageResult {
    desk.needs(&server, AdminRight::ReadKeys)?;
    let mut waiting = waiting_page(&server, &desk, desk.new_key(), None).await?;
    waiting.done = desk.said(&after, &desk.money(&server)).await;
    Ok(page(StatusCode::OK, desk.visit.language, &waiting))
}

/// `GET /console/keys/pending.json`: the request as a file.
pub(super) async fn download(State(server): State<Arc<Server>>, desk: Desk) -> PageResult {
    desk.needs(&server, AdminRight::ReadKeys)?;
    let none = || Refusal::new(Reason::NotFound, "no request waits for the master key");
    let pending = server.issuer().key_making_state().await?.pending;
    let mut response = Response::new(Body::from(pending.ok_or_else(none)?.file));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(REQUEST_FILE));
    Ok(response)
}

/// `POST /console/keys/request`: takes the file that the master key has signed.
pub(super) async fn bring(
    State(server): State<Arc<Server>>,
    desk: Desk,
    headers: HeaderMap,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeKeys)?;
    let upload = desk.upload(&server, &headers, body).await?;
    let sent = SentKey {
        key: sent_key(&upload.fields)?,
        content: Vec::new(),
    };
    let work = async {
        let imported = server
            .issuer()
            .import_certificates(&desk.operator.name, &upload.content)
            .await?;
        Ok(note(&imported))
    };
    let t = desk.visit.messages();
    match desk.once(&sent, work).await {
        Ok(()) => Ok(see_other(&format!("{KEYS}?done={}", sent.key.as_str()))),
        Err(refusal) if matches!(refusal.reason, Reason::Invalid | Reason::TooLarge) => {
            let fault = Some((t.keys_file_refused(), printable(&refusal.description)));
            let waiting = waiting_page(&server, &desk, sent.key.as_str().to_owned(), fault).await?;
            Ok(page(
                StatusCode::UNPROCESSABLE_ENTITY,
                desk.visit.language,
                &waiting,
            ))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

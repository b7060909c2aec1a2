//! New keys: made here with the passphrase of the master key, or requested from a master key on another machine, whose
//! answer is brought back as a file.
//!
//! The passphrase stands in the form of the second step alone. It is in no page, no session and no log.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, Response, StatusCode};
use chrono::{DateTime, Utc};
use opencoin_http::Server;
use opencoin_issuer::{
    AdminRight, ImportedKeys, KeyMakingError, KeyMakingState, KeyPlace, MadeKeys, MintKeysOverview, Pending,
    PendingRequest, Reason, Refusal,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::desk::{After, Bar, Desk, Done, Place};
use crate::address::Query;
use crate::fault::Fault;
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
    /// The folder of the currency, as a command has it.
    folder: String,
    /// Whether a new description of the currency is signed as well.
    changes_description: bool,
    /// The fingerprint of the request that waits, which is finished now.
    request: Option<String>,
    /// Whether it is too late for it.
    is_in_vain: bool,
    /// What is wrong with the passphrase.
    fault: Option<Message>,
    /// Why what was sent before was not done.
    has_changed: bool,
    key: String,
}

#[derive(Template)]
#[template(path = "console/key_request.html")]
struct WaitingPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    done: Option<Done>,
    request: Option<Waiting>,
    /// Whether a request waits that cannot be read.
    is_unreadable: bool,
    /// Whether requests wait on the machine of the signer.
    is_remote: bool,
    /// Why a file was not taken.
    fault: Option<Fault>,
    may_change: bool,
    key: String,
}

/// A request that waits, as the pages show it.
pub(super) struct Waiting {
    pub(super) values: Vec<Message>,
    pub(super) changes_description: bool,
    pub(super) fingerprint: String,
    import_by: Option<Moment>,
    /// Whether the time for some keys, or for everything in it, is over.
    is_overdue: bool,
    is_in_vain: bool,
}

impl Waiting {
    pub(super) fn of(request: PendingRequest, server: &Server, desk: &Desk) -> Self {
        let minute = |by| Moment::minute(desk.visit.language, by);
        Self {
            values: lines(&request.mint_keys, &desk.money(server), desk),
            changes_description: request.changes_description,
            fingerprint: request.fingerprint,
            import_by: request.import_by.map(minute),
            is_overdue: request.is_overdue,
            is_in_vain: request.is_in_vain,
        }
    }
}

/// What the page of the keys says about new ones.
pub(super) struct NewKeys {
    pub(super) place: KeyPlace,
    pub(super) is_due: bool,
    pub(super) has_request: bool,
    /// Whether something about them cannot be read.
    pub(super) is_unreadable: bool,
}

/// What the page of the keys says about new ones; `None` if this server makes none. Keys can be stopped even if nothing is
/// known about new ones, so this does not fail.
pub(super) async fn new_keys(server: &Server, keys: &MintKeysOverview) -> Option<NewKeys> {
    let (place, pending) = match server.issuer().key_making_state().await {
        Ok(state) => (state.place, state.pending),
        Err(refusal) if refusal.reason == Reason::NotFound => return None,
        Err(_) => (KeyPlace::MasterElsewhere, Pending::Unreadable),
    };
    Some(NewKeys {
        place,
        is_due: keys.rotations_due() > 0,
        has_request: matches!(pending, Pending::Request(_)),
        is_unreadable: pending == Pending::Unreadable,
    })
}

fn lines(keys: &[(u64, DateTime<Utc>)], money: &Money, desk: &Desk) -> Vec<Message> {
    let t = desk.visit.messages();
    let line = |(value, begins): &(u64, DateTime<Utc>)| {
        let begins = Moment::minute(desk.visit.language, *begins);
        t.keys_new_line(money.amount(*value), begins)
    };
    keys.iter().map(line).collect()
}

/// A path as a shell reads it.
fn in_a_command(path: &std::path::Path) -> String {
    let path = path.display().to_string();
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+".contains(character);
    if path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', "'\\''"))
}

async fn make_page(
    server: &Server,
    desk: &Desk,
    key: String,
    fault: Option<Message>,
) -> Result<Option<MakePage>, Failure> {
    let (t, money) = (desk.visit.messages(), desk.money(server));
    let KeyMakingState {
        place,
        folder,
        pending,
    } = server.issuer().key_making_state().await?;
    let overview = server.issuer().mint_key_overview().await?;
    let due = overview.rotations.iter().filter(|(_, due)| **due <= overview.at);
    let is_in_vain = matches!(&pending, Pending::Request(request) if request.is_in_vain);
    let (values, changes_description, request) = match pending {
        Pending::Request(request) => (
            lines(&request.mint_keys, &money, desk),
            request.changes_description,
            Some(request.fingerprint),
        ),
        Pending::Nothing => {
            let coins = |(value, _): (&u64, _)| t.keys_coins_of(money.amount(*value));
            (due.map(coins).collect(), false, None)
        }
        Pending::Unreadable => return Ok(None),
    };
    // A description alone may be what waits.
    if values.is_empty() && request.is_none() {
        return Ok(None);
    }
    Ok(Some(MakePage {
        frame: desk.visit.frame(t.keys_make()),
        t,
        bar: desk.bar(server, Some(Place::Keys)),
        values,
        place,
        folder: in_a_command(&folder),
        changes_description,
        request,
        is_in_vain,
        fault,
        has_changed: false,
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
    let seen = fields.trimmed("request").to_owned();
    let sent = SentKey {
        key: sent_key(&fields)?,
        content: vec![("request", seen.clone())],
    };
    let typed = fields.text("passphrase");
    let passphrase = (!typed.is_empty()).then(|| Zeroizing::new(typed.to_owned()));
    let seen = (!seen.is_empty()).then_some(seen);
    let (issuer, mut failed) = (server.issuer(), None);
    let work = async {
        let made = issuer.make_mint_keys(&desk.operator.name, passphrase, seen).await;
        let made = made.map_err(|error| {
            failed = Some(error.clone());
            Refusal::from(error)
        })?;
        Ok(match made {
            MadeKeys::Nothing => Note::NothingDue,
            MadeKeys::Waits(_) => Note::KeysRequested,
            MadeKeys::Done(made) => note(&made),
        })
    };
    if let Err(refusal) = desk.once(&sent, work).await {
        let (t, mut has_changed) = (desk.visit.messages(), false);
        let (status, fault) = match failed {
            Some(KeyMakingError::PassphraseMissing | KeyMakingError::PassphraseWrong) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Some(t.keys_wrong_passphrase().into()),
            ),
            Some(KeyMakingError::RequestChanged) => {
                has_changed = true;
                (StatusCode::CONFLICT, None)
            }
            Some(KeyMakingError::Refused(Refusal {
                reason: Reason::TooManyRequests,
                retry_after_s: Some(wait_s),
                ..
            })) => (
                StatusCode::TOO_MANY_REQUESTS,
                Some(t.keys_passphrase_wait(wait_s.into())),
            ),
            Some(KeyMakingError::Refused(_)) | None => return Err(refusal.into()),
        };
        // The page shows, and its form names, what would be signed now.
        let form = make_page(&server, &desk, sent.key.as_str().to_owned(), fault).await?;
        return Ok(match form {
            Some(form) => page(status, desk.visit.language, &MakePage { has_changed, ..form }),
            None => see_other(KEYS),
        });
    }
    let pending = issuer.key_making_state().await?.pending;
    let next = match pending {
        Pending::Request(_) => WAITING,
        Pending::Nothing | Pending::Unreadable => KEYS,
    };
    Ok(see_other(&format!("{next}?done={}", sent.key.as_str())))
}

/// What was taken, as the next page says it.
fn note(imported: &ImportedKeys) -> Note {
    Note::KeysMade {
        count: imported.mint_keys.len() as u64,
        late: imported.late as u64,
        has_description: imported.description.is_some(),
        is_new: imported.is_new,
    }
}

async fn waiting_page(
    server: &Server,
    desk: &Desk,
    key: String,
    fault: Option<Fault>,
) -> Result<WaitingPage, Failure> {
    let t = desk.visit.messages();
    let KeyMakingState { place, pending, .. } = server.issuer().key_making_state().await?;
    let is_unreadable = pending == Pending::Unreadable;
    let pending = match pending {
        Pending::Request(request) => Some(request),
        Pending::Nothing | Pending::Unreadable => None,
    };
    Ok(WaitingPage {
        frame: desk.visit.frame(t.keys_request()),
        t,
        bar: desk.bar(server, Some(Place::Keys)),
        done: None,
        request: pending.map(|request| Waiting::of(request, server, desk)),
        is_unreadable,
        is_remote: place == KeyPlace::AtRemoteSigner,
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
    let mut response = Response::new(Body::from(pending.request()?.ok_or_else(none)?.file));
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
        content: vec![("file", const_hex::encode(Sha256::digest(&upload.content)))],
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
            let fault = Some(Fault::new(t.keys_file_refused()).detailed(&refusal));
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

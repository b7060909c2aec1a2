//! Start codes. A code is shown until the operator says that the holder has it, at most as long as their session lasts. It
//! is nowhere else, so whoever loses it issues another one.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use opencoin_http::Server;
use opencoin_issuer::accounts::account_name;
use opencoin_issuer::{AdminRight, Refusal, StartCode};
use opencoin_ledger::{AccountName, LedgerTime};
use zeroize::Zeroizing;

use super::desk::{Bar, Desk, Place};
use crate::address::Path;
use crate::format::Moment;
use crate::messages::Messages;
use crate::notes::Note;
use crate::public::address;
use crate::sessions::WaitingCode;
use crate::steps::{About, Draft, Question, SentKey, ask, sent_key};
use crate::visit::{Frame, PageResult, page, see_other};

#[derive(Template)]
#[template(path = "console/code.html")]
struct CodePage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    name: String,
    /// Where the holder uses the code.
    address: String,
    /// The code, and when it ends.
    code: Option<(Zeroizing<String>, Moment)>,
    /// The idempotency key of its forms.
    key: String,
}

/// The address of the page that shows the code of an account.
pub(super) fn path(name: &AccountName) -> String {
    format!("/console/accounts/{}/code", name.as_str())
}

/// Keeps an issued code for its page.
pub(super) fn keep(desk: &Desk, name: &AccountName, (code, expires): (StartCode, LedgerTime)) -> Note {
    desk.session.keep_code(WaitingCode {
        account: name.as_str().to_owned(),
        code,
        expires,
    });
    Note::CodeIssued
}

/// `GET /console/accounts/{name}/code`.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(name): Path<String>,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let (language, t) = (desk.visit.language, desk.visit.messages());
    let name = account_name(&name)?;
    let code = desk.session.code(name.as_str());
    let code = CodePage {
        frame: desk.visit.frame(t.console_code_of(name.as_str()).plain()),
        t,
        bar: desk.bar(&server, Some(Place::Accounts)),
        name: name.as_str().to_owned(),
        address: start_address(&server, &name),
        code: code.map(|code| {
            let ends = DateTime::from_timestamp_micros(code.expires.unix_micros());
            let ends = Moment::day(language, ends.unwrap_or(DateTime::<Utc>::MAX_UTC));
            (code.code.expose(), ends)
        }),
        key: desk.new_key(),
    };
    Ok(page(StatusCode::OK, language, &code))
}

/// The page on which a holder uses a start code.
fn start_address(server: &Server, name: &AccountName) -> String {
    let currency = server.issuer().currency();
    let site = address(currency.current().cdd());
    format!(
        "{}/account/start?name={}",
        site.trim_end_matches('/'),
        name.as_str()
    )
}

/// `GET /console/accounts/{name}/code/new`: asks whether a new code is wanted.
pub(super) async fn ask_issue(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(name): Path<String>,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let t = desk.visit.messages();
    let name = account_name(&name)?;
    let profile = server.issuer().cashier().account(&name).await;
    profile.map_err(Refusal::from)?;
    let bar = desk.bar(&server, Some(Place::Accounts));
    let question = Question {
        frame: desk.visit.frame(name.as_str()),
        t,
        bar: bar.html(),
        form_token: bar.form_token,
        text: t.console_new_code_question(name.as_str()),
        explained: t.console_code_explained().into(),
        button: t.console_new_code(),
        action: path(&name),
        back: format!("/console/accounts/{}", name.as_str()),
    };
    Ok(ask(&question, About::default(), &Draft::fresh(desk.new_key())))
}

/// `POST /console/accounts/{name}/code`: issues a code. The one before ends.
pub(super) async fn issue(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(name): Path<String>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let name = account_name(&name)?;
    let sent = SentKey {
        key: sent_key(&fields)?,
        content: Vec::new(),
    };
    let cashier = server.issuer().cashier();
    let work = async {
        let issued = cashier
            .acting(&desk.operator.name)
            .issue_start_code(&name)
            .await?;
        Ok(keep(&desk, &name, issued))
    };
    desk.once(&sent, work).await?;
    Ok(see_other(&path(&name)))
}

/// `POST /console/accounts/{name}/code/handed-over`: the holder has it, so it is shown no more.
pub(super) async fn hand_over(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(name): Path<String>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let name = account_name(&name)?;
    let sent = SentKey {
        key: sent_key(&fields)?,
        content: Vec::new(),
    };
    let work = async {
        desk.session.forget_codes(name.as_str());
        Ok::<_, Refusal>(Note::CodeHandedOver(name.as_str().to_owned()))
    };
    desk.once(&sent, work).await?;
    let (name, key) = (name.as_str(), sent.key.as_str());
    Ok(see_other(&format!("/console/accounts/{name}?done={key}")))
}

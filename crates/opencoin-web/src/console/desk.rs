//! The desk of an operator who is logged in: their session in a cookie, their rights, and what every page of the console
//! has.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Response, StatusCode};
use opencoin_http::{Server, authenticated_operator};
use opencoin_issuer::{AdminRight, AdminTokens, AuthenticatedOperator, Refusal};
use opencoin_ledger::TokenHash;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::cookies;
use crate::format::{Money, money};
use crate::forms::{Fields, form_token};
use crate::language::Language;
use crate::messages::{Message, Messages};
use crate::notes::Note;
use crate::sessions::{Session, Use};
use crate::site::Site;
use crate::steps::SentKey;
use crate::uploads::Upload;
use crate::visit::{Failure, Frame, Visit, page, see_other};

/// `fresh.js` sends it.
const REFRESH: HeaderName = HeaderName::from_static("opencoin-refresh");
const COOKIE_NAME: &str = "__Host-opencoin-operator";
/// Where somebody without a session is sent.
pub(super) const LOGIN: &str = "/console/login";
/// The same after a session that has ended.
const LOGGED_OUT: &str = "/console/login?ended=1";

/// Extractor: an operator who is logged in, and what they visit. Anybody else is sent to the log-in.
pub(super) struct Desk {
    pub(super) visit: Visit,
    pub(super) operator: AuthenticatedOperator,
    pub(super) session: Arc<Session>,
    site: Arc<Site>,
    secret: Zeroizing<String>,
}

impl FromRequestParts<Arc<Server>> for Desk {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Failure> {
        let Ok(visit) = Visit::from_request_parts(parts, server).await;
        let site = site(parts);
        let secret = secret(parts).ok_or_else(|| see_other(LOGIN))?;
        let by = use_of(&parts.headers);
        let session = site.sessions.find(&secret, by).ok_or_else(|| ended(by))?;
        let Some(operator) = authenticated_operator(&site.operators, session.token).await? else {
            site.sessions.end(&secret);
            return Err(ended(by).into());
        };
        Ok(Self {
            visit,
            operator,
            session,
            site,
            secret,
        })
    }
}

impl Desk {
    /// Refuses whatever follows, with a page that says which scope the token lacks.
    pub(super) fn needs(&self, server: &Server, right: AdminRight) -> Result<(), Failure> {
        if self.may(right) {
            return Ok(());
        }
        let t = self.visit.messages();
        let name = self.operator.name.as_str();
        let lacks = match right {
            AdminRight::Look => t.console_lacks_every_scope(name),
            AdminRight::ReadAccounts => t.console_lacks_read_accounts(name),
            AdminRight::ChangeAccounts => t.console_lacks_cashier(name),
            AdminRight::ReadKeys => t.console_lacks_read_keys(name),
            AdminRight::ChangeKeys => t.console_lacks_keys(name),
        };
        let refused = ScopePage {
            frame: self.visit.frame(t.refusal_forbidden()),
            t,
            bar: self.bar(server, None),
            lacks,
        };
        Err(page(StatusCode::FORBIDDEN, self.visit.language, &refused).into())
    }

    /// Whether the token permits this.
    pub(super) fn may(&self, right: AdminRight) -> bool {
        self.operator.check(right).is_ok()
    }

    /// Reads a form of the session.
    ///
    /// # Errors
    /// It does not arrive, or belongs to another session.
    pub(super) async fn form(&self, server: &Arc<Server>, body: Body) -> Result<Fields, Refusal> {
        let fields = Fields::read(server, body).await?;
        fields.check_token(&self.secret)?;
        Ok(fields)
    }

    /// Reads a form with a file of the session.
    ///
    /// # Errors
    /// It does not arrive, or belongs to another session.
    pub(super) async fn upload(
        &self,
        server: &Arc<Server>,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Upload, Refusal> {
        let upload = Upload::read(server, headers, body).await?;
        upload.fields.check_token(&self.secret)?;
        Ok(upload)
    }

    /// Does what a form says once.
    ///
    /// # Errors
    /// As [`Session::once`].
    pub(super) async fn once(
        &self,
        sent: &SentKey,
        work: impl Future<Output = Result<Note, Refusal>>,
    ) -> Result<(), Refusal> {
        let mut content = self.visit.path().to_owned();
        for (name, value) in &sent.content {
            // Neither has a character of zero width or a control character that the books take.
            content.extend(["\0", name, "\0", value]);
        }
        self.session.once(&sent.key, &content, work).await
    }

    /// What the form has done that has led to the page, if it is one of this session.
    pub(super) async fn said(&self, after: &After, money: &Money) -> Option<Done> {
        let note = self.session.note(&after.done).await?;
        let class = note.class();
        let text = note.said(self.visit.messages(), money)?;
        Some(Done { class, text })
    }

    /// The page that says what a form has done: `done`, or that of the proposal if it waits for a second person.
    pub(super) async fn page_after(&self, sent: &SentKey, done: &str) -> String {
        let key = sent.key.as_str();
        match self.session.note(key).await {
            Some(Note::Waits(no)) => format!("/console/proposals/{no}?done={key}"),
            _ => format!("{done}?done={key}"),
        }
    }

    /// The tokens of all operators.
    pub(super) fn tokens(&self) -> &AdminTokens {
        &self.site.operators
    }

    /// A fresh idempotency key.
    pub(super) fn new_key(&self) -> String {
        self.site.idempotency_key()
    }

    /// Ends the session.
    pub(super) fn leave(&self) {
        self.site.sessions.end(&self.secret);
    }

    pub(super) fn money(&self, server: &Server) -> Money {
        money(server, self.visit.language)
    }

    pub(super) fn bar(&self, server: &Server, place: Option<Place>) -> Bar {
        Bar {
            t: self.visit.messages(),
            currency: self.money(server).name(),
            form_token: form_token(&self.secret),
            operator: self.operator.name.as_str().to_owned(),
            sees_accounts: self.may(AdminRight::ReadAccounts),
            sees_keys: self.may(AdminRight::ReadKeys),
            needs_two: server.issuer().second_person().amount().is_some(),
            place,
        }
    }
}

/// What a form has done, as the next page says it.
#[derive(Clone)]
pub(super) struct Done {
    pub(super) class: &'static str,
    pub(super) text: Message,
}

/// The part of a query that names the form that has led to the page.
#[derive(Default, Deserialize)]
pub(super) struct After {
    #[serde(default)]
    done: String,
}

/// The parts of the console that the bar names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Today,
    Figures,
    Accounts,
    Payouts,
    Bank,
    Keys,
    Audit,
    Proposals,
    Actions,
    Setup,
}

/// The bar of a page of the console.
#[derive(Template)]
#[template(path = "console/bar.html")]
pub(super) struct Bar {
    t: Messages,
    currency: String,
    pub(super) form_token: String,
    operator: String,
    sees_accounts: bool,
    sees_keys: bool,
    /// Whether some operations need a second person.
    needs_two: bool,
    place: Option<Place>,
}

impl Bar {
    /// `page` for the link to this page, as in `aria-current`.
    fn current(&self, place: Place) -> &'static str {
        if self.place == Some(place) {
            "page"
        } else {
            "false"
        }
    }

    /// The bar as HTML.
    pub(super) fn html(&self) -> String {
        self.render().expect("a template writes into memory")
    }
}

#[derive(Template)]
#[template(path = "console/scope.html")]
struct ScopePage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    lacks: Message,
}

/// Opens a session for whoever has shown the token of this operator, and sends them to the console.
pub(super) fn begin(parts: &Visitor, operator: AuthenticatedOperator, token: TokenHash) -> Response<Body> {
    let site = &parts.site;
    if let Some(before) = &parts.secret {
        site.sessions.end(before);
    }
    let secret = site.session_secret();
    site.sessions.open(&secret, operator.name, token);
    let mut response = see_other("/console");
    cookies::begin_session(&mut response, COOKIE_NAME, &secret);
    response
}

/// The answer to the end of a session.
pub(super) fn gone(path: &str) -> Response<Body> {
    let mut response = see_other(path);
    cookies::end_session(&mut response, COOKIE_NAME);
    response
}

/// A script leaves the cookie: somebody may have logged in again meanwhile.
fn ended(by: Use) -> Response<Body> {
    match by {
        Use::ByPerson => gone(LOGGED_OUT),
        Use::ByScript => see_other(LOGGED_OUT),
    }
}

/// Extractor: somebody at the log-in, who may have a session already.
pub(super) struct Visitor {
    pub(super) site: Arc<Site>,
    pub(super) language: Language,
    pub(super) visit: Visit,
    secret: Option<Zeroizing<String>>,
}

impl FromRequestParts<Arc<Server>> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Failure> {
        let Ok(visit) = Visit::from_request_parts(parts, server).await;
        Ok(Self {
            site: site(parts),
            language: visit.language,
            secret: secret(parts),
            visit,
        })
    }
}

fn site(parts: &Parts) -> Arc<Site> {
    let site = parts.extensions.get::<Arc<Site>>();
    Arc::clone(site.expect("every page has the layer of the site"))
}

/// A page that a script asks for again keeps no session open: nobody may be there.
fn use_of(headers: &HeaderMap) -> Use {
    if headers.contains_key(REFRESH) {
        Use::ByScript
    } else {
        Use::ByPerson
    }
}

fn secret(parts: &Parts) -> Option<Zeroizing<String>> {
    let cookie = cookies::find(parts.headers.get_all(COOKIE), COOKIE_NAME)?;
    Some(Zeroizing::new(cookie.to_owned()))
}

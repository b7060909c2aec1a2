//! The session of a holder in a cookie.
//!
//! The cookie holds the token of an ordinary session of the API. It is sent to pages of this server alone, never to
//! scripts, and only with requests that come from these pages.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::Response;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use opencoin_http::Server;
use opencoin_issuer::accounts::{Caller, Right, Token};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::{AccountStatus, Credential, Profile};

use crate::cookies;
use crate::format::{Money, money};
use crate::forms::{Fields, form_token};
use crate::language::Language;
use crate::messages::Messages;
use crate::visit::{Failure, see_other};

const COOKIE_NAME: &str = "__Host-opencoin-account";
/// Where a holder without a session is sent.
pub(super) const LOGIN: &str = "/account/login";
/// The same after a session that has ended.
const LOGGED_OUT: &str = "/account/login?ended=1";

/// Extractor: the holder who is logged in. Anybody else is sent to the log-in.
pub(super) struct Holder {
    pub(super) caller: Caller,
    token: Token,
}

impl FromRequestParts<Arc<Server>> for Holder {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Failure> {
        let cookie = cookies::find(parts.headers.get_all(COOKIE), COOKIE_NAME);
        let token = Token::from_text(cookie.ok_or_else(|| see_other(LOGIN))?);
        match server.issuer().accounts().caller(Some(&token), Right::Own).await {
            // Other tokens do not belong into a cookie.
            Ok(caller) if caller.credential == Credential::PasswordSession => Ok(Self { caller, token }),
            Ok(_) => Err(ended().into()),
            Err(refusal) if matches!(refusal.reason, Reason::Unauthorized | Reason::Forbidden) => {
                Err(ended().into())
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}

impl Holder {
    /// The token of every form of the session.
    pub(super) fn form_token(&self) -> String {
        form_token(self.token.expose())
    }

    /// Reads a form of the session.
    ///
    /// # Errors
    /// It does not arrive, or belongs to another session.
    pub(super) async fn form(&self, server: &Arc<Server>, body: Body) -> Result<Fields, Refusal> {
        let fields = Fields::read(server, body).await?;
        fields.check_token(self.token.expose())?;
        Ok(fields)
    }

    /// What the bar at the top of a page shows, and the account.
    pub(super) async fn bar(
        &self,
        server: &Arc<Server>,
        place: Place,
        language: Language,
    ) -> Result<Bar, Refusal> {
        let profile = server.issuer().accounts().profile(self.caller.account).await?;
        Ok(Bar {
            money: money(server, language),
            form_token: self.form_token(),
            profile,
            place,
        })
    }
}

/// The pages of the account that the bar names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Entries,
    Pay,
    Payouts,
    Programs,
    Settings,
}

/// The bar of an account's page.
pub(super) struct Bar {
    pub(super) money: Money,
    pub(super) form_token: String,
    pub(super) profile: Profile,
    pub(super) place: Place,
}

/// The bar without a page.
#[derive(Template)]
#[template(path = "account/bar.html")]
struct BarAlone<'bar> {
    t: Messages,
    bar: &'bar Bar,
}

impl Bar {
    /// `page` for the link to this page, as in `aria-current`.
    pub(super) fn current(&self, place: Place) -> &'static str {
        if self.place == place { "page" } else { "false" }
    }

    /// The bar as HTML.
    pub(super) fn html(&self, t: Messages) -> String {
        let bar = BarAlone { t, bar: self };
        bar.render().expect("a template writes into memory")
    }

    /// Whether money arrives and none leaves.
    pub(super) fn is_frozen(&self) -> bool {
        self.profile.account.status == AccountStatus::Frozen
    }

    /// Checks that money can leave the account, before a question. The books check it again when the money moves.
    ///
    /// # Errors
    /// The account is frozen.
    pub(super) fn check_open(&self) -> Result<(), Refusal> {
        if self.is_frozen() {
            return Err(Refusal::new(Reason::Forbidden, "the account is frozen"));
        }
        Ok(())
    }

    pub(super) fn account(&self) -> &str {
        self.profile.account.name.as_str()
    }

    pub(super) fn large_balance(&self) -> String {
        self.money.large(self.profile.account.balance.units())
    }

    pub(super) fn balance(&self) -> String {
        self.money.amount(self.profile.account.balance.units())
    }
}

/// Sets the cookie to this session.
pub(super) fn begin(response: &mut Response<Body>, token: &Token) {
    cookies::begin_session(response, COOKIE_NAME, token.expose());
}

/// Removes the cookie.
pub(super) fn end(response: &mut Response<Body>) {
    cookies::end_session(response, COOKIE_NAME);
}

fn ended() -> Response<Body> {
    let mut response = see_other(LOGGED_OUT);
    end(&mut response);
    response
}

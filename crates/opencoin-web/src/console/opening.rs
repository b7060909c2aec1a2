//! An account is opened, and its holder gets a start code.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_http::Server;
use opencoin_issuer::{AdminRight, CashierError, Reason, Refusal};
use opencoin_ledger::AccountName;

use super::codes;
use super::desk::{Bar, Desk, Place};
use crate::messages::Messages;
use crate::steps::{self, Draft, Question, SentKey, TwoSteps};
use crate::visit::{Frame, PageResult, page};

const PATH: &str = "/console/open-account";

#[derive(Template)]
#[template(path = "console/opening.html")]
struct OpeningPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    draft: Draft,
}

struct Opening<'a> {
    server: &'a Server,
    desk: &'a Desk,
    t: Messages,
}

impl<'a> Opening<'a> {
    fn new(server: &'a Server, desk: &'a Desk) -> Self {
        Self {
            server,
            desk,
            t: desk.visit.messages(),
        }
    }
}

impl TwoSteps for Opening<'_> {
    const FIELDS: &'static [&'static str] = &["name"];
    type Order = AccountName;

    fn read(&self, draft: &mut Draft) -> Option<AccountName> {
        let name = draft.value("name").to_lowercase().parse().ok();
        if name.is_none() {
            draft.blame("name", self.t.console_wrong_name());
        }
        name
    }

    async fn check(&self, name: &AccountName) -> Result<(), Refusal> {
        match self.server.issuer().cashier().account(name).await {
            Ok(_) => Err(Refusal::new(Reason::Exists, "there is such an account")),
            Err(CashierError::UnknownAccount(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn question(&self, name: &AccountName) -> Question {
        let t = self.t;
        let bar = self.desk.bar(self.server, Some(Place::Accounts));
        Question {
            frame: self.desk.visit.frame(t.console_open_account()),
            t,
            bar: bar.html(),
            form_token: bar.form_token,
            text: t.console_open_question(name.as_str()),
            explained: t.console_open_explained().into(),
            button: t.console_open_now(),
            action: format!("{PATH}/confirm"),
            back: PATH.to_owned(),
        }
    }

    async fn carry_out(&self, sent: &SentKey, name: &AccountName) -> Result<String, Refusal> {
        let cashier = self.server.issuer().cashier();
        let acting = cashier.acting(&self.desk.operator.name);
        let work = async {
            let issued = acting.open_account_to_start(name, None).await?;
            Ok(codes::keep(self.desk, name, issued))
        };
        self.desk.once(sent, work).await?;
        Ok(codes::path(name))
    }

    fn blame(&self, draft: &mut Draft, _: &AccountName, refusal: &Refusal) -> Option<StatusCode> {
        match refusal.reason {
            Reason::Exists => {
                draft.blame("name", self.t.console_name_taken());
                Some(StatusCode::CONFLICT)
            }
            Reason::Invalid => {
                draft.blame("name", self.t.console_wrong_name());
                Some(StatusCode::UNPROCESSABLE_ENTITY)
            }
            _ => None,
        }
    }

    async fn form(&self, draft: Draft, status: StatusCode) -> PageResult {
        let form = OpeningPage {
            frame: self.desk.visit.frame(self.t.console_open_account()),
            t: self.t,
            bar: self.desk.bar(self.server, Some(Place::Accounts)),
            draft,
        };
        Ok(page(status, self.desk.visit.language, &form))
    }
}

/// `GET /console/open-account`.
pub(super) async fn show(State(server): State<Arc<Server>>, desk: Desk) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let form = Opening::new(&server, &desk);
    form.form(Draft::fresh(desk.new_key()), StatusCode::OK).await
}

/// `POST /console/open-account`: asks whether it is right.
pub(super) async fn check(State(server): State<Arc<Server>>, desk: Desk, body: Body) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    steps::check(&Opening::new(&server, &desk), &fields).await
}

/// `POST /console/open-account/confirm`: opens it.
pub(super) async fn confirm(State(server): State<Arc<Server>>, desk: Desk, body: Body) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    steps::confirm(&Opening::new(&server, &desk), &fields).await
}

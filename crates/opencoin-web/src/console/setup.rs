//! How the server is set up: who its operators are, and which settings it has. Both are changed with commands.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_config::{Origin, SettingEntry};
use opencoin_http::{Server, operators};
use opencoin_issuer::{AdminRight, AdminScope, AdminToken};
use opencoin_text::printable;

use super::desk::{Bar, Desk, Place};
use crate::format::Moment;
use crate::messages::{Message, Messages};
use crate::visit::{Frame, PageResult, page};

#[derive(Template)]
#[template(path = "console/setup.html")]
struct SetupPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    operators: Vec<OperatorLine>,
    settings: Vec<SettingLine>,
}

/// An operator as a line of a list.
struct OperatorLine {
    name: String,
    may: Vec<&'static str>,
    since: Moment,
}

/// A setting as a line of a list.
struct SettingLine {
    name: &'static str,
    value: Option<String>,
    origin: Message,
}

/// `GET /console/setup`.
pub(super) async fn show(State(server): State<Arc<Server>>, desk: Desk) -> PageResult {
    desk.needs(&server, AdminRight::Look)?;
    let t = desk.visit.messages();
    let operators = operators(desk.tokens()).await?;
    let setup = SetupPage {
        frame: desk.visit.frame(t.setup_title()),
        t,
        bar: desk.bar(&server, Some(Place::Setup)),
        operators: operators.iter().map(|token| operator(token, &desk)).collect(),
        settings: server.settings().iter().map(|entry| setting(entry, t)).collect(),
    };
    Ok(page(StatusCode::OK, desk.visit.language, &setup))
}

fn operator(token: &AdminToken, desk: &Desk) -> OperatorLine {
    let t = desk.visit.messages();
    let may = |scope: &AdminScope| match scope {
        AdminScope::Read => t.setup_may_read(),
        AdminScope::Cashier => t.setup_may_cashier(),
        AdminScope::Keys => t.setup_may_keys(),
    };
    OperatorLine {
        name: printable(&token.name),
        may: token.scopes.iter().map(may).collect(),
        since: Moment::minute(desk.visit.language, token.created_at),
    }
}

fn setting(entry: &SettingEntry, t: Messages) -> SettingLine {
    SettingLine {
        name: entry.path,
        value: entry.value.as_ref().map(|value| printable(&value.to_string())),
        origin: match &entry.origin {
            Origin::Default => t.setup_from_default().into(),
            Origin::File { line } => t.setup_from_file(line),
            Origin::Environment { name } => t.setup_from_environment(name),
            Origin::Flag { name } => t.setup_from_flag(name),
        },
    }
}

//! Programs with access to the account: what each may do, and when it was last seen.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::ServiceStatus;
use opencoin_http::{Server, shown};
use opencoin_issuer::Reason;

use super::session::{Bar, Holder, Place};
use crate::address::Path;
use crate::language::Language;
use crate::messages::Messages;
use crate::programs::{Access, access};
use crate::site::Site;
use crate::steps::{About, Draft, Question, ask};
use crate::visit::{Frame, PageResult, Visit, page, see_other};

/// The address of the page.
const PATH: &str = "/account/programs";

#[derive(Template)]
#[template(path = "account/programs.html")]
struct ProgramsPage {
    frame: Frame,
    t: Messages,
    bar: Bar,
    programs: Vec<Program>,
    /// The name that was given to a new wallet, and what is wrong with it.
    fault: Option<(String, &'static str)>,
}

struct Program {
    id: String,
    name: String,
    access: Access,
}

/// `GET /account/programs`.
pub(super) async fn show(State(server): State<Arc<Server>>, visit: Visit, holder: Holder) -> PageResult {
    list(&server, &visit, &holder, StatusCode::OK, None).await
}

/// The page, also after a wrong name for a new wallet: the name, and what is wrong with it.
pub(super) async fn list(
    server: &Arc<Server>,
    visit: &Visit,
    holder: &Holder,
    status: StatusCode,
    fault: Option<(&str, &'static str)>,
) -> PageResult {
    let t = visit.messages();
    let bar = holder.bar(server, Place::Programs, visit.language).await?;
    let services = server.issuer().accounts().services(holder.caller.account).await?;
    let programs = services.into_iter().map(shown::service);
    let programs = ProgramsPage {
        frame: visit.frame(t.account_programs()),
        t,
        bar,
        programs: programs
            .map(|program| described(program, t, visit.language))
            .collect(),
        fault: fault.map(|(name, fault)| (name.to_owned(), fault)),
    };
    Ok(page(status, visit.language, &programs))
}

fn described(service: ServiceStatus, t: Messages, language: Language) -> Program {
    Program {
        access: access(&service, t, language),
        id: service.id,
        name: service.name,
    }
}

/// `GET /account/programs/{id}/remove`: asks whether it is right.
pub(super) async fn ask_remove(
    State(server): State<Arc<Server>>,
    Extension(site): Extension<Arc<Site>>,
    visit: Visit,
    holder: Holder,
    Path(id): Path<String>,
) -> PageResult {
    let t = visit.messages();
    let services = server.issuer().accounts().services(holder.caller.account).await?;
    let Some(program) = services
        .into_iter()
        .map(shown::service)
        .find(|program| program.id == id)
    else {
        return Ok(see_other(PATH));
    };
    let bar = holder.bar(&server, Place::Programs, visit.language).await?;
    let question = Question {
        frame: visit.frame(t.account_programs()),
        t,
        bar: bar.html(t),
        form_token: bar.form_token.clone(),
        text: t.account_program_question(program.name),
        explained: t.account_program_question_explained().into(),
        button: t.account_program_remove_now(),
        action: format!("{PATH}/remove"),
        back: PATH.to_owned(),
    };
    let mut draft = Draft::fresh(site.idempotency_key());
    draft.fill("id", id);
    Ok(ask(&question, About::default(), &draft))
}

/// `POST /account/programs/remove`. A program that is gone already is no error.
pub(super) async fn remove(State(server): State<Arc<Server>>, holder: Holder, body: Body) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let removed = server
        .issuer()
        .accounts()
        .remove_service(holder.caller.account, fields.text("id"))
        .await;
    match removed {
        Ok(()) => {}
        Err(refusal) if refusal.reason == Reason::NotFound => {}
        Err(refusal) => return Err(refusal.into()),
    }
    Ok(see_other(PATH))
}

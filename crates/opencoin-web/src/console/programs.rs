//! Programs with access to an account, as an operator sees and removes them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use opencoin_http::{Server, shown};
use opencoin_issuer::accounts::{ServiceStatus, account_name};
use opencoin_issuer::{AdminRight, CashierError, Refusal};

use super::desk::{Desk, Place};
use crate::address::Path;
use crate::language::Language;
use crate::messages::Messages;
use crate::notes::Note;
use crate::programs::{Access, access};
use crate::steps::{About, Draft, Question, SentKey, ask, sent_key};
use crate::visit::{PageResult, see_other};

/// A program with access.
pub(super) struct Program {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) access: Access,
}

pub(super) fn described(service: ServiceStatus, t: Messages, language: Language) -> Program {
    let service = shown::service(service);
    Program {
        access: access(&service, t, language),
        id: service.id,
        name: service.name,
    }
}

/// `GET /console/accounts/{name}/programs/{id}/remove`: asks whether it is right.
pub(super) async fn ask_remove(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path((name, id)): Path<(String, String)>,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let t = desk.visit.messages();
    let name = account_name(&name)?;
    let back = format!("/console/accounts/{}", name.as_str());
    let services = server.issuer().cashier().services(&name).await;
    let services = services.map_err(Refusal::from)?;
    let Some(program) = services
        .into_iter()
        .map(shown::service)
        .find(|program| program.id == id)
    else {
        return Ok(see_other(&back));
    };
    let bar = desk.bar(&server, Some(Place::Accounts));
    let question = Question {
        frame: desk.visit.frame(name.as_str()),
        t,
        bar: bar.html(),
        form_token: bar.form_token,
        text: t.console_program_question(program.name.clone(), name.as_str()),
        explained: t.account_program_question_explained().into(),
        button: t.account_program_remove_now(),
        action: format!("{back}/programs/remove"),
        back,
    };
    let mut draft = Draft::fresh(desk.new_key());
    draft.fill("id", id);
    draft.fill("program", program.name);
    Ok(ask(&question, About::default(), &draft))
}

/// `POST /console/accounts/{name}/programs/remove`. A program that is gone already is no error.
pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    desk: Desk,
    Path(name): Path<String>,
    body: Body,
) -> PageResult {
    desk.needs(&server, AdminRight::ChangeAccounts)?;
    let fields = desk.form(&server, body).await?;
    let name = account_name(&name)?;
    let (id, program) = (fields.text("id"), fields.text("program"));
    let sent = SentKey {
        key: sent_key(&fields)?,
        content: vec![("id", id.to_owned())],
    };
    let cashier = server.issuer().cashier();
    let work = async {
        match cashier
            .acting(&desk.operator.name)
            .remove_service(&name, id)
            .await
        {
            Ok(()) | Err(CashierError::UnknownService(_)) => Ok(Note::ProgramRemoved(program.to_owned())),
            Err(error) => Err(Refusal::from(error)),
        }
    };
    desk.once(&sent, work).await?;
    let (name, key) = (name.as_str(), sent.key.as_str());
    Ok(see_other(&format!("/console/accounts/{name}?done={key}")))
}

//! Programs with access to an account, as an operator sees and removes them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use opencoin_http::{Server, shown};
use opencoin_issuer::accounts::{ServiceStatus, account_name};
use opencoin_issuer::{AdminRight, CashierError, Refusal};

use super::desk::Desk;
use crate::address::Path;
use crate::language::Language;
use crate::messages::Messages;
use crate::notes::Note;
use crate::programs::{Access, access};
use crate::steps::{SentKey, sent_key};
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

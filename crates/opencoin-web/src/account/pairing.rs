//! Connecting a wallet with the account: a link, also as a QR code, that the wallet reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use opencoin_api::{PairingLink, Secret};
use opencoin_http::Server;
use opencoin_issuer::Reason;
use opencoin_ledger::Scope;

use super::programs;
use super::session::{Bar, Holder, Place};
use crate::format::money;
use crate::messages::Messages;
use crate::picture;
use crate::public::address;
use crate::visit::{Frame, PageResult, Visit, page};

#[derive(Template)]
#[template(path = "account/paired.html")]
struct PairedPage<'name> {
    frame: Frame,
    t: Messages,
    bar: Bar,
    name: &'name str,
    link: Secret,
    code: Option<String>,
}

#[derive(Template)]
#[template(path = "account/pair.html")]
struct PairPage {
    frame: Frame,
    t: Messages,
    currency: String,
}

/// `POST /account/programs/pair`. The answer shows the link, once. To send the form again is refused, because the name is
/// taken then.
pub(super) async fn pair(
    State(server): State<Arc<Server>>,
    visit: Visit,
    holder: Holder,
    body: Body,
) -> PageResult {
    let fields = holder.form(&server, body).await?;
    let name = fields.trimmed("name");
    let scopes = BTreeSet::from([Scope::Mint, Scope::Redeem, Scope::Read]);
    let declared = server
        .issuer()
        .accounts()
        .declare_service(&holder.caller, name, scopes)
        .await;
    let t = visit.messages();
    let (id, name, key) = match declared {
        Ok(declared) => declared,
        Err(refusal) => {
            let fault = match refusal.reason {
                Reason::Exists => t.account_pair_exists(),
                Reason::Invalid => t.account_pair_wrong_name(),
                _ => return Err(refusal.into()),
            };
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return programs::list(&server, &visit, &holder, status, Some((name, fault))).await;
        }
    };
    let link = PairingLink {
        url: address(server.issuer().currency().current().cdd()),
        id: id.as_str().to_owned(),
        key: Secret::new(key.expose()),
    };
    let link = link.expose();
    let paired = PairedPage {
        frame: visit.frame(t.account_pair()),
        t,
        bar: holder.bar(&server, Place::Programs, visit.language).await?,
        name: name.as_str(),
        code: picture::code(link.expose()),
        link,
    };
    Ok(page(StatusCode::OK, visit.language, &paired))
}

/// `GET /account/pair`: what somebody sees who opens such a link in a browser. The server does not get its secret part.
pub(super) async fn explain(State(server): State<Arc<Server>>, visit: Visit) -> Response<Body> {
    let t = visit.messages();
    let pair = PairPage {
        frame: visit.frame(t.account_pair()),
        t,
        currency: money(&server, visit.language).name(),
    };
    page(StatusCode::OK, visit.language, &pair)
}

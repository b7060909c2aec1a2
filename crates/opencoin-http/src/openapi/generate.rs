//! Generates the description from the handlers, the types of `opencoin-api` and [`messages`].

use axum::http::StatusCode;
use opencoin_issuer::Reason;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{Audience, messages};
use crate::accounts::{account, entries, payouts, services, sessions, transfers};
use crate::{key_accounts, operators, problems, supply};

/// The paths of the operator's listener, which has no rate limit.
const ADMIN_PATHS: &str = "/v1/admin/";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "OpenCoin issuer",
        description = "The messages of the OpenCoin specification, and the issuer's own API for accounts. Amounts are whole numbers in \
                       the smallest unit of the currency. Every error has a fixed word, in the header OpenCoin-Error and in its body.",
    ),
    security(("token" = [])),
    modifiers(&Token),
    components(schemas(problems::Problem)),
    paths(
        supply::show,
        sessions::open, sessions::start, sessions::close, sessions::close_all, sessions::change_password,
        account::show, account::change, account::balance, account::directory, entries::list,
        transfers::pay, payouts::request, payouts::list, payouts::show,
        services::declare, services::list, services::remove, services::rotate, services::open_session, services::replace_key,
        key_accounts::accounts::challenge, key_accounts::accounts::introduce, key_accounts::accounts::show,
        key_accounts::accounts::list, key_accounts::payments::pay, key_accounts::payments::show,
    )
)]
struct Accounts;

#[derive(OpenApi)]
#[openapi(paths(
    operators::accounts::create,
    operators::accounts::list,
    operators::accounts::show,
    operators::accounts::change_status,
    operators::accounts::entries,
    operators::accounts::services,
    operators::accounts::remove_service,
    operators::accounts::issue_start_code,
    operators::accounts::replace_token,
    operators::accounts::set_password,
    operators::accounts::credit,
    operators::accounts::debit,
    operators::actions::list,
    operators::statements::upload,
    operators::statements::list,
    operators::statements::preview,
    operators::statements::book,
    operators::proposals::list,
    operators::proposals::show,
    operators::proposals::approve,
    operators::proposals::decline,
    operators::bank_lines::list,
    operators::bank_lines::show,
    operators::bank_lines::assign,
    operators::bank_lines::set_aside,
    operators::audit::show,
    operators::audit::start,
    operators::overview::show,
    operators::setup::list_operators,
    operators::setup::settings,
    operators::samples::list,
    operators::keys::list,
    operators::key_making::rotate,
    operators::key_making::pending,
    operators::key_making::give_up,
    operators::key_making::import,
    operators::keys::stop,
    operators::keys::set_signing,
    operators::payouts::list,
    operators::exports::make,
    operators::exports::list,
    operators::exports::show,
    operators::exports::payouts,
    operators::exports::withdraw,
    operators::exports::paid,
    operators::payouts::paid,
    operators::payouts::failed,
))]
struct Admin;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description =
            Some("The token of an account, a session or, under /v1/admin, an operator.".to_owned());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// Generates the description as indented JSON with a final line break.
#[must_use]
pub fn generate(audience: Audience) -> String {
    let mut document = Accounts::openapi().merge_from(messages::openapi());
    if audience == Audience::Operator {
        document.merge(Admin::openapi());
    }
    complete_operations(&mut document);
    let mut json = document.to_pretty_json().expect("a description is JSON");
    json.push('\n');
    json
}

/// Gives every operation a unique id (the names of handlers are not unique), and adds the refusals that come before
/// a handler is called.
fn complete_operations(document: &mut Document) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(operation_id(method, path));
                let refusals = &mut operation.responses.responses;
                if !path.starts_with(ADMIN_PATHS) {
                    let (status, response) =
                        problems::response(Reason::TooManyRequests, "Too many requests from one address.");
                    refusals.entry(status).or_insert(response);
                }
                if operation.request_body.is_some() {
                    let (_, response) =
                        problems::response(Reason::Malformed, "The body did not arrive in time.");
                    let status = StatusCode::REQUEST_TIMEOUT.as_str().to_owned();
                    refusals.entry(status).or_insert(response);
                }
            }
        }
    }
}

/// For example `post_v1_services_id_rotate`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    words.fold(method.to_owned(), |id, word| format!("{id}_{word}"))
}

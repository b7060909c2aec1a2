//! Accounts as an operator opens, sees, credits and debits them.

use axum::extract::State;
use axum::http::StatusCode;
use opencoin_api::{
    AdminAccount, AdminAccounts, ChangeStatus, CreateAccount, CreatedAccount, IssuedStartCode, Payment,
    PaymentReceipt, Secret, Services, SetPassword,
};
#[cfg(feature = "openapi")]
use opencoin_api::{AdminProposal, Entries, shapes};
use opencoin_issuer::accounts::{NewPassword, Page, account_name, page_length, positive, text};
use opencoin_issuer::{Reason, Refusal};
use opencoin_ledger::{AccountName, Amount, Profile, ProfileFilter, Reference};
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::IntoParams;

use super::operator::{Admin, ChangesAccounts, ReadsAccounts};
use super::proposals::done;
use crate::accounts::account::name_cursor;
use crate::accounts::convert::{self, known_status, moment, secret};
use crate::accounts::entries::{Range, entries as page_of_entries};
use crate::json::{
    HandlerResult, Json, Parameters, PathPair, PathParameter, Problem, created, document, no_content,
};
#[cfg(feature = "openapi")]
use crate::problems::{
    Exists, Forbidden, Invalid, Malformed, NotFound, ReferenceConflict, Short, TooLarge, Unauthorized,
    Unavailable,
};

/// Open an account. Its token or start code is shown this once.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/accounts", tag = "admin", request_body = CreateAccount,
    responses((status = 201, description = "The account was opened.", body = CreatedAccount),
        Malformed, Unauthorized, Forbidden, Exists, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn create(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    Json(account): Json<CreateAccount>,
) -> HandlerResult {
    let invalid = |error| Refusal::new(Reason::Invalid, format!("name: {error}"));
    let name: AccountName = account.name.parse().map_err(invalid)?;
    let password = account
        .password
        .map(|password| new_password("password", password.expose()))
        .transpose()?;
    let cashier = admin.cashier().acting(&operator);
    let mut created = CreatedAccount {
        name: account.name,
        token: None,
        start_code: None,
        start_code_expires_at: None,
    };
    if account.start_code {
        let (code, expires) = cashier.open_account_to_start(&name, password).await?;
        created.start_code = Some(Secret::new(code.expose().as_str()));
        created.start_code_expires_at = Some(moment(expires));
    } else {
        created.token = Some(secret(&cashier.open_account(&name, password).await?));
    }
    document(StatusCode::CREATED, &created)
}

/// The page of accounts.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct OfOperators {
    /// The name after which the page begins.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Name>, inline))]
    after: Option<String>,
    /// The most accounts of the page.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    limit: Option<u32>,
    /// Only frozen accounts.
    #[serde(default)]
    frozen: bool,
}

/// All accounts, ordered by name.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/accounts", tag = "admin", params(OfOperators),
    responses((status = 200, description = "One page.", body = AdminAccounts),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn list(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    Parameters(page): Parameters<OfOperators>,
) -> HandlerResult {
    let (after, limit) = (name_cursor(page.after.as_deref())?, page_length(page.limit)?);
    let filter = if page.frozen {
        ProfileFilter::Frozen
    } else {
        ProfileFilter::All
    };
    let accounts = admin.cashier().accounts(filter, after.as_ref(), limit).await?;
    let Page { items, is_full } = Page::new(accounts, limit);
    let accounts: Vec<AdminAccount> = items.into_iter().map(shown).collect();
    let last = accounts.last().filter(|_| is_full);
    let after = last.map(|account| account.name.clone());
    document(StatusCode::OK, &AdminAccounts { accounts, after })
}

/// One account.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/accounts/{name}", tag = "admin", params(("name" = inline(shapes::Name), Path, description = "The account.")),
    responses((status = 200, description = "The account.", body = AdminAccount), Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn show(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    PathParameter(name): PathParameter,
) -> HandlerResult {
    let profile = admin.cashier().account(&account_name(&name)?).await?;
    document(StatusCode::OK, &shown(profile))
}

/// Replace the token of an account. Only this answer shows it. The old token pays and changes
/// nothing from now on, and ends within ten seconds in all processes.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/accounts/{name}/token", tag = "admin",
    params(("name" = inline(shapes::Name), Path, description = "The account.")),
    responses((status = 201, description = "The new token.", body = CreatedAccount),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn replace_token(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(name): PathParameter,
) -> HandlerResult {
    let name = account_name(&name)?;
    let token = admin.cashier().acting(&operator).replace_token(&name).await?;
    document(
        StatusCode::CREATED,
        &CreatedAccount {
            name: name.as_str().to_owned(),
            token: Some(secret(&token)),
            start_code: None,
            start_code_expires_at: None,
        },
    )
}

/// Issue a code with which the holder sets a password, once. Only this answer shows it. The code before it ends.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/accounts/{name}/start-code", tag = "admin",
    params(("name" = inline(shapes::Name), Path, description = "The account.")),
    responses((status = 201, description = "The new code.", body = IssuedStartCode),
        Unauthorized, Forbidden, NotFound, Invalid, Unavailable)
))]
pub(crate) async fn issue_start_code(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(name): PathParameter,
) -> HandlerResult {
    let name = account_name(&name)?;
    let cashier = admin.cashier().acting(&operator);
    let (code, expires) = cashier.issue_start_code(&name).await?;
    let issued = IssuedStartCode {
        name: name.as_str().to_owned(),
        start_code: Secret::new(code.expose().as_str()),
        start_code_expires_at: moment(expires),
    };
    document(StatusCode::CREATED, &issued)
}

/// Freeze an account, open a frozen one again, or close it for good. An account is closed only if it is empty, and no
/// payout and no mint of it waits.
#[cfg_attr(feature = "openapi", utoipa::path(
    patch, path = "/v1/admin/accounts/{name}", tag = "admin", request_body = ChangeStatus,
    params(("name" = inline(shapes::Name), Path, description = "The account.")),
    responses((status = 200, description = "The account has this status.", body = AdminAccount),
        Malformed, Unauthorized, Forbidden, NotFound, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn change_status(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(name): PathParameter,
    Json(change): Json<ChangeStatus>,
) -> HandlerResult {
    let (status, reason) = (known_status(change.status), text("reason", &change.reason)?);
    let cashier = admin.cashier().acting(&operator);
    let profile = cashier.set_status(&account_name(&name)?, status, &reason).await?;
    document(StatusCode::OK, &shown(profile))
}

/// The entries of an account, newest first unless `after` is given.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/accounts/{name}/entries", tag = "admin",
    params(Range, ("name" = inline(shapes::Name), Path, description = "The account.")),
    responses((status = 200, description = "One page.", body = Entries),
        Malformed, Unauthorized, Forbidden, NotFound, Invalid, Unavailable)
))]
pub(crate) async fn entries(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    PathParameter(name): PathParameter,
    Parameters(range): Parameters<Range>,
) -> HandlerResult {
    let (page, limit) = (range.page()?, range.length()?);
    let found = admin
        .cashier()
        .entries(&account_name(&name)?, page, limit)
        .await?;
    let Page { items, is_full } = Page::new(found, limit);
    document(StatusCode::OK, &page_of_entries(items, is_full, page))
}

/// The services of an account, and the last use of each.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/accounts/{name}/services", tag = "admin",
    params(("name" = inline(shapes::Name), Path, description = "The account.")),
    responses((status = 200, description = "All services, ordered by name.", body = Services),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn services(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    PathParameter(name): PathParameter,
) -> HandlerResult {
    let services = admin.cashier().services(&account_name(&name)?).await?;
    let services = services.into_iter().map(convert::service).collect();
    document(StatusCode::OK, &Services { services })
}

/// Remove a service of an account. Its sessions end at once.
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/v1/admin/accounts/{name}/services/{id}", tag = "admin",
    params(("name" = inline(shapes::Name), Path, description = "The account."),
        ("id" = inline(shapes::ServiceId), Path, description = "The service.")),
    responses((status = 204, description = "The service was removed."),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn remove_service(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathPair(name, id): PathPair,
) -> HandlerResult {
    let cashier = admin.cashier().acting(&operator);
    cashier.remove_service(&account_name(&name)?, &id).await?;
    no_content()
}

/// Set the password of an account. All its password sessions end.
#[cfg_attr(feature = "openapi", utoipa::path(
    put, path = "/v1/admin/accounts/{name}/password", tag = "admin", request_body = SetPassword,
    params(("name" = inline(shapes::Name), Path, description = "The account.")),
    responses((status = 204, description = "The password was set."),
        Malformed, Unauthorized, Forbidden, NotFound, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn set_password(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(name): PathParameter,
    Json(password): Json<SetPassword>,
) -> HandlerResult {
    let password = new_password("new", password.new.expose())?;
    admin
        .cashier()
        .acting(&operator)
        .set_password(&account_name(&name)?, password)
        .await?;
    no_content()
}

/// Credit an incoming payment. Each reference is booked once. An amount above the limit waits for a second operator.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/accounts/{name}/credits", tag = "admin", request_body = Payment,
    params(("name" = inline(shapes::Name), Path, description = "The account.")),
    responses((status = 201, description = "It was credited.", body = PaymentReceipt),
        (status = 200, description = "It was credited before.", body = PaymentReceipt),
        (status = 202, description = "It waits for a second operator.", body = AdminProposal),
        Malformed, Unauthorized, Forbidden, NotFound, ReferenceConflict, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn credit(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(name): PathParameter,
    Json(payment): Json<Payment>,
) -> HandlerResult {
    let (name, amount, reference) = checked(&name, &payment)?;
    let cashier = admin.cashier().acting(&operator);
    match done(cashier.credit(&name, amount, reference).await?) {
        Ok(applied) => receipt(&admin, &name, payment, applied.repeated).await,
        Err(waits) => document(StatusCode::ACCEPTED, &waits),
    }
}

/// Debit an outgoing payment. Each reference is booked once. An amount above the limit waits for a second operator.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/accounts/{name}/debits", tag = "admin", request_body = Payment,
    params(("name" = inline(shapes::Name), Path, description = "The account.")),
    responses((status = 201, description = "It was debited.", body = PaymentReceipt),
        (status = 200, description = "It was debited before.", body = PaymentReceipt),
        (status = 202, description = "It waits for a second operator.", body = AdminProposal),
        Malformed, Unauthorized, Short, Forbidden, NotFound, ReferenceConflict, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn debit(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(name): PathParameter,
    Json(payment): Json<Payment>,
) -> HandlerResult {
    let (name, amount, reference) = checked(&name, &payment)?;
    let cashier = admin.cashier().acting(&operator);
    match done(cashier.debit(&name, amount, reference).await?) {
        Ok(applied) => receipt(&admin, &name, payment, applied.repeated).await,
        Err(waits) => document(StatusCode::ACCEPTED, &waits),
    }
}

fn checked(name: &str, payment: &Payment) -> Result<(AccountName, Amount, Reference), Refusal> {
    Ok((
        account_name(name)?,
        positive(payment.amount)?,
        text("reference", &payment.reference)?,
    ))
}

async fn receipt(admin: &Admin, name: &AccountName, payment: Payment, repeated: bool) -> HandlerResult {
    let balance = admin.cashier().account(name).await?.account.balance.units();
    let Payment { amount, reference } = payment;
    document(
        created(repeated),
        &PaymentReceipt {
            account: name.as_str().to_owned(),
            amount,
            reference,
            balance,
        },
    )
}

fn new_password(field: &str, text: &str) -> Result<NewPassword, Problem> {
    Ok(NewPassword::new(text).map_err(|error| Refusal::new(Reason::Invalid, format!("{field}: {error}")))?)
}

fn shown(profile: Profile) -> AdminAccount {
    let Profile { account, listed, .. } = profile;
    AdminAccount {
        name: account.name.as_str().to_owned(),
        balance: account.balance.units(),
        listed,
        status: convert::status(account.status),
    }
}

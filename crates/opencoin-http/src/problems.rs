//! The refusals of the accounts' API, as responses of the description.

use std::collections::BTreeMap;

use opencoin_issuer::Reason;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, schema};
use utoipa::{IntoResponses, ToSchema};

use super::answer;

/// A problem document (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(super) struct Problem {
    /// What is wrong, for people.
    detail: String,
    /// The status of the answer.
    status: u16,
    /// The fixed word, for programs.
    title: String,
}

/// Declares the response to one fixed word.
macro_rules! problem {
    ($name:ident, $reason:ident, $description:literal) => {
        #[doc = $description]
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([response(Reason::$reason, $description)])
            }
        }
    };
}

problem!(
    Malformed,
    Malformed,
    "Not a request of this kind: not JSON, an unknown or missing field, parameter or header."
);
problem!(
    Unauthorized,
    Unauthorized,
    "No token, one that is not good any more, a wrong password or key."
);
problem!(Short, InsufficientFunds, "The account has too little.");
problem!(Forbidden, Forbidden, "The token is good, and not for this.");
problem!(
    NotFound,
    NotFound,
    "There is no such account, service or payout, as far as the caller may see."
);
problem!(
    ReferenceConflict,
    ReferenceConflict,
    "The key or reference was used before, for something else."
);
problem!(Exists, Exists, "The name is taken.");
problem!(TooLarge, TooLarge, "The body is too long.");
problem!(
    Invalid,
    Invalid,
    "Well formed, and it cannot be: an amount of nothing, a name with other characters."
);
problem!(
    TooManyRequests,
    TooManyRequests,
    "Too many of these from one client, or for one name: again after a while."
);
problem!(
    Unavailable,
    Unavailable,
    "Not now: overloaded, shutting down, or the database is away. Send the same request again."
);

pub(super) fn response(reason: Reason, description: &str) -> (String, RefOr<Response>) {
    let text = || {
        HeaderBuilder::new().schema(Some(
            schema::ObjectBuilder::new().schema_type(schema::Type::String),
        ))
    };
    let word = text().description(Some(format!("`{}`", reason.word()))).build();
    let schema = Ref::from_schema_name("Problem");
    let mut response = ResponseBuilder::new()
        .description(description)
        .content(
            "application/problem+json",
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .header("OpenCoin-Error", word);
    if matches!(reason, Reason::TooManyRequests | Reason::Unavailable) {
        response = response.header("Retry-After", text().description(Some("Seconds.")).build());
    }
    (
        answer::status(reason).as_str().to_owned(),
        response.build().into(),
    )
}

//! The refusals of the API for accounts in the OpenAPI description.

use std::collections::BTreeMap;

use opencoin_issuer::Reason;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, schema};
use utoipa::{IntoResponses, ToSchema};

use super::answer;

/// A problem document (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only for the description")]
pub(super) struct Problem {
    /// A text for people that says what is wrong.
    detail: String,
    /// With `wrong-sequence`: the next number of the payer.
    #[schema(nullable = false)]
    expected: Option<u64>,
    /// The HTTP status.
    status: u16,
    /// The fixed word, for programs.
    title: String,
}

/// Declares the response with one fixed word.
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
    "Not JSON, or an unknown or missing field, parameter or header."
);
problem!(
    Unauthorized,
    Unauthorized,
    "No token, an expired or unknown token, or a wrong password or key."
);
problem!(Short, InsufficientFunds, "The balance of the account is too low.");
problem!(
    Forbidden,
    Forbidden,
    "The token is valid, but does not allow this."
);
problem!(
    NotFound,
    NotFound,
    "There is no such account, service or payout that the caller may see."
);
problem!(
    ReferenceConflict,
    ReferenceConflict,
    "The key or reference was used before for another request."
);
problem!(Exists, Exists, "The name is taken.");
problem!(
    PreviewChanged,
    PreviewChanged,
    "Booking the statement would do something else now. Nothing was booked; look at the preview again."
);
problem!(
    Decided,
    Decided,
    "It was decided before in another way. Nothing was changed."
);
problem!(NoLog, NotFound, "The currency has no public log.");
problem!(
    NoSupply,
    NotFound,
    "The currency does not show how many coins there are."
);
problem!(UnknownKey, UnknownKey, "The key has no account.");
problem!(
    WrongSequence,
    WrongSequence,
    "The payment does not have the next number of its payer, which the field `expected` and the header OpenCoin-Expected-Sequence have."
);
problem!(PaymentExpired, PaymentExpired, "The payment came after its end.");
problem!(
    ChallengeExpired,
    ChallengeExpired,
    "The challenge has ended. Ask for another one."
);
problem!(
    TooManyAccounts,
    TooLarge,
    "There are more accounts than the list may have. Replay the log instead."
);
problem!(
    WrongPayment,
    WrongSignature,
    "The payment is wrong in itself: `wrong-signature`, `wrong-domain`, `wrong-amount`, `wrong-memo`, `wrong-details`, `payment-to-itself`, `weak-key`, or `invalid`."
);
problem!(TooLarge, TooLarge, "The body is too long.");
problem!(
    Invalid,
    Invalid,
    "A value is not allowed, for example an amount of 0 or a name with other characters."
);
problem!(
    TooManyRequests,
    TooManyRequests,
    "Too many requests from one client, or too many attempts for one name. Try again later."
);
problem!(
    Unavailable,
    Unavailable,
    "The server is overloaded or shutting down, or its database is unavailable. Send the same request again."
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

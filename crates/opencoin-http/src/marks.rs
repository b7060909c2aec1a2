//! What a handler tells the layers around it, in the extensions of an answer.

/// The type of a request whose path does not say it; it goes with the response.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestType(pub(super) &'static str);

/// In the extensions of an answer: its handler has found the account of the request's token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authenticated;

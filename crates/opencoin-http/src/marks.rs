//! Extensions of responses, by which a handler informs the middleware.

/// The type of a request, if the path does not imply it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestType(pub(super) &'static str);

/// The handler has found the account of the request's token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authenticated;

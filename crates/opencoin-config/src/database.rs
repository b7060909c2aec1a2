//! What the address of a database looks like.

/// How the address of books in a file begins.
pub const SQLITE_SCHEME: &str = "sqlite:";
const POSTGRES_SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The forms of an address, for whoever wrote another.
pub const ADDRESS_FORMS: &str = "a database is sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE";

/// Whether an address is of either kind.
#[must_use]
pub fn is_address(database: &str) -> bool {
    database.starts_with(SQLITE_SCHEME) || is_shared(database)
}

/// Whether the books lie on a server, where those of another currency may be already.
#[must_use]
pub fn is_shared(database: &str) -> bool {
    POSTGRES_SCHEMES.iter().any(|scheme| database.starts_with(scheme))
}

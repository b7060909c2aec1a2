//! The forms of a database address.

/// The prefix of the address of books in a file.
pub const SQLITE_SCHEME: &str = "sqlite:";
const POSTGRES_SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The forms of an address, for error texts.
pub const ADDRESS_FORMS: &str = "a database is sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE";

/// Whether an address has one of the supported prefixes.
#[must_use]
pub fn is_address(database: &str) -> bool {
    database.starts_with(SQLITE_SCHEME) || is_shared(database)
}

/// Whether the books are in a database server, where those of another currency may exist already.
#[must_use]
pub fn is_shared(database: &str) -> bool {
    POSTGRES_SCHEMES.iter().any(|scheme| database.starts_with(scheme))
}

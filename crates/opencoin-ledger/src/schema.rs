//! Which versions of the program may use which versions of the tables.
//!
//! A migration runs only when an operator says so (`opencoin issuer migrate`), so a program that is started
//! by mistake changes nothing. During a rolling upgrade older programs meet newer tables. They may start and
//! go on if the newer tables say that they are compatible.

use crate::LedgerError;

/// The versions of the tables and of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaState {
    /// The version of the tables; `None` if there are none.
    pub version: Option<i64>,
    /// The version that this program was written for.
    pub known: i64,
    /// The migrations between the two, with version and name.
    pub pending: Vec<(i64, String)>,
}

/// Checks that a program written for schema version `known` may use tables of `version`. If the tables are
/// newer, they state the lowest version that a program must know, `oldest_program`.
///
/// # Errors
/// The tables are older than the program, or newer and not compatible with it.
pub fn admit(version: i64, known: i64, oldest_program: Option<i64>) -> Result<(), LedgerError> {
    if version < known {
        return Err(LedgerError::SchemaOlder { version, known });
    }
    let is_compatible = version == known || oldest_program.is_some_and(|oldest| oldest <= known);
    if is_compatible {
        Ok(())
    } else {
        Err(LedgerError::SchemaUnknown(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_tables_must_be_migrated_and_newer_tables_must_be_compatible() {
        assert_eq!(admit(5, 5, None), Ok(()));
        assert_eq!(
            admit(4, 5, None),
            Err(LedgerError::SchemaOlder { version: 4, known: 5 })
        );
        assert_eq!(admit(6, 5, Some(5)), Ok(()));
        assert_eq!(admit(7, 5, Some(3)), Ok(()));
        assert_eq!(admit(6, 5, Some(6)), Err(LedgerError::SchemaUnknown(6)));
        assert_eq!(admit(6, 5, None), Err(LedgerError::SchemaUnknown(6)));
    }
}

//! Which programs may work with which tables.
//!
//! A migration changes the tables from one version to the next, and runs when an operator says so (`opencoin
//! issuer migrate`), so that a program that was started by mistake changes nothing. During a rolling upgrade
//! programs of the version before meet newer tables: they go on, and start, where the migrations have
//! declared that.

use crate::LedgerError;

/// The tables of books, and what this program knows of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaState {
    /// The version of the tables; `None` where there are none.
    pub version: Option<i64>,
    /// The version that this program was written for.
    pub known: i64,
    /// The migrations between the two: version and name.
    pub pending: Vec<(i64, String)>,
}

/// Whether a program that knows the schema up to `known` may work with tables of `version`. A migration that
/// is newer has left in them which version a program must know at least.
///
/// # Errors
/// It may not.
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
    fn older_tables_are_migrated_first_and_newer_ones_must_say_that_they_are_compatible() {
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

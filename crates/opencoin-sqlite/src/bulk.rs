//! Many rows in one statement.
//!
//! SQLite has no arrays, so a statement names each value. Rows are cut in pieces of few fixed sizes: each size is one
//! statement text, prepared once and kept by its connection.

/// The most rows in one statement; with nine columns well below SQLite's limit of 32,766 parameters.
const ROWS_MAX: usize = 256;

/// Cuts rows into pieces of 256, 64, 16, 4 and 1.
pub(crate) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut size = ROWS_MAX;
    std::iter::from_fn(move || {
        while size > rows.len() && size > 1 {
            size /= 4;
        }
        let (piece, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(piece)
    })
}

/// `(?,?),(?,?),(?,?)`: placeholders of so many rows and columns.
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    vec![row; rows].join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_rows_in_few_sizes() {
        let sizes = |count: usize| pieces(&vec![(); count]).map(<[()]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(0), [0_usize; 0]);
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(7), [4, 1, 1, 1]);
        assert_eq!(sizes(256), [256]);
        assert_eq!(sizes(599), [256, 256, 64, 16, 4, 1, 1, 1]);
    }

    #[test]
    fn placeholders_are_rows() {
        assert_eq!(placeholders(2, 3), "(?,?,?),(?,?,?)");
    }
}

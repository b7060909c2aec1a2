//! Splits rows so that one statement writes or reads many of them.
//!
//! SQLite has no array parameters, so a statement has a placeholder for each value. Rows are split into
//! pieces of a few fixed sizes, so that each connection prepares only one statement a size.

/// The most rows in one statement. With nine columns this is well below SQLite's limit of 32,766 parameters.
const ROWS_MAX: usize = 256;

/// Splits rows into pieces of 256, 64, 16, 4 and 1.
pub(crate) fn pieces<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    opencoin_sql::pieces(rows, ROWS_MAX)
}

/// Splits rows into pieces of at most 256. Returns each piece also padded with its last row to 1, 4, 16, 64
/// or 256 rows, for statements that ignore repeated rows. This costs less than exact pieces, which need more
/// calls to SQLite's thread.
pub(crate) fn padded_pieces<T>(rows: &[T]) -> impl Iterator<Item = (&[T], Vec<&T>)> {
    rows.chunks(ROWS_MAX).map(|piece| {
        let mut size = 1;
        while size < piece.len() {
            size *= 4;
        }
        let last = piece.last().expect("no piece is empty");
        (
            piece,
            piece.iter().chain(std::iter::repeat(last)).take(size).collect(),
        )
    })
}

/// Placeholders for a number of rows and columns, such as `(?,?),(?,?),(?,?)`.
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
    fn padded_pieces_repeat_their_last_row() {
        let sizes = |count: usize| {
            let rows: Vec<_> = (0..count).collect();
            let pieces = padded_pieces(&rows).map(|(piece, padded)| {
                assert!(padded[..piece.len()].iter().copied().eq(piece));
                assert!(padded[piece.len()..].iter().all(|row| Some(*row) == piece.last()));
                (piece.len(), padded.len())
            });
            pieces.collect::<Vec<_>>()
        };
        assert_eq!(sizes(0), []);
        assert_eq!(sizes(1), [(1, 1)]);
        assert_eq!(sizes(5), [(5, 16)]);
        assert_eq!(sizes(600), [(256, 256), (256, 256), (88, 256)]);
    }

    #[test]
    fn placeholders_are_grouped_by_row() {
        assert_eq!(placeholders(2, 3), "(?,?,?),(?,?,?)");
    }
}

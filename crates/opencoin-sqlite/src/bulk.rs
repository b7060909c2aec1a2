//! Many rows in one statement.
//!
//! SQLite has no arrays, so a statement names each value. Rows are cut in pieces of few fixed sizes: each
//! size is one statement text, prepared once and kept by its connection.

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

/// Cuts rows into pieces of at most 256, each also filled up with its last row to 1, 4, 16, 64 or 256: for
/// statements to which a row that comes again is nothing. It costs less than the trips to SQLite's thread
/// that exact pieces take.
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
    fn placeholders_are_rows() {
        assert_eq!(placeholders(2, 3), "(?,?,?),(?,?,?)");
    }
}

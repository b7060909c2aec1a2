//! Splits rows so that one statement writes or reads many of them.

/// Splits rows into pieces of `rows_max`, a quarter of it, and so on, so that each connection prepares only one statement
/// for each of few sizes.
pub fn pieces<T>(mut rows: &[T], rows_max: usize) -> impl Iterator<Item = &[T]> {
    let mut size = rows_max;
    std::iter::from_fn(move || {
        while size > rows.len() && size > 1 {
            size /= 4;
        }
        let (piece, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(piece)
    })
}

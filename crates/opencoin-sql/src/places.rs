//! The places of parameters in a statement about several rows.

/// `($1, $2), ($3, $4), ...`
pub(crate) fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| format!("({})", numbered(row * columns, columns));
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `$1, $2, ...`, for a list that a value is looked for in.
pub(crate) fn list(values: usize) -> String {
    numbered(0, values)
}

/// As [`list`], after so many other parameters.
pub(crate) fn list_after(before: usize, values: usize) -> String {
    numbered(before, values)
}

/// So many places after the first ones.
fn numbered(before: usize, count: usize) -> String {
    let places = (before + 1..=before + count).map(|place| format!("${place}"));
    places.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_through() {
        assert_eq!(places(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(list(3), "$1, $2, $3");
        assert_eq!(list_after(1, 2), "$2, $3");
    }
}

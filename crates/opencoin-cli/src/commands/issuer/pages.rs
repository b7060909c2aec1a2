//! Lists that are read in pages.

/// Items per page.
pub(super) const PAGE: u32 = 500;

/// All items of a list. `page` reads the items after the given one, [`PAGE`] at most; the first ones if none is given.
pub(super) async fn all_pages<T, E>(
    page: impl AsyncFn(Option<&T>) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let mut items = Vec::new();
    loop {
        let next = page(items.last()).await?;
        let is_last = next.len() < PAGE as usize;
        items.extend(next);
        if is_last {
            return Ok(items);
        }
    }
}

//! Cookies of requests and answers.

use axum::http::HeaderValue;
use axum::http::header::GetAll;

/// The value of a cookie. If it is there twice, it cannot be ours, and counts as missing.
pub(crate) fn find<'headers>(cookies: GetAll<'headers, HeaderValue>, name: &str) -> Option<&'headers str> {
    let pairs = cookies
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

//! `GET /static/{file}`.

use axum::body::Body;
use axum::http::Response;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use opencoin_issuer::{Reason, Refusal};

use crate::address::Path;
use crate::assets::{self, StaticFile};
use crate::visit::{Failure, PageResult};

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const NOT_AT_ALL: HeaderValue = HeaderValue::from_static("no-store");

/// Answers with a static file.
pub(crate) async fn serve(Path(file): Path<String>) -> PageResult {
    let missing = || Failure::from(Refusal::new(Reason::NotFound, "there is no such file"));
    let (file, is_current) = assets::find(&file).ok_or_else(missing)?;
    Ok(answer(file, if is_current { FOR_EVER } else { NOT_AT_ALL }))
}

fn answer(file: &StaticFile, cache_control: HeaderValue) -> Response<Body> {
    let content_type = match file.name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let mut response = Response::new(Body::from(file.content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, cache_control);
    response
}

//! HTTP with programs of other parties, which may answer anything: bounded in time and size, without redirects.

use std::time::Duration;

use reqwest::{Client, Response, redirect};

/// A client whose requests end after `longest`.
///
/// # Errors
/// When TLS cannot be initialized.
pub(super) fn client(longest: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .timeout(longest)
        .redirect(redirect::Policy::none())
        .build()
}

/// The body of an answer.
///
/// # Errors
/// It does not arrive, is longer than `bytes_max`, or is not text.
pub(super) async fn text(mut response: Response, bytes_max: usize) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > bytes_max {
            return Err("its answer is too long".to_owned());
        }
    }
    String::from_utf8(body).map_err(|_| "its answer is not text".to_owned())
}

/// Why there is no answer.
pub(super) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "it does not answer in time".to_owned()
    } else {
        error.to_string()
    }
}

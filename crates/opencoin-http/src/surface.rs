//! The parts of a listener, which have different rules for browsers.
//!
//! *The API* takes tokens from programs and never reads a cookie. So web pages of every origin may use it: nothing is sent
//! with their requests that they do not have themselves. *Pages* take cookies, and no page of another origin may read or
//! send anything there. *Health checks* come from machines that may use any name for the server.

use axum::http::Method;

/// A part of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    Api,
    Pages,
    Health,
}

/// The first segments of the paths of pages, of both listeners. `GET /` is a page too, and `POST /` is the API.
const PAGES: [&str; 3] = ["account", "console", "static"];

impl Surface {
    /// The part to which a request belongs. Unknown paths belong to the API.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        if path == "/" {
            let is_read = matches!(*method, Method::GET | Method::HEAD);
            return if is_read { Self::Pages } else { Self::Api };
        }
        let segment = path.get(1..).unwrap_or_default();
        let segment = segment.split_once('/').map_or(segment, |(first, _)| first);
        if segment == "health" {
            Self::Health
        } else if PAGES.contains(&segment) {
            Self::Pages
        } else {
            Self::Api
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segment_decides() {
        let (get, post) = (Method::GET, Method::POST);
        for (method, path, surface) in [
            (&get, "/", Surface::Pages),
            (&post, "/", Surface::Api),
            (&Method::OPTIONS, "/", Surface::Api),
            (&get, "/account", Surface::Pages),
            (&post, "/account/pay", Surface::Pages),
            (&get, "/static/pages.css", Surface::Pages),
            (&get, "/accounts", Surface::Api),
            (&get, "/v1/account", Surface::Api),
            (&get, "/health/ready", Surface::Health),
            (&get, "/cddc", Surface::Api),
            (&get, "*", Surface::Api),
        ] {
            assert_eq!(Surface::of(method, path), surface, "{method} {path}");
        }
    }
}

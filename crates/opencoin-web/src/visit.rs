//! A request for a page, and its answer.

use std::convert::Infallible;
use std::fmt::Display;

use askama::Template;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_LANGUAGE, CONTENT_TYPE, HeaderValue, LOCATION, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use opencoin_issuer::Refusal;

use crate::language::Language;
use crate::messages::Messages;

/// The parameter of the switch between languages.
pub(crate) const LANGUAGE_PARAMETER: &str = "lang";

/// What follows the path of a page in the paths of its forms, and below which path. A form whose page has the same path,
/// but for the `/confirm` of a second step, is not here.
const FORM_ENDS: [(&str, &str); 18] = [
    ("/console/accounts/", "/programs/remove"),
    ("/console/accounts/", "/handed-over"),
    ("/console/payouts/", "/paid"),
    ("/console/payouts/", "/failed"),
    ("/console/payout-files/", "/paid"),
    ("/console/payout-files/", "/withdraw"),
    ("/console/bank/statements/", "/book"),
    ("/console/bank/lines/", "/assign"),
    ("/console/bank/lines/", "/set-aside"),
    ("/console/proposals/", "/approve"),
    ("/console/proposals/", "/decline"),
    ("/console/keys/", "/signing/paused"),
    ("/console/keys/", "/signing/on"),
    ("/account/programs/", "/pair"),
    ("/account/programs/", "/remove"),
    ("/account/settings/", "/directory"),
    ("/account/settings/", "/password"),
    ("/", "/logout"),
];

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// What the language depends on.
const LANGUAGE_HEADERS: HeaderValue = HeaderValue::from_static("Accept-Language, Cookie");

/// The answer of a page, or the refusal that becomes one.
pub(crate) type PageResult = Result<Response<Body>, Failure>;

/// An answer in place of the page: the page of a refusal, or a redirection.
pub(crate) struct Failure(Box<Response<Body>>);

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self(Box::new(opencoin_http::problem(&refusal)))
    }
}

impl From<Response<Body>> for Failure {
    fn from(response: Response<Body>) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        *self.0
    }
}

/// Extractor: who visits which page, in which language.
pub(crate) struct Visit {
    pub(crate) language: Language,
    uri: Uri,
    /// Whether a form was sent, so that there need not be a page at this path.
    sends_form: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::new(&parts.method, &parts.uri, &parts.headers))
    }
}

impl Visit {
    pub(crate) fn new(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        Self {
            language: Language::of_request(headers),
            uri: uri.clone(),
            sends_form: !matches!(*method, Method::GET | Method::HEAD),
        }
    }

    /// The path that was asked for.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The texts in the visitor's language.
    pub(crate) fn messages(&self) -> Messages {
        Messages::new(self.language)
    }

    /// What the layout of a page needs.
    pub(crate) fn frame(&self, title: impl Display) -> Frame {
        let (page, query) = if self.sends_form {
            (page_with_form(self.path()), None)
        } else {
            (self.path(), self.uri.query())
        };
        // A link that begins with two slashes leads to another host, and browsers read a backslash as a slash.
        let leads_away = page.starts_with("//") || page.starts_with("/\\");
        Frame {
            title: title.to_string(),
            language: self.language,
            page: if leads_away { "/" } else { page }.to_owned(),
            parameters: without_language(query),
        }
    }
}

/// The page with the form that is sent to this path.
fn page_with_form(path: &str) -> &str {
    let form = path.strip_suffix("/confirm").unwrap_or(path);
    let page = |(below, end): &(&str, &str)| {
        let page = form.strip_suffix(end)?;
        form.starts_with(below).then_some(page)
    };
    FORM_ENDS.iter().find_map(page).unwrap_or(form)
}

/// What the layout of every page needs. Each template has it as `frame`, and the texts as `t`.
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) language: Language,
    /// The path of the page, or of the page with the form that this answers.
    page: String,
    parameters: Vec<(String, String)>,
}

/// A link to the same page in a language.
pub(crate) struct LanguageLink {
    pub(crate) language: Language,
    pub(crate) href: String,
    pub(crate) is_current: bool,
}

impl Frame {
    /// The path of a static file.
    #[expect(clippy::unused_self, reason = "templates call it")]
    pub(crate) fn file(&self, name: &str) -> &'static str {
        crate::assets::path(name)
    }

    /// The same page in each language.
    pub(crate) fn languages(&self) -> Vec<LanguageLink> {
        let link = |language: Language| {
            let mut parameters = self.parameters.clone();
            parameters.push((LANGUAGE_PARAMETER.to_owned(), language.tag().to_owned()));
            LanguageLink {
                language,
                href: format!("{}?{}", self.page, encoded(&parameters)),
                is_current: language == self.language,
            }
        };
        Language::ALL.map(link).into()
    }
}

/// The parameters of a query without that of the language.
pub(crate) fn without_language(query: Option<&str>) -> Vec<(String, String)> {
    let parsed: Vec<(String, String)> =
        serde_urlencoded::from_str(query.unwrap_or_default()).unwrap_or_default();
    parsed
        .into_iter()
        .filter(|(name, _)| name != LANGUAGE_PARAMETER)
        .collect()
}

/// A query of these parameters.
pub(crate) fn encoded(parameters: &[(String, String)]) -> String {
    serde_urlencoded::to_string(parameters).expect("names and values are texts")
}

/// A page.
pub(crate) fn page(status: StatusCode, language: Language, template: &impl Template) -> Response<Body> {
    let text = template.render().expect("a template writes into memory");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, LANGUAGE_HEADERS);
    response
}

/// The answer to a form: the browser goes on with a GET, so that reloading sends nothing again.
pub(crate) fn see_other(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let location = HeaderValue::try_from(path).expect("paths of pages are ASCII");
    response.headers_mut().insert(LOCATION, location);
    response
}

//! The pages of an issuer: the currency in public, the accounts of holders, the console of operators.
//!
//! Pages are rendered here, complete without scripts, and served by `opencoin-http` beside its API ([`pages`] makes them).
//! A handler calls the same functions of `opencoin-issuer` as the API's handler does; nothing is decided in a page.
//!
//! # To add a page
//!
//! 1. **Texts.** Write them into `locales/en/GROUP.json` and `locales/de/GROUP.json`, where GROUP is the part of the site
//!    (`public`, `account`, `console`, or `common` for what several parts say). The build makes a method of each: the
//!    text `paid` of the group `account` with the placeholders `{amount}`, `{to}` and `{time}` becomes
//!    `t.account_paid(amount, to, time)`; `build.rs` says which placeholders are moments. A text with a number has the
//!    forms `one` and `other` and the placeholder `{count}`. Write whole sentences, never pieces. A missing text or
//!    placeholder fails the build, an unused one the lints.
//! 2. **Template.** `templates/GROUP/NAME.html` extends `layout.html` and fills its blocks `main` and, if it has one, `nav`.
//!    Its struct has the fields `frame` (from `visit.frame(title)`) and `t` (from `visit.messages()`). Everything is
//!    escaped. No inline code and no attribute `style`: the policy of `headers.rs` forbids both. Free text from people
//!    stands in `<bdi>`; values of messages do so by themselves. Amounts and times come from `format.rs`. A table has
//!    the class `list`, its amounts `amount`; what a class means stands in `static/pages.css`.
//! 3. **Handler.** It takes a `Visit`, `State<Arc<Server>>` and what else it needs, calls the issuer, and returns
//!    `Ok(page(StatusCode::OK, visit.language, &template))`. A `Refusal` with `?` becomes the page of a refusal.
//! 4. **Route.** Add it to the router of its part: `public`, `account` or `console`. Every route passes `guard.rs`, which
//!    refuses forms of other sites, and gets the headers of `headers.rs`. The path must be below `/account` on the
//!    listener for wallets and below `/console` on the operator's, so that `opencoin-http` knows it as a page.
//! 5. **A form** is sent with POST, carries the token of its session, and is answered with `see_other`, so that a reload
//!    repeats nothing. What moves money or cannot be undone carries an idempotency key too, and has two steps
//!    (`steps.rs`). If there is no page at its path, `visit.rs` says which page has it: the switch between languages leads
//!    there.
//! 6. **A script** may only make a page more comfortable. It goes into `static/`, finds its elements by attributes `data-...`,
//!    and writes text (`textContent`), never markup.
//! 7. **Tests.** Add the page to the tests in `tests/pages`, which send requests to the routers, and to those in
//!    `tests/tests/pages*.rs` of the workspace, which look at it with a browser.

mod account;
mod address;
mod assets;
mod console;
mod cookies;
mod fault;
mod files;
mod format;
mod forms;
mod guard;
mod headers;
mod language;
mod messages;
mod notes;
mod payouts;
mod picture;
mod programs;
mod public;
mod refusals;
mod sessions;
mod site;
mod steps;
mod uploads;
mod visit;
mod words;

use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router, middleware};
use opencoin_http::{Pages, Server};

pub use site::SiteOptions;

/// The pages of a server.
#[must_use]
pub fn pages(options: SiteOptions) -> Pages {
    let site = site::Site::new(options);
    let complete = |router: Router<Arc<Server>>| {
        router
            .route("/static/{file}", get(files::serve))
            .layer(middleware::from_fn(guard::guard))
            .layer(Extension(Arc::clone(&site)))
    };
    Pages {
        public: complete(public::router().merge(account::router())),
        console: complete(console::router()),
        show_refusal: refusals::show,
    }
}

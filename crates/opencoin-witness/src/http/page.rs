//! `GET /`: what this witness is and what it has cosigned, for people.
//!
//! The page has no script and no style, and the browser is told to load none.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{Response, StatusCode};
use chrono::{DateTime, SecondsFormat};
use opencoin_connections::{escape_html, plain_answer, plain_text, set_header};
use opencoin_log::key::VerifierKey;
use opencoin_log::witness::checkpoint_path;

use super::server::WitnessServer;
use crate::store::WitnessedLog;

const HTML: &str = "text/html; charset=utf-8";
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The page.
pub(super) async fn page(State(server): State<Arc<WitnessServer>>) -> Response<Body> {
    let keys = server.witness().keys();
    match server.witness().store().logs().await {
        Ok(logs) => {
            let html = html(keys.name().as_str(), &keys.vkeys(), &logs);
            let mut response = plain_answer(StatusCode::OK, HTML, html);
            set_header(&mut response, CONTENT_SECURITY_POLICY, POLICY);
            response
        }
        Err(error) => {
            tracing::error!(%error, "the logs cannot be read for the page");
            plain_text(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read")
        }
    }
}

fn html(name: &str, vkeys: &[VerifierKey], logs: &[WitnessedLog]) -> String {
    let name = escape_html(name);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Witness {name}</title></head>\n\
         <body>\n<h1>Witness {name}</h1>\n\
         <p>A witness of transparency logs (<a href=\"https://c2sp.org/tlog-witness\">c2sp.org/tlog-witness</a>). It \
         cosigns a checkpoint only if the log has grown since the last one and has changed nothing.</p>\n<h2>Keys</h2>\n"
    );
    for vkey in vkeys {
        push(
            &mut html,
            format_args!("<pre>{}</pre>\n", escape_html(&vkey.to_string())),
        );
    }
    html.push_str(
        "<h2>Logs</h2>\n<table>\n<tr><th>Origin</th><th>Size</th><th>Root</th><th>Last cosigned</th></tr>\n",
    );
    for log in logs.iter().filter(|log| log.is_accepted) {
        row(&mut html, log);
    }
    html.push_str("</table>\n</body>\n</html>\n");
    html
}

fn row(html: &mut String, log: &WitnessedLog) {
    let origin = escape_html(&log.origin);
    let Some(last) = &log.last else {
        push(
            html,
            format_args!("<tr><td>{origin}</td><td></td><td></td><td>never</td></tr>\n"),
        );
        return;
    };
    let (path, root) = (checkpoint_path(&log.origin), last.root.to_base64());
    push(
        html,
        format_args!(
            "<tr><td><a href=\"{path}\">{origin}</a></td><td>{}</td><td><code>{root}</code></td><td>{}</td></tr>\n",
            last.size,
            time(last.time)
        ),
    );
}

fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.write_fmt(text).expect("writing to a string does not fail");
}

fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(
        || seconds.to_string(),
        |time| time.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_write_html() {
        let log = WitnessedLog {
            origin: "<script>alert('x')</script>&\"".to_owned(),
            keys: Vec::new(),
            url: None,
            is_accepted: true,
            last: None,
            contradictions: 0,
        };
        let html = html("<b>w</b>", &[], &[log]);
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
        assert!(
            html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"),
            "{html}"
        );
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(time(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(time(u64::MAX), u64::MAX.to_string());
    }
}

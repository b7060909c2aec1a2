//! `GET /`: what this auditor is, what it has checked and what it has found, for people.
//!
//! The page has no script and no style, and the browser is told to load none.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{Response, StatusCode};
use chrono::{DateTime, SecondsFormat};
use opencoin_connections::{escape_html, plain_answer, set_header};
use opencoin_log::key::VerifierKey;

use super::plot::Plot;
use super::server::AuditorServer;
use super::status::unavailable;
use crate::report::Report;

const HTML: &str = "text/html; charset=utf-8";
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The most findings and pieces of evidence of a currency on the page. All of them are in `/status.json`.
const SHOWN_MAX: usize = 50;

/// The page.
pub(super) async fn page(State(server): State<Arc<AuditorServer>>) -> Response<Body> {
    let auditor = server.auditor();
    match auditor.reports().await {
        Ok(reports) => {
            let page = Page {
                name: auditor.keys().name().as_str(),
                vkeys: &auditor.keys().vkeys(),
                is_light: auditor.options().is_light,
            };
            let mut response = plain_answer(StatusCode::OK, HTML, page.html(&reports));
            set_header(&mut response, CONTENT_SECURITY_POLICY, POLICY);
            response
        }
        Err(error) => unavailable(&error),
    }
}

struct Page<'auditor> {
    name: &'auditor str,
    vkeys: &'auditor [VerifierKey],
    is_light: bool,
}

impl Page<'_> {
    fn html(&self, reports: &[Report]) -> String {
        let name = escape_html(self.name);
        let what = if self.is_light {
            "A light auditor: it follows the checkpoints of public logs, checks that each log only grows, and takes \
             samples. It cosigns nothing."
        } else {
            "An auditor: it replays every entry of public logs, and cosigns a checkpoint if every rule holds up to it."
        };
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>Auditor {name}</title></head>\n\
             <body>\n<h1>Auditor {name}</h1>\n<p>{what}</p>\n<p>Its key:</p>\n"
        );
        for vkey in self.vkeys {
            push(
                &mut html,
                format_args!("<pre>{}</pre>\n", escape_html(&vkey.to_string())),
            );
        }
        html.push_str(
            "<p>For programs: <a href=\"status.json\">status.json</a>, <a href=\"evidence\">evidence</a>.</p>\n",
        );
        if reports.is_empty() {
            html.push_str("<p>It follows no currency yet: <code>opencoin auditor add</code>.</p>\n");
        }
        for report in reports {
            self.currency(&mut html, report);
        }
        html.push_str("</body>\n</html>\n");
        html
    }

    fn currency(&self, html: &mut String, report: &Report) {
        let name = report
            .description
            .as_ref()
            .map_or("", |description| description.name());
        let verdict = report.verdict(self.is_light);
        push(
            html,
            format_args!(
                "<h2>{}</h2>\n<p><strong>{}</strong></p>\n<table>\n",
                escape_html(name),
                verdict.text()
            ),
        );
        let live = &report.live;
        row(html, "Issuer", &report.currency.url);
        row(html, "Log", &report.currency.origin);
        row(html, "Master key", &report.currency.master_key);
        row(html, "Size", &entries(live.checkpoint_size));
        if self.is_light {
            row(html, "Samples", &entries(live.sampled));
        } else {
            row(html, "Checked", &entries(live.replayed));
        }
        row(html, "Quorum", &quorum(report));
        if let Some(batch) = &live.last_batch {
            let text = format!("number {}, sealed {}", batch.number, time(batch.time_s));
            row(html, "Last batch", &text);
            row(html, "In coins", &report.amount(batch.coins));
            row(html, "In expired coins", &report.amount(batch.expired));
            row(
                html,
                "On accounts, by the issuer's word",
                &report.amount(batch.accounts),
            );
            row(html, "On key accounts", &report.amount(batch.key_accounts));
            row(html, "Ever paid in", &report.amount(batch.paid_in));
            row(html, "Ever paid out", &report.amount(batch.paid_out));
            row(html, "Recouped", &report.amount(batch.recouped));
            if batch.began_late {
                row(
                    html,
                    "Before its log",
                    "the currency had coins, which nobody has attested",
                );
            }
        }
        row(html, "Cosigned", &cosigned(report));
        if let Some(refusal) = live.refusal.as_ref().filter(|_| !self.is_light) {
            row(html, "Cosigns no more", refusal);
        }
        if let Some(trouble) = &live.trouble {
            row(html, "Trouble", trouble);
        }
        if let Some(oldest) = report.unresolved.iter().map(|one| one.since_s).min() {
            row(
                html,
                "Not compared",
                &not_compared(report.unresolved.len(), oldest),
            );
        }
        if let Some(read_at) = live.read_at {
            row(html, "Read last", &time(read_at));
        }
        html.push_str("</table>\n");
        supply(html, report);
        findings(html, report);
        evidence(html, report);
    }
}

fn row(html: &mut String, name: &str, value: &str) {
    push(
        html,
        format_args!(
            "<tr><th align=\"left\">{name}</th><td>{}</td></tr>\n",
            escape_html(value)
        ),
    );
}

/// Checkpoints that the log has signed and whose files nobody shows.
fn not_compared(count: usize, oldest_s: u64) -> String {
    let checkpoints = if count == 1 { "checkpoint" } else { "checkpoints" };
    let since = time(oldest_s);
    format!(
        "{count} {checkpoints} that others have shown, the oldest since {since}; the log signed them, and until their \
         entries are seen they may be of a second history"
    )
}

fn quorum(report: &Report) -> String {
    let by: Vec<String> = report
        .live
        .cosigned_by
        .iter()
        .map(|(witness, at)| format!("{witness} at {}", time(*at)))
        .collect();
    if by.is_empty() {
        "no witness".to_owned()
    } else {
        by.join(", ")
    }
}

fn cosigned(report: &Report) -> String {
    report.cosigned.as_ref().map_or_else(
        || "nothing".to_owned(),
        |last| format!("{} at {}", entries(last.size), time(last.time)),
    )
}

fn supply(html: &mut String, report: &Report) {
    let Some(plot) = Plot::of(&report.supply, |units| report.amount(units)) else {
        return;
    };
    html.push_str("<h3>Supply over time, by denomination</h3>\n");
    html.push_str(&plot.svg);
    html.push_str("<table>\n<tr><th></th><th align=\"left\">Denomination</th><th align=\"left\">Outstanding</th></tr>\n");
    for layer in plot.layers.iter().rev() {
        let denominations: Vec<String> = layer
            .denominations
            .iter()
            .map(|denomination| escape_html(&report.amount(*denomination)))
            .collect();
        push(
            html,
            format_args!(
                "<tr><td><svg width=\"12\" height=\"12\"><rect width=\"12\" height=\"12\" fill=\"{}\"/></svg></td>\
                 <td>{}</td><td>{}</td></tr>\n",
                layer.colour,
                denominations.join(", "),
                escape_html(&report.amount(layer.now))
            ),
        );
    }
    html.push_str("</table>\n");
}

fn findings(html: &mut String, report: &Report) {
    html.push_str("<h3>Findings</h3>\n");
    if report.findings.is_empty() {
        html.push_str("<p>None.</p>\n");
        return;
    }
    html.push_str("<ul>\n");
    for finding in report.findings.iter().take(SHOWN_MAX) {
        let kind = if finding.is_broken {
            "Broken rule"
        } else {
            "Remark"
        };
        push(
            html,
            format_args!(
                "<li>{kind}, found {}: {}",
                time(finding.found_at),
                escape_html(&finding.text)
            ),
        );
        if let Some(id) = &finding.evidence {
            push(html, format_args!(" (<a href=\"evidence/{id}\">evidence</a>)"));
        }
        html.push_str("</li>\n");
    }
    html.push_str("</ul>\n");
    more(html, report.findings.len());
}

fn evidence(html: &mut String, report: &Report) {
    if report.evidence.is_empty() {
        return;
    }
    html.push_str(
        "<h3>Evidence</h3>\n<p>Verify a file with <code>opencoin evidence FILE</code>.</p>\n<ul>\n",
    );
    for evidence in report.evidence.iter().take(SHOWN_MAX) {
        let source = if evidence.is_received {
            "received"
        } else {
            "made here"
        };
        push(
            html,
            format_args!(
                "<li><a href=\"evidence/{}\">{}</a> ({}, {source}): {}</li>\n",
                evidence.id,
                escape_html(&evidence.kind),
                escape_html(&evidence.verdict),
                escape_html(&evidence.statement)
            ),
        );
    }
    html.push_str("</ul>\n");
    more(html, report.evidence.len());
}

fn more(html: &mut String, count: usize) {
    if count > SHOWN_MAX {
        push(
            html,
            format_args!("<p>And {} more, in status.json.</p>\n", count - SHOWN_MAX),
        );
    }
}

fn entries(count: u64) -> String {
    format!("{count} entries")
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

//! `GET /`: what this auditor is, what it has checked and what it has found, for people.
//!
//! The page has no script, and the browser is told to load nothing. Below the name of a currency stands first what is
//! wrong with it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{Response, StatusCode};
use opencoin_connections::{escape_html, plain_answer, set_header};
use opencoin_log::key::VerifierKey;

use super::found::{evidence, findings};
use super::html::{push, time};
use super::plot::Plot;
use super::server::AuditorServer;
use super::status::unavailable;
use super::style::{POLICY, STYLE};
use crate::report::{Report, Verdict};

const HTML: &str = "text/html; charset=utf-8";

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
            set_header(&mut response, CONTENT_SECURITY_POLICY, &POLICY);
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
            "An auditor: it reads every entry of the public logs of the currencies below, checks every rule, and \
             cosigns a log as far as all rules hold."
        };
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>Auditor {name}</title>\
             <style>{STYLE}</style></head>\n<body>\n<h1>Auditor {name}</h1>\n<p>{what}</p>\n<p>Its key:</p>\n"
        );
        for vkey in self.vkeys {
            push(
                &mut html,
                format_args!("<p><code>{}</code></p>\n", escape_html(&vkey.to_string())),
            );
        }
        html.push_str(
            "<p>For programs: <a href=\"status.json\">status.json</a>, <a href=\"evidence\">evidence</a>. If you do not \
             trust whoever runs this page, audit the currency yourself: \
             <code>opencoin auditor serve --dir auditor URL</code>, with the URL of the issuer.</p>\n",
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
        push(html, format_args!("<h2>{}</h2>\n", escape_html(name)));
        self.verdict(html, report);
        findings(html, report);
        evidence(html, report);
        let live = &report.live;
        html.push_str("<h3>The log</h3>\n<table class=\"facts\">\n");
        row(html, "Issuer", &report.currency.url);
        row(html, "Log", &report.currency.origin);
        if let Some(description) = &report.description {
            row(html, "Currency's id", &description.id());
        }
        row(html, "Master key, SHA-256", &report.currency.master_key);
        row(html, "Newest checkpoint", &entries(live.checkpoint_size));
        if self.is_light {
            row(html, "Samples", &entries(live.sampled));
        } else {
            row(html, "Checked", &entries(live.replayed));
        }
        row(html, "Witnesses", &quorum(report));
        if let Some(batch) = &live.last_batch {
            let text = format!("number {}, sealed {}", batch.number, time(batch.time_s));
            row(html, "Last batch", &text);
            row(html, "In coins", &report.amount(batch.coins));
            row(html, "In expired coins", &report.amount(batch.expired));
            row(
                html,
                "On accounts, as the issuer says",
                &report.amount(batch.accounts),
            );
            row(html, "On key accounts", &report.amount(batch.key_accounts));
            row(html, "Paid in so far", &report.amount(batch.paid_in));
            row(html, "Paid out so far", &report.amount(batch.paid_out));
            row(html, "Recouped from revoked keys", &report.amount(batch.recouped));
            if batch.began_late {
                row(
                    html,
                    "Before its log began",
                    "the currency had coins, which nobody has attested",
                );
            }
        }
        row(html, "This auditor cosigned", &cosigned(report));
        if let Some(refusal) = live.refusal.as_ref().filter(|_| !self.is_light) {
            row(html, "Cosigns no more", refusal);
        }
        if let Some(oldest) = report.unresolved.iter().map(|one| one.since_s).min() {
            row(
                html,
                "Not compared",
                &not_compared(report.unresolved.len(), oldest),
            );
        }
        if let Some(read_at) = live.read_at {
            row(html, "Looked at last", &time(read_at));
        }
        html.push_str("</table>\n");
        supply(html, report);
    }

    fn verdict(&self, html: &mut String, report: &Report) {
        let verdict = report.verdict(self.is_light);
        let class = match verdict {
            Verdict::Broken => "broken",
            Verdict::Behind => "behind",
            Verdict::Good | Verdict::Sampled => "good",
        };
        push(
            html,
            format_args!(
                "<p class=\"verdict {class}\"><strong>{}</strong></p>\n",
                verdict.text()
            ),
        );
        if let Some(trouble) = &report.live.trouble {
            let trouble = escape_html(trouble);
            push(
                html,
                format_args!("<p>The last look at the log failed, and is repeated: {trouble}</p>\n"),
            );
        }
    }
}

fn row(html: &mut String, name: &str, value: &str) {
    push(
        html,
        format_args!("<tr><th>{name}</th><td>{}</td></tr>\n", escape_html(value)),
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
        return "none".to_owned();
    }
    let description = report.description.as_ref();
    let named = description.map_or(0, |description| {
        description.block().policy().names_in_quorum().len()
    });
    format!("{} of {named}: {}", by.len(), by.join(", "))
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
    html.push_str("<h3>Coins in circulation over time, by denomination</h3>\n");
    html.push_str(&plot.svg);
    html.push_str("<table>\n<tr><th></th><th>Denomination</th><th>In circulation</th></tr>\n");
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

fn entries(count: u64) -> String {
    let noun = if count == 1 { "entry" } else { "entries" };
    format!("{count} {noun}")
}

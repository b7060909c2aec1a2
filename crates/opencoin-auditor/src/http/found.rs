//! What was found, on the page.

use opencoin_connections::escape_html;

use super::html::{push, time};
use crate::report::Report;

/// The most findings and pieces of evidence of a currency on the page. All of them are in `/status.json`.
const SHOWN_MAX: usize = 50;

pub(super) fn findings(html: &mut String, report: &Report) {
    html.push_str("<h3>Findings</h3>\n");
    if report.findings.is_empty() {
        html.push_str("<p>None.</p>\n");
        return;
    }
    html.push_str("<ul>\n");
    // However many remarks there are, broken rules are shown.
    let (broken, remarks): (Vec<_>, Vec<_>) = report.findings.iter().partition(|finding| finding.is_broken);
    for finding in broken.into_iter().chain(remarks).take(SHOWN_MAX) {
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

pub(super) fn evidence(html: &mut String, report: &Report) {
    if report.evidence.is_empty() {
        return;
    }
    html.push_str(
        "<h3>Evidence</h3>\n<p>Anybody can check a file, with nothing else than the file: <code>opencoin evidence FILE</code>.</p>\n<ul>\n",
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

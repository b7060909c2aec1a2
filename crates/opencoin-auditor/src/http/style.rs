//! The style of the page, and what the browser may load: this style and nothing else.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Follows the light or dark colours of the reader's system. Long keys are wrapped, and the drawing becomes as narrow as
/// the window.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark}
body{max-width:46rem;margin:0 auto;padding:0 1rem 2rem;font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem}h2{font-size:1.3rem;margin-top:2.5rem}h3{font-size:1.05rem}
code{font-family:ui-monospace,monospace;font-size:.9em}
.verdict{padding:.5rem 1rem;border-left:.4rem solid #d28a00}
.verdict.good{border-color:#1a8a3c}.verdict.broken{border-color:#d3222a}
table{border-collapse:collapse}
th,td{text-align:left;vertical-align:top;padding:.15rem 1rem .15rem 0}
table.facts th{width:11rem;font-weight:normal;opacity:.75}
.plot{width:100%;height:auto}
@media(max-width:40rem){.plot text{font-size:24px}table.facts th{width:7rem}}
";

/// The value of `Content-Security-Policy`.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
});

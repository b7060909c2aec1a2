//! The report of a run, as text or as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::engine_rate::EngineRate;
use super::measured::Measured;
use super::plan::Operation;
use super::raw::{Rates, RawRsa};
use super::replay::LogReplay;
use super::targets::Target;

/// The results, compared with the targets.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// `None` if nothing was measured that needs an issuer.
    #[serde(flatten)]
    pub(super) issuer: Option<Measured>,
    pub(super) replay: Option<LogReplay>,
    pub(super) targets: Vec<Target>,
}

impl Report {
    /// The costs of RSA and of the engine for one key size, shown before its rows.
    pub(super) fn raw_heading(raw: &RawRsa, engine: &EngineRate) -> String {
        let line = |name: &str, rates: Rates| {
            format!(
                "RSA {} {name}: {:.1} us of CPU; {:.0}/s on one core, {:.0}/s on all",
                raw.key_bits, rates.cpu_us, rates.one_core_per_second, rates.all_cores_per_second
            )
        };
        let columns = "          key  primes  lanes  coins  clients     req/s   coins/s   p50 ms   p99 ms  issuer us  signer us   db us  ratio  of engine   MiB  refused";
        let [private, public] = [line("private", raw.private), line("public", raw.public)];
        let in_lanes = |name: String, rates: Option<Rates>| rates.map(|rates| line(&name, rates));
        let in_lanes = [
            in_lanes(
                format!("private in lanes, {} primes", raw.key_primes),
                raw.private_in_lanes,
            ),
            in_lanes("public in lanes".to_owned(), raw.public_in_lanes),
        ];
        let mut lines = vec![
            String::new(),
            private,
            public,
            line("verification", raw.verification),
        ];
        lines.extend(in_lanes.into_iter().flatten());
        lines.extend([engine.text(), columns.to_owned()]);
        lines.join("\n")
    }

    /// The text after all rows.
    pub(super) fn conclusion(&self) -> String {
        let mut lines: Vec<String> = self.issuer.iter().flat_map(Self::of_issuer).collect();
        lines.push(format!("\n{}", Target::heading()));
        lines.extend(self.targets.iter().map(Target::row));
        lines.join("\n")
    }

    fn of_issuer(measured: &Measured) -> Vec<String> {
        let ratios = Operation::ALL
            .map(|operation| format!("{operation} {}", operation.rsa_text(measured.engine)))
            .join(", ");
        let mut lines = vec![
            format!(
                "\nissuer us, signer us, db us: CPU time of a coin; ratio: their sum / RSA alone ({ratios})"
            ),
            "of engine: coins/s / signatures/s of the engine alone".to_owned(),
            format!(
                "issuer memory: at most {:.0} MiB",
                measured.issuer_memory_peak_mib
            ),
        ];
        lines.extend(
            measured
                .signer_memory_peak_mib
                .map(|peak| format!("signer memory: at most {peak:.0} MiB")),
        );
        let mut refused: BTreeMap<u16, usize> = BTreeMap::new();
        for (status, count) in measured.measurements().flat_map(|cell| &cell.refused) {
            *refused.entry(*status).or_default() += count;
        }
        lines.push(if refused.is_empty() {
            "refused: nothing".to_owned()
        } else {
            format!("refused, answers by status: {refused:?}")
        });
        match measured.broken_invariants.as_slice() {
            [] => lines.push("audit: every invariant holds".to_owned()),
            broken => lines.extend(
                broken
                    .iter()
                    .map(|invariant| format!("audit: BROKEN: {invariant}")),
            ),
        }
        lines
    }
}

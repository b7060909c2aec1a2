//! Every fraud is found where it is committed, and nothing is found in the honest log before it.

use std::sync::Arc;

use opencoin_testkit::frauds;
use opencoin_testkit::log_builder::LogCurrency;

use crate::support::{findings, replayed};

#[test]
fn every_fraud_is_found_where_it_is_committed() {
    let currency = LogCurrency::new("issuer.test", "http://issuer.test");
    let honest = frauds::honest(Arc::new(currency));
    assert_eq!(findings(&honest), []);
    for fraud in frauds::all() {
        let mut log = honest.fork();
        (fraud.commit)(&mut log);
        let found = findings(&log);
        let is_before = found.iter().any(|finding| finding.index < honest.size());
        assert!(!is_before, "{}: {found:#?}", fraud.name);
        let first = found.iter().find(|finding| finding.is_broken());
        let first = serde_json::to_value(first).unwrap();
        assert_eq!(first["rule"]["rule"], fraud.rule, "{}", fraud.name);
        let broken = replayed(&log).first_broken();
        assert!(broken >= Some(honest.size()), "{}: {broken:?}", fraud.name);
        // It stays found, once, when the issuer goes on as if nothing had happened.
        log.seal();
        let later = findings(&log);
        assert_eq!(later[..found.len()], found[..], "{}", fraud.name);
    }
}

//! Two histories, and a log that was larger before.

use opencoin_evidence::{Accused, Claim, Evidence, EvidenceError, Rollback, SplitView, Verdict};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::Beginning;
use opencoin_testkit::log_builder::LogBuilder;

use crate::support::{Case, ONE, checked, every_byte_matters, proven};

async fn split_view(smaller: &LogBuilder, larger: &LogBuilder) -> Result<Evidence, EvidenceError> {
    let mut case = Case::new(larger);
    let Beginning { root, proof } = case.tree.beginning(smaller.size()).await.unwrap();
    let claim = SplitView::new(
        &smaller.checkpoint(),
        &case.checkpoint,
        &Beginning { root, proof },
    );
    Evidence::new(larger.cddc().cddc().clone(), Claim::SplitView(claim))
}

#[tokio::test]
async fn two_histories() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 3);
    log.seal();
    let mut other = log.fork();
    for log in [&mut log, &mut other] {
        log.issue(ONE, 4);
        log.seal();
    }
    let same_size = split_view(&log, &other).await.unwrap();
    every_byte_matters(&proven(Ok(same_size), "split view", "two histories"));
    let smaller = log.fork();
    other.issue(ONE, 1);
    other.seal();
    proven(
        Ok(split_view(&smaller, &other).await.unwrap()),
        "split view",
        "two histories",
    );
    log.issue(ONE, 1);
    log.seal();
    assert!(split_view(&smaller, &log).await.is_err(), "one history");
    assert!(split_view(&log, &log).await.is_err(), "one checkpoint");
}

#[test]
fn signatures_of_strangers_are_left_out() {
    let mut log = LogBuilder::begun();
    let honest = log.fork();
    log.issue(ONE, 1);
    log.seal();
    let mut other = honest.fork();
    other.issue(ONE, 1);
    other.seal();
    let none = Beginning {
        root: honest.root_at(0),
        proof: Vec::new(),
    };
    let stranger = opencoin_testkit::log_builder::LogCurrency::new("other.test", "http://other.test");
    let mut noted: SignedCheckpoint = log.checkpoint();
    noted.sign(&stranger.witnesses()[0], 5).unwrap();
    let claim = Claim::SplitView(SplitView::new(&noted, &other.checkpoint(), &none));
    let evidence = Evidence::new(log.cddc().cddc().clone(), claim).unwrap();
    let expected = Claim::SplitView(SplitView::new(&log.checkpoint(), &other.checkpoint(), &none));
    assert_eq!(*evidence.claim(), expected);
}

#[test]
fn a_log_that_was_larger_is_an_incident() {
    let mut log = LogBuilder::begun();
    let small = log.size();
    log.issue(ONE, 1);
    log.seal();
    let before = log.checkpoint_at(log.size(), log.now_s);
    let rollback = |later| {
        let after = log.checkpoint_at(small, log.now_s + later);
        let claim = Claim::Rollback(Rollback::new(&before, &after));
        Evidence::new(log.cddc().cddc().clone(), claim)
    };
    let found = checked(&rollback(601).unwrap(), "rollback", "has lost entries");
    assert_eq!(
        (found.verdict, found.accused),
        (Verdict::Incident, Accused::Issuer)
    );
    assert!(rollback(600).is_err(), "clocks may differ");
}

#[test]
fn a_file_has_one_text() {
    let mut log = LogBuilder::begun();
    let small = log.size();
    log.issue(ONE, 1);
    log.seal();
    let before = log.checkpoint_at(log.size(), log.now_s);
    let after = log.checkpoint_at(small, log.now_s + 700);
    let claim = Claim::Rollback(Rollback::new(&before, &after));
    let file = Evidence::new(log.cddc().cddc().clone(), claim).unwrap().to_json();
    assert!(Evidence::parse(file.trim_end().as_bytes()).is_ok());
    let spaced = file.replacen("{\"", "{ \"", 1);
    let escaped = file.replacen("rollback", "\\u0072ollback", 1);
    let more = file.replacen("{\"", "{\"a\":1,\"", 1);
    for other in [spaced, escaped, more, format!("{file}\n"), format!(" {file}")] {
        let error = Evidence::parse(other.as_bytes()).unwrap_err();
        assert!(matches!(error, EvidenceError::Form(_)), "{error}");
    }
}

//! Auditors that have cosigned what breaks a rule.

use opencoin_evidence::{
    Accused, AccusedCosigner, Claim, Evidence, EvidenceError, FalseJointSignature, SplitView, Verdict,
};
use opencoin_log::key::{KeyType, SigningKey};
use opencoin_log::leaf::Leaf;
use opencoin_log_reader::Beginning;
use opencoin_schema::Cddc;
use opencoin_testkit::log_builder::{LogBuilder, MINT_KEY_SIGNS_S};

use crate::support::{Case, ONE, checked, every_byte_matters};

const KIND: &str = "false joint signature";

fn auditor() -> SigningKey {
    let name = "auditor.test".parse().unwrap();
    SigningKey::from_seed(name, KeyType::Ed25519Cosignature, &[77; 32].into()).unwrap()
}

/// The description of the log with an auditor, and more changes.
fn audited(log: &LogBuilder, change: impl Fn(String) -> String) -> Cddc {
    let key = auditor().verifier().to_string();
    let described = log.currency().described(|cdd| {
        let info = cdd
            .additional_info
            .replacen("\nlog ", "\njoint auditors\nlog ", 1);
        let auditors = format!("witness a1 {key}\ngroup auditors 1 a1\nquorum all\n");
        cdd.additional_info = change(info.replace("quorum all\n", &auditors));
        cdd.cdd_serial = 2;
    });
    described.cddc().clone()
}

/// A log whose key has signed after its time, under a description that names the auditor.
fn late(cddc: &Cddc) -> LogBuilder {
    let mut log = LogBuilder::begun();
    log.add(&Leaf::Currency(Box::new(cddc.clone())));
    log.seal();
    log.now_s += MINT_KEY_SIGNS_S + 3600;
    log.issue(ONE, 1);
    log.seal();
    log
}

fn case(log: &LogBuilder, cddc: &Cddc, is_cosigned: bool) -> Case {
    let mut checkpoint = log.checkpoint();
    if is_cosigned {
        checkpoint.sign(&auditor(), log.now_s).unwrap();
    }
    let mut case = Case::under(log, checkpoint);
    case.cddc = cddc.clone();
    case
}

#[tokio::test]
async fn an_auditor_that_cosigns_a_broken_rule() {
    let cddc = audited(&LogBuilder::begun(), |info| info);
    let log = late(&cddc);
    let (at, description) = (log.size() - 1, 4);
    let mut case = case(&log, &cddc, true);
    let mut builder = case.builder();
    let fault = builder.outside_dates(at - 1, at, 1).await.unwrap();
    let built = builder
        .false_joint_signature("a1", &fault, description)
        .await
        .unwrap();
    let found = checked(
        &built,
        KIND,
        "\"a1\") has cosigned the log as one in which every rule holds",
    );
    assert_eq!(found.verdict, Verdict::Fault);
    every_byte_matters(&built);
    let cosigner = AccusedCosigner {
        key: auditor().verifier().clone(),
        label: "a1".to_owned(),
    };
    assert_eq!(found.accused, Accused::Cosigner(cosigner));
    // A witness is no auditor, and another description is not that of the file.
    assert!(
        builder
            .false_joint_signature("w1", &fault, description)
            .await
            .is_err()
    );
    assert!(
        builder
            .false_joint_signature("a2", &fault, description)
            .await
            .is_err()
    );
    assert!(builder.false_joint_signature("a1", &fault, 0).await.is_err());
}

/// The issuer chooses what its description calls a key: it may be the name of an honest auditor.
#[tokio::test]
async fn a_label_that_the_issuer_chose_accuses_nobody() {
    let honest = "honest.example/a1";
    let cddc = audited(&LogBuilder::begun(), |info| {
        info.replace(" a1", &format!(" {honest}"))
    });
    let log = late(&cddc);
    let at = log.size() - 1;
    let mut case = case(&log, &cddc, true);
    let mut builder = case.builder();
    let fault = builder.outside_dates(at - 1, at, 1).await.unwrap();
    let built = builder.false_joint_signature(honest, &fault, 4).await.unwrap();
    let found = checked(&built, KIND, "has cosigned");
    let vkey = auditor().verifier().to_string();
    for said in [found.accused.to_string(), found.statement] {
        let (before, after) = said.split_once(&vkey).unwrap();
        assert!(
            before.ends_with("with key ") && !before.contains(honest),
            "{said}"
        );
        let label = format!(" (the issuer's label for it is \"{honest}\")");
        assert!(after.starts_with(&label), "{said}");
    }
}

#[tokio::test]
async fn an_auditor_that_did_not_cosign() {
    let cddc = audited(&LogBuilder::begun(), |info| info);
    let log = late(&cddc);
    let at = log.size() - 1;
    let mut case = case(&log, &cddc, false);
    let mut builder = case.builder();
    let fault = builder.outside_dates(at - 1, at, 1).await.unwrap();
    assert!(builder.false_joint_signature("a1", &fault, 4).await.is_err());
}

/// An issuer could describe its log anew, so that what an auditor has found in order breaks a rule.
#[tokio::test]
async fn a_description_that_the_auditor_has_not_seen_accuses_nobody() {
    let seen = audited(&LogBuilder::begun(), |info| {
        info.replace("within 3600", "within 7200")
    });
    let strict = audited(&LogBuilder::begun(), |info| info);
    let log = late(&seen);
    let at = log.size() - 1;
    let mut case = case(&log, &strict, true);
    let mut builder = case.builder();
    let fault = builder.outside_dates(at - 1, at, 1).await.unwrap();
    assert!(builder.false_joint_signature("a1", &fault, 4).await.is_err());
    // Nor one that comes into the log after the fault.
    let mut log = log.fork();
    log.add(&Leaf::Currency(Box::new(strict.clone())));
    let description = log.size();
    log.seal();
    let mut checkpoint = log.checkpoint();
    checkpoint.sign(&auditor(), log.now_s).unwrap();
    let mut case = Case::under(&log, checkpoint);
    case.cddc = strict;
    let mut builder = case.builder();
    let fault = builder.outside_dates(at - 1, at, 1).await.unwrap();
    assert!(
        builder
            .false_joint_signature("a1", &fault, description)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_auditor_is_not_blamed_for_what_a_replay_does_not_show() {
    let cddc = audited(&LogBuilder::begun(), |info| info);
    let log = late(&cddc);
    let secret = log.currency().mint_key(5, 2, log.now_s - 10_000);
    let mut case = case(&log, &cddc, true);
    let description = case.included(4).await;
    let mut builder = case.builder();
    let keys = crate::support::keys_until(&log, log.size());
    let mut late = log.checkpoint_at(log.size(), log.now_s + 7200);
    late.sign(&auditor(), log.now_s).unwrap();
    let fault = builder
        .outside_dates(log.size() - 2, log.size() - 1, 1)
        .await
        .unwrap();
    let joint = builder.false_joint_signature("a1", &fault, 4).await.unwrap();
    // Nor twice for one fault.
    assert!(builder.false_joint_signature("a1", &joint, 4).await.is_err());
    let mut case = Case::under(&log, late);
    case.cddc = cddc.clone();
    let fault = case
        .builder()
        .secret_key(secret.mkc().clone(), keys)
        .await
        .unwrap();
    let claim = FalseJointSignature::new("a1".to_owned(), fault.claim().clone(), Some(description));
    let built = Evidence::new(cddc, Claim::FalseJointSignature(Box::new(claim)));
    assert!(matches!(built, Err(EvidenceError::DoesNotHold(_))));
}

#[tokio::test]
async fn an_auditor_that_cosigns_two_histories() {
    let cddc = audited(&LogBuilder::begun(), |info| info);
    let mut log = LogBuilder::begun();
    let mut other = log.fork();
    for log in [&mut log, &mut other] {
        log.issue(ONE, 4);
        log.seal();
    }
    let none = Beginning {
        root: log.root_at(0),
        proof: Vec::new(),
    };
    let views = |first: bool, second: bool| {
        let [mut one, mut two] = [log.checkpoint(), other.checkpoint()];
        for (checkpoint, is_cosigned) in [(&mut one, first), (&mut two, second)] {
            if is_cosigned {
                checkpoint.sign(&auditor(), log.now_s).unwrap();
            }
        }
        let claim = Claim::SplitView(SplitView::new(&one, &two, &none));
        let claim = FalseJointSignature::new("a1".to_owned(), claim, None);
        Evidence::new(cddc.clone(), Claim::FalseJointSignature(Box::new(claim)))
    };
    checked(&views(true, true).unwrap(), KIND, "two histories");
    assert!(views(true, false).is_err() && views(false, true).is_err());
}

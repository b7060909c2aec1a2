//! Challenges, and their answers.

use opencoin_evidence::{
    Claim, Evidence, EvidenceError, FalseRefusal, Verdict, WithheldSignature, check_evidence,
};
use opencoin_log::digest::{IssuedDigest, KeyFingerprint, SpentDigest};
use opencoin_log::hash::Hash;
use opencoin_log::leaf::{Leaf, issued_leaf};
use opencoin_schema::{BigInt, PayloadHash};
use opencoin_testkit::keys;
use opencoin_testkit::log_builder::{LOG_BEGIN_S, LogBuilder};

use crate::support::{Case, ONE};

fn evidence(log: &LogBuilder, claim: Claim) -> Result<Evidence, EvidenceError> {
    Evidence::new(log.cddc().cddc().clone(), claim)
}

#[tokio::test]
async fn a_signature_that_is_withheld() {
    let mut log = LogBuilder::begun();
    let key = log.currency().mint_key(0, 1, LOG_BEGIN_S);
    let document = &key.mint_key().public_mint_key;
    let width = key.public_key().modulus_bytes();
    let mut bytes = vec![0x5a; width];
    bytes[0] = 0;
    let signature = BigInt::from_be_bytes(&bytes);
    // The signature of what it gives when it is verified.
    let blinded = BigInt::from_be_bytes(&key.public_key().raw_public(&bytes).unwrap());
    let digest = IssuedDigest::of(&KeyFingerprint::of(document), width, &blinded).unwrap();
    log.issue(ONE, 4);
    log.seal_changed(|leaves, _| {
        leaves[0] = issued_leaf(ONE, &digest).to_vec();
        leaves.sort();
    });
    let at = crate::support::index_of(
        &log,
        |leaf| matches!(leaf, Leaf::Issued { digest: found, .. } if *found == digest),
    );
    let mut case = Case::new(&log);
    let (leaf, key_leaf) = (case.included(at).await, case.included(1).await);
    let challenge = WithheldSignature::new(&case.checkpoint, leaf, key_leaf, &blinded, width);
    let claim = Claim::WithheldSignature(Box::new(challenge.clone()));
    let built = evidence(&log, claim).unwrap();
    let checked = check_evidence(built.to_json().as_bytes()).unwrap();
    assert_eq!(checked.verdict, Verdict::Challenge);
    assert!(checked.statement.contains("does not give out the signature"));

    let answered = |signature: &BigInt| {
        let challenge = challenge.clone().answered(signature);
        evidence(&log, Claim::WithheldSignature(Box::new(challenge))).unwrap_err()
    };
    assert!(answered(&signature).to_string().contains("is answered"));
    assert!(answered(&blinded).to_string().contains("not the signature"));

    // Another blind has another leaf.
    let (leaf, key_leaf) = (case.included(at).await, case.included(1).await);
    let other = WithheldSignature::new(&case.checkpoint, leaf, key_leaf, &signature, width);
    assert!(evidence(&log, Claim::WithheldSignature(Box::new(other))).is_err());
    assert!(keys::private_key("unused").public_key().modulus_bytes() == width);
}

#[tokio::test]
async fn a_coin_that_was_refused_as_spent() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 5);
    log.seal();
    let key = log.currency().mint_key(0, 1, LOG_BEGIN_S);
    let hash = PayloadHash::new(&[9; 48]).unwrap();
    let digest = SpentDigest::of(&KeyFingerprint::of(&key.mint_key().public_mint_key), &hash);
    let mut case = Case::new(&log);
    let key_leaf = case.included(1).await;
    let challenge = FalseRefusal::new(&case.checkpoint, key_leaf, &[9; 48], log.now_s);
    let built = evidence(&log, Claim::FalseRefusal(Box::new(challenge.clone()))).unwrap();
    let checked = check_evidence(built.to_json().as_bytes()).unwrap();
    assert_eq!(checked.verdict, Verdict::Challenge);
    assert!(checked.statement.contains("refused a coin of mint key 1"));

    // The leaf comes with a later batch.
    log.spend(ONE, 2);
    log.spend_again(ONE, Hash::new(*digest.as_bytes()));
    log.seal();
    let mut later = Case::new(&log);
    let mut answers = Vec::new();
    for index in log.size() - 4..log.size() - 1 {
        let leaf = later.included(index).await;
        let answered = challenge.clone().answered(&later.checkpoint, leaf);
        let error = evidence(&log, Claim::FalseRefusal(Box::new(answered))).unwrap_err();
        answers.push(error.to_string().contains("is answered"));
    }
    assert_eq!(
        answers.iter().filter(|is_answer| **is_answer).count(),
        1,
        "{answers:?}"
    );
}

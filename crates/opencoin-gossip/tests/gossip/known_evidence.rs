//! Which evidence is new.

use opencoin_gossip::{EVIDENCE_PER_KIND_MAX, EvidenceSubject, KnownEvidence, Novelty};

const SUBJECT: EvidenceSubject<'static> = EvidenceSubject {
    master_key: "a key",
    kind: "split view",
    statement: "The log has signed two histories.",
};

#[test]
fn evidence_is_known_by_what_it_proves() {
    let mut known = KnownEvidence::default();
    assert_eq!(known.novelty(SUBJECT), Novelty::New);
    known.add(SUBJECT);
    assert_eq!(known.novelty(SUBJECT), Novelty::Known);
    for other in [
        EvidenceSubject {
            master_key: "another key",
            ..SUBJECT
        },
        EvidenceSubject {
            kind: "spent twice",
            ..SUBJECT
        },
        EvidenceSubject {
            statement: "The log has signed two other histories.",
            ..SUBJECT
        },
    ] {
        assert_eq!(known.novelty(other), Novelty::New);
    }
}

#[test]
fn of_each_kind_there_is_enough() {
    let mut known = KnownEvidence::default();
    let statements: Vec<String> = (0..=EVIDENCE_PER_KIND_MAX)
        .map(|number| number.to_string())
        .collect();
    let subject = |number: usize| EvidenceSubject {
        statement: &statements[number],
        ..SUBJECT
    };
    for number in 0..EVIDENCE_PER_KIND_MAX {
        assert_eq!(known.novelty(subject(number)), Novelty::New);
        known.add(subject(number));
    }
    assert_eq!(known.novelty(subject(EVIDENCE_PER_KIND_MAX)), Novelty::Enough);
    assert_eq!(known.novelty(subject(0)), Novelty::Known);
    let of_another_kind = EvidenceSubject {
        kind: "spent twice",
        ..SUBJECT
    };
    assert_eq!(known.novelty(of_another_kind), Novelty::New);
}

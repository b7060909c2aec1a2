//! Books of the second version of the program. The test program of a store makes the tables of that version,
//! fills them and migrates them.

use crate::Store;
use crate::world::*;
use opencoin_audit::check;
use opencoin_ledger::{Applied, Blind, Command, Effect, StoredBlind, TransactionNo, TransactionReference};

/// The stored blinds of two mints, in hexadecimal, in the format of the second version: one blind of key 1
/// and one of key 2; two blinds of key 2.
pub const SECOND_VERSION_BLINDS: [&str; 2] = [
    "01\
    00000002\
    0101010101010101010101010101010101010101\
    0202020202020202020202020202020202020202\
    00000002\
    00000000000000016100000001ff\
    00000001000000016200000001ff",
    "01\
    00000001\
    0202020202020202020202020202020202020202\
    00000002\
    0000000000000001630000000107\
    0000000000000001640000000108",
];

/// Migrated books keep their contents and work with commands of this version.
///
/// The books must contain this: Alice was credited with 100 (reference `0301`). She minted 10 twice with the
/// blinds above (references `010a` and `010b`), from keys 1 and 2 of denomination 5, and redeemed one coin of
/// each key. Key 1 was pruned, in a record at 301.
///
/// # Panics
/// The contents have changed, or a command fails.
pub async fn books_of_the_second_version_go_on(ledger: &dyn Store) {
    let facts = ledger.audit_facts().await.unwrap();
    let report = check(&facts);
    assert!(report.holds(), "{report:#?}");
    assert_eq!(
        (
            facts.transactions,
            facts.accounts[0].balance,
            facts.coins_outstanding
        ),
        (7, 90, 10)
    );
    let keys = ledger.mint_keys().await.unwrap();
    assert_eq!(
        keys.iter()
            .map(|key| (key.issued, key.returned, key.pruned))
            .collect::<Vec<_>>(),
        [(1, 1, true), (3, 1, false)]
    );
    assert!(keys.iter().all(|key| !key.retired && key.recouped == 0));
    let stored = |reference: &str, key: u8, number: u8| {
        StoredBlind::from(Blind {
            reference: reference.to_owned(),
            mint_key: key_id(key),
            blinded: vec![number],
        })
    };
    let [first, second] = [[0x0a], [0x0b]].map(|reference| TransactionReference::new(reference).unwrap());
    let accepted = ledger.accepted(&first).await.unwrap().unwrap();
    assert_eq!(accepted.blinds, [stored("a", 1, 0xff), stored("b", 2, 0xff)]);

    // Commands that the second version did not have work on its rows.
    let commands = [
        register(3, 5),
        stop(2),
        retire(2),
        recoup("c", &[(2, 1, 1)], &[3]),
        prune(1),
    ];
    let outcomes = ledger.apply(&commands).await.unwrap();
    let effects = [
        Effect::MintKeyRegistered,
        Effect::MintKeyStopped,
        Effect::MintKeyRetired,
        crate::world::accepted(5),
    ];
    assert_eq!(
        outcomes[..4],
        effects.map(|effect| Ok(Applied {
            repeated: false,
            effect
        }))
    );
    assert_eq!(outcomes[4], again(pruned(1, 0)));
    let page = ledger
        .unsigned(&keys[1], TransactionNo::BEFORE_ALL, 100)
        .await
        .unwrap();
    assert_eq!(
        page.transactions
            .iter()
            .map(|found| &found.reference)
            .collect::<Vec<_>>(),
        [&first, &second]
    );
    let kept: Vec<_> = page
        .transactions
        .iter()
        .map(|transaction| keep(2, transaction))
        .collect();
    assert_eq!(ledger.keep_signatures(&kept).await.unwrap(), [true, true]);
    assert_eq!(
        ledger.accepted(&first).await.unwrap().unwrap().blinds,
        signed(2, &accepted.blinds)
    );
    let again = Command::PruneMintKey {
        id: key_id(2),
        at: opencoin_ledger::LedgerTime::from_unix_micros(401),
    };
    let effect = pruned(1, 2);
    assert_eq!(
        ledger.apply(&[again]).await.unwrap(),
        [Ok(Applied {
            repeated: false,
            effect
        })]
    );
    assert!(check(&ledger.audit_facts().await.unwrap()).holds());
}

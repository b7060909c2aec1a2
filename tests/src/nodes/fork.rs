//! The issuer presents two histories once.

use opencoin_keys::{LogKeys, Passphrase};
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::checks::size_of;
use super::network::{FULL, Network};
use crate::files::text;
use crate::replayed_log::hex;
use crate::{PASSPHRASE, get_text, opencoin, wait_for};

const SPLIT_VIEW: &str = "split view";

/// Signs another tree of the published size, shows it to one full auditor, and requires that every full auditor proves it to
/// a third person with one file.
pub(super) fn show_and_prove(network: &Network, rng: &mut StdRng) {
    let currency = &network.currency;
    let published = get_text(&network.url("/log/checkpoint"));
    let note = second_history(network, size_of(&published), rng.r#gen());
    let shown_to = &network.full[rng.gen_range(0..FULL)];
    let id: String = hex(&Sha256::digest(&note));
    let gossip = json!({"hops": 0, "id": id, "kind": "checkpoint", "text": note});
    let answer = reqwest::blocking::Client::new()
        .post(shown_to.url("/v1/gossip"))
        .header("content-type", "application/json")
        .body(gossip.to_string())
        .send()
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    for (number, auditor) in network.full.iter().enumerate() {
        let evidence = wait_for("evidence of the second history", || {
            let list: Value = serde_json::from_str(&get_text(&auditor.url("/evidence"))).unwrap();
            let found = list
                .as_array()
                .unwrap()
                .iter()
                .find(|entry| entry["kind"] == SPLIT_VIEW);
            found.cloned().ok_or(list)
        });
        let id = evidence["id"].as_str().unwrap();
        let file = currency.scratch(&format!("evidence-{number}.json"));
        std::fs::write(&file, get_text(&auditor.url(&format!("/evidence/{id}")))).unwrap();
        let said = opencoin(&["evidence", text(&file)]).success();
        assert!(said.stdout.contains("two histories"), "{}", said.stdout);
    }
}

/// A checkpoint of this size, with the signature of the log and a root that is not that of the log.
fn second_history(network: &Network, size: u64, root: [u8; 32]) -> String {
    let key = network.currency.log_key();
    let origin = key.split('+').next().unwrap();
    let passphrase = Passphrase::new(PASSPHRASE.to_owned().into()).unwrap();
    let folder = network.currency.dir().join("log");
    let keys = LogKeys::open(&folder, &origin.parse().unwrap(), &passphrase).unwrap();
    let checkpoint = Checkpoint::new(origin, size, Hash::new(root)).unwrap();
    let mut signed = SignedCheckpoint::new(checkpoint).unwrap();
    signed.sign(&keys.log, 0).unwrap();
    signed.to_string()
}

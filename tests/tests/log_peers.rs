//! The other projects' programs for transparency logs that `opencoin_testkit::log_peers` runs: each works here, and
//! refuses what is wrong. The log of these tests is made in this file, from RFC 6962 and c2sp.org/tlog-tiles.
//!
//! The test vectors lie beside the checkout.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use opencoin_testkit::log_peers::{
    AicsWitness, Feeder, LiteWitness, Proof, aics_tlog, go_verify, or_skip, tlog_tiles,
};
use reqwest::blocking::Client;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/spec/log-vectors.json");

pub(crate) const ORIGIN: &str = "log.example/test";
const SEED: [u8; 32] = [7; 32];
const ED25519: u8 = 1;

const HASHES_IN_TILE: usize = 256;
/// The sizes of which the log has a checkpoint; the last is that of the tiles.
const OLD_SIZE: usize = 256;
const SIZE: usize = 600;

pub(crate) type Hash = [u8; 32];

fn vectors() -> Option<Value> {
    let Ok(text) = fs::read_to_string(VECTORS) else {
        println!("SKIPPED: there is no {VECTORS}");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// A folder with the tiles of a log, its checkpoint, and the checkpoint `old` of a smaller tree.
pub(crate) struct Log {
    folder: TempDir,
    key: Ed25519KeyPair,
}

impl Log {
    pub(crate) fn create() -> Self {
        let (folder, key) = (tempfile::tempdir().unwrap(), key());
        let entries = entries();
        let log = Self { folder, key };
        let mut hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        for (number, entries) in entries.chunks(HASHES_IN_TILE).enumerate() {
            log.write("tile/entries", number, entries.len(), &bundle(entries));
        }
        for level in 0.. {
            for (number, tile) in hashes.chunks(HASHES_IN_TILE).enumerate() {
                log.write(&format!("tile/{level}"), number, tile.len(), &tile.concat());
            }
            if hashes.len() < HASHES_IN_TILE {
                break;
            }
            hashes = hashes.chunks_exact(HASHES_IN_TILE).map(root).collect();
        }
        fs::write(log.path("checkpoint"), log.checkpoint(SIZE)).unwrap();
        fs::write(log.path("old"), log.checkpoint(OLD_SIZE)).unwrap();
        log
    }

    /// Writes a tile or bundle that holds so many hashes or entries. The log has less than a thousand tiles.
    fn write(&self, folder: &str, number: usize, width: usize, content: &[u8]) {
        let name = match width {
            HASHES_IN_TILE => format!("{folder}/{number:03}"),
            _ => format!("{folder}/{number:03}.p/{width}"),
        };
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn folder(&self) -> &str {
        text(self.folder.path())
    }

    /// The signed checkpoint of the first `size` entries.
    pub(crate) fn checkpoint(&self, size: usize) -> String {
        let hashes: Vec<Hash> = entries()[..size].iter().map(|entry| leaf_hash(entry)).collect();
        self.checkpoint_of(size, &root(&hashes))
    }

    /// A signed checkpoint with any root.
    pub(crate) fn checkpoint_of(&self, size: usize, root: &Hash) -> String {
        let body = format!("{ORIGIN}\n{size}\n{}\n", base64(root));
        let signature = [&self.key_id()[..], self.key.sign(body.as_bytes()).as_ref()].concat();
        format!("{body}\n— {ORIGIN} {}\n", base64(&signature))
    }

    fn key_id(&self) -> [u8; 4] {
        let named = [ORIGIN.as_bytes(), b"\n", &self.typed_key()].concat();
        sha256(&named)[..4].try_into().unwrap()
    }

    fn typed_key(&self) -> Vec<u8> {
        [&[ED25519], self.key.public_key().as_ref()].concat()
    }

    pub(crate) fn vkey(&self) -> String {
        let id = u32::from_be_bytes(self.key_id());
        format!("{ORIGIN}+{id:08x}+{}", base64(&self.typed_key()))
    }
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap()
}

pub(crate) fn entries() -> Vec<Vec<u8>> {
    (0..SIZE)
        .map(|number| format!("entry {number}").into_bytes())
        .collect()
}

fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    let with_length = |entry: &Vec<u8>| {
        let length = u16::try_from(entry.len()).unwrap();
        [&length.to_be_bytes()[..], entry].concat()
    };
    entries.iter().flat_map(with_length).collect()
}

fn sha256(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

pub(crate) fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry].concat())
}

/// The root of the tree over these hashes, of which there is at least one.
pub(crate) fn root(hashes: &[Hash]) -> Hash {
    if let [only] = hashes {
        return *only;
    }
    // The largest power of two below the number of hashes.
    let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
    sha256(&[&[1][..], &root(left), &root(right)].concat())
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut written = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0, |number, at| {
            number << 8 | usize::from(chunk.get(at).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            let shift = 18 - 6 * digit;
            let is_padding = digit > chunk.len();
            written.push(if is_padding {
                '='
            } else {
                char::from(DIGITS[number >> shift & 63])
            });
        }
    }
    written
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Sends a request to a witness, and returns the status and the body of the answer.
pub(crate) fn add_checkpoint(url: &str, request: &str) -> (u16, String) {
    let answer = Client::new().post(format!("{url}/add-checkpoint"));
    let answer = answer.body(request.to_owned()).send().unwrap();
    (answer.status().as_u16(), answer.text().unwrap())
}

/// Submits the vectors' checkpoint and returns it with the cosignature of the witness.
fn cosign(url: &str, checkpoint: &str, witness_vkey: &str) -> String {
    let (status, lines) = add_checkpoint(url, &format!("old 0\n\n{checkpoint}"));
    let name = witness_vkey.split('+').next().unwrap();
    assert_eq!(status, 200, "{lines}");
    assert!(lines.starts_with(&format!("— {name} ")), "{lines}");
    format!("{checkpoint}{lines}")
}

/// Requires with aics-tlog that the witness has cosigned the checkpoint.
pub(crate) fn require_cosignature(cosigned: &str, log_vkey: &str, witness_vkey: &str) {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("cosigned");
    fs::write(&note, cosigned).unwrap();
    let arguments = [
        "verify-checkpoint",
        "--note",
        text(&note),
        "--log-key",
        log_vkey,
        "--witness-key",
        witness_vkey,
        "--quorum",
        "1",
    ];
    if let Some(verdict) = or_skip(aics_tlog(&arguments)) {
        let _said = verdict.accepted();
    }
}

/// Sends the vectors' requests in their order.
fn require_statuses(url: &str, vectors: &Value) {
    for request in vectors["witness"]["requests"].as_array().unwrap() {
        let (status, body) = add_checkpoint(url, string(&request["body"]));
        let expected = u16::try_from(request["status"].as_u64().unwrap()).unwrap();
        // The vector has a signature that strict readers cannot decode.
        let is_unreadable = request["note"].is_string() && status == 400;
        assert!(
            status == expected || is_unreadable,
            "{status} instead of {expected}: {body}"
        );
        if let Some(response) = request["response"].as_str() {
            assert_eq!(body, response);
        }
    }
}

/// The origin and the key of the log that has signed the vectors' requests.
fn log_of_requests(vectors: &Value) -> (&str, &str) {
    let vkey = string(&vectors["witness"]["log_vkey"]);
    (vkey.split('+').next().unwrap(), vkey)
}

#[test]
fn litewitness_cosigns_a_checkpoint() {
    let Some(vectors) = vectors() else { return };
    let signed = &vectors["checkpoint"]["signed"];
    let (vkey, checkpoint) = (string(&signed["log_vkey"]), string(&signed["note"]));
    let origin = checkpoint.lines().next().unwrap();
    let Some(witness) = or_skip(LiteWitness::start(origin, vkey)) else {
        return;
    };
    let cosigned = cosign(witness.url(), checkpoint, witness.vkey());
    require_cosignature(&cosigned, vkey, witness.vkey());
}

#[test]
fn aics_witness_cosigns_a_checkpoint_and_shows_it() {
    let Some(vectors) = vectors() else { return };
    let signed = &vectors["checkpoint"]["signed"];
    let (vkey, checkpoint) = (string(&signed["log_vkey"]), string(&signed["note"]));
    let origin = checkpoint.lines().next().unwrap();
    let Some(witness) = or_skip(AicsWitness::start(origin, vkey)) else {
        return;
    };
    let cosigned = cosign(witness.url(), checkpoint, witness.vkey());
    require_cosignature(&cosigned, vkey, witness.vkey());

    let hash: String = sha256(origin.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let shown = opencoin_e2e::get_text(&format!("{}/{hash}/checkpoint", witness.monitoring_url()));
    assert_eq!(shown, cosigned);
}

#[test]
fn litewitness_answers_with_the_statuses_of_the_specification() {
    let Some(vectors) = vectors() else { return };
    let (origin, vkey) = log_of_requests(&vectors);
    if let Some(witness) = or_skip(LiteWitness::start(origin, vkey)) {
        require_statuses(witness.url(), &vectors);
    }
}

#[test]
fn aics_witness_answers_with_the_statuses_of_the_specification() {
    let Some(vectors) = vectors() else { return };
    let (origin, vkey) = log_of_requests(&vectors);
    if let Some(witness) = or_skip(AicsWitness::start(origin, vkey)) {
        require_statuses(witness.url(), &vectors);
        // The two requests with a wrong proof are signed by the log.
        let evidence: Value = serde_json::from_str(&witness.evidence()).unwrap();
        assert_eq!(evidence.as_array().unwrap().len(), 2, "{evidence:#}");
    }
}

#[test]
fn a_witness_ends_with_its_value() {
    let log = Log::create();
    if let Some(witness) = or_skip(LiteWitness::start(ORIGIN, &log.vkey())) {
        let address = witness.url().trim_start_matches("http://").to_owned();
        drop(witness);
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}

#[test]
fn the_feeder_submits_to_both_witnesses_and_notices_when_they_are_ahead() {
    let log = Log::create();
    let (Some(lite), Some(aics)) = (
        or_skip(LiteWitness::start(ORIGIN, &log.vkey())),
        or_skip(AicsWitness::start(ORIGIN, &log.vkey())),
    ) else {
        return;
    };
    let (lite, aics) = ((lite.url(), lite.vkey()), (aics.url(), aics.vkey()));
    let entries = entries();
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    for (url, vkey) in [lite, aics] {
        let feeder = Feeder::new(url, vkey).unwrap();
        let lines = feeder
            .submit(&log.checkpoint(OLD_SIZE), Proof::Fixed(0, &[]))
            .accepted();
        assert!(lines.starts_with("— witness.example/".as_bytes()), "{lines:?}");
        let _lines = feeder
            .submit(&log.checkpoint(SIZE), Proof::OfEntries(&entries))
            .accepted();
        feeder
            .submit(&log.checkpoint(OLD_SIZE), Proof::OfEntries(&entries))
            .refused("WitnessAhead");
    }
    let wrong_key = Feeder::new(lite.0, aics.1).unwrap();
    wrong_key
        .submit(&log.checkpoint(SIZE), Proof::OfEntries(&entries))
        .refused("BadWitnessResponse");
}

#[test]
fn the_go_verifier_judges_the_notes_of_the_vectors() {
    let Some(vectors) = vectors() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("note");
    for vector in vectors["signed_note"].as_array().unwrap() {
        fs::write(&file, string(&vector["note"])).unwrap();
        let Some(verdict) = or_skip(go_verify(&["note", string(&vector["vkey"]), text(&file)])) else {
            return;
        };
        if vector["valid"].as_bool().unwrap() {
            assert_eq!(&verdict.accepted()[..3], b"ok ");
        } else {
            verdict.refused("note: ");
        }
    }
    let signed = &vectors["checkpoint"]["signed"];
    fs::write(&file, string(&signed["note"])).unwrap();
    let vkey = string(&signed["log_vkey"]);
    let checkpoint = |origin: &str| go_verify(&["checkpoint", vkey, origin, text(&file)]).unwrap();
    let _said = checkpoint("example.com/opencoin-log").accepted();
    checkpoint("example.com/another").refused("the origin is");
}

/// The files of the log are those of the vectors.
#[test]
fn the_log_of_these_tests_is_that_of_the_vectors() {
    let Some(vectors) = vectors() else { return };
    let (log, tree) = (Log::create(), &vectors["tiles"]["tree"]);
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let hashes: Vec<Hash> = entries().iter().map(|entry| leaf_hash(entry)).collect();
    assert_eq!(hex(&root(&hashes)), string(&tree["root"]));
    for file in tree["files"].as_array().unwrap() {
        let content = fs::read(log.path(string(&file["path"]))).unwrap();
        if let Some(sha256_of_file) = file["sha256"].as_str() {
            assert_eq!(hex(&sha256(&content)), sha256_of_file);
        } else {
            assert_eq!(hex(&content), string(&file["hex"]));
        }
    }
}

#[test]
fn the_go_verifier_reads_tiles() {
    let log = Log::create();
    let vkey = log.vkey();
    let inclusion = |index: &str| go_verify(&["inclusion", &vkey, log.folder(), index]);
    let Some(first) = or_skip(inclusion("0")) else {
        return;
    };
    let _said = first.accepted();
    for index in ["255", "256", "511", "512", "599"] {
        let _said = inclusion(index).unwrap().accepted();
    }
    inclusion("600").unwrap().refused("not in a tree of size 600");

    let consistency = |old: &str, new: &str| {
        let [old, new] = [old, new].map(|name| log.path(name));
        go_verify(&["consistency", log.folder(), text(&old), text(&new), &vkey]).unwrap()
    };
    let said = consistency("old", "checkpoint").accepted();
    assert_eq!(said, b"ok size 600 continues size 256\n");
    consistency("checkpoint", "old").refused("the tree shrank");

    // A log may remove a partial tile once the full one is there.
    let (partial, full) = (log.path("tile/0/002.p/88"), log.path("tile/0/002"));
    let mut tile = fs::read(&partial).unwrap();
    tile.resize(HASHES_IN_TILE * size_of::<Hash>(), 0);
    fs::remove_file(&partial).unwrap();
    fs::write(&full, &tile).unwrap();
    let _said = inclusion("599").unwrap().accepted();
    tile[0] ^= 1;
    fs::write(&full, &tile).unwrap();
    inclusion("599").unwrap().refused("downloaded inconsistent tile");

    let log = Log::create();
    change_first_entry(&log);
    go_verify(&["inclusion", &vkey, log.folder(), "0"])
        .unwrap()
        .refused("entry 0: ");
}

#[test]
fn aics_tlog_reads_tiles() {
    let log = Log::create();
    let vkey = log.vkey();
    let arguments = |command: &'static str| {
        [
            command,
            "--tiles",
            log.folder(),
            "--log-key",
            &vkey,
            "--origin",
            ORIGIN,
        ]
    };
    let Some(checkpoint) = or_skip(aics_tlog(&arguments("verify-checkpoint"))) else {
        return;
    };
    let _said = checkpoint.accepted();
    let inclusion = |index| aics_tlog(&[&arguments("verify-inclusion")[..], &["--index", index]].concat());
    let _said = inclusion("599").unwrap().accepted();
    let old = log.path("old");
    let consistency = [
        &arguments("verify-consistency")[..],
        &["--old-checkpoint", text(&old)],
    ]
    .concat();
    let _said = aics_tlog(&consistency).unwrap().accepted();
    change_first_entry(&log);
    inclusion("0").unwrap().refused("tile/entries/000 does not match");
}

#[test]
fn tlog_tiles_reads_tiles() {
    let log = Log::create();
    let leaf = |index: &str| tlog_tiles(&["get-leaf", "-c", log.folder(), index]);
    let Some(last) = or_skip(leaf("599")) else { return };
    assert_eq!(last.accepted(), b"entry 599");
    let proof = tlog_tiles(&["gen-proof", log.folder(), "599"])
        .unwrap()
        .accepted();
    assert!(proof.starts_with(b"c2sp.org/tlog-proof@v1\nindex 599\n"));
    change_first_entry(&log);
    leaf("0").unwrap().refused("InclusionProofInvalid");
}

/// Makes an entry of the log another than the one in its tree.
fn change_first_entry(log: &Log) {
    let path = log.path("tile/entries/000");
    let mut bundle = fs::read(&path).unwrap();
    bundle[2] ^= 1;
    fs::write(&path, bundle).unwrap();
}

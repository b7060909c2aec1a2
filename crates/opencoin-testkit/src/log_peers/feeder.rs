//! A client of witnesses: the one of aics-witness. It submits checkpoints as a log does, and checks what the witness
//! answers: statuses, sizes, and that the cosignature verifies and is fresh.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::verifiers::Verdict;
use super::{Missing, PYTHON};

const SCRIPT: &str = include_str!("feeder.py");

/// How the client proves that the checkpoint continues what the witness has cosigned.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// With this consistency proof from a tree of this size; 0 and no hashes for the first checkpoint.
    Fixed(u64, &'a [[u8; 32]]),
    /// With proofs that the client makes itself from the entries of the tree. It then also continues from another size
    /// that the witness names.
    OfEntries(&'a [&'a [u8]]),
}

/// A client of one witness, which remembers what the witness has cosigned.
#[derive(Debug)]
pub struct Feeder {
    url: String,
    vkey: String,
    memory: TempDir,
}

impl Feeder {
    /// A client of the witness with this submission prefix and key. The key must be an Ed25519 one.
    ///
    /// # Errors
    /// It is not installed.
    ///
    /// # Panics
    /// There is no temporary folder.
    pub fn new(url: &str, vkey: &str) -> Result<Self, Missing> {
        PYTHON.find()?;
        Ok(Self {
            url: url.to_owned(),
            vkey: vkey.to_owned(),
            memory: tempfile::tempdir().expect("a temporary folder"),
        })
    }

    /// Submits a signed checkpoint. If the client accepts the answer, the verdict's output is the cosignature lines. If
    /// not, it holds the name of the client's exception, such as `WitnessRejected`, `WitnessAhead`,
    /// `WitnessRolledBack`, `WitnessUnavailable` or `BadWitnessResponse`, and its text.
    ///
    /// # Panics
    /// The client does not start.
    pub fn submit(&self, checkpoint: &str, proof: Proof<'_>) -> Verdict {
        let mut input = match proof {
            Proof::Fixed(size, _) => format!("fixed {size}"),
            Proof::OfEntries(_) => "entries".to_owned(),
        };
        let mut add = |bytes: &[u8]| {
            // An empty line would be the end, so that every line begins with a dot.
            input.push_str("\n.");
            for byte in bytes {
                let _ = write!(input, "{byte:02x}");
            }
        };
        match proof {
            Proof::Fixed(_, hashes) => hashes.iter().for_each(|hash| add(hash)),
            Proof::OfEntries(entries) => entries.iter().for_each(|entry| add(entry)),
        }
        input.push_str("\n\n");
        input.push_str(checkpoint);

        let mut command = Command::new(PYTHON.program().with_file_name("python3"));
        command
            .args(["-c", SCRIPT, &self.url, &self.vkey])
            .arg(self.memory.path().join("state.json"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut client = command.spawn().expect("the client is installed");
        let mut stdin = client.stdin.take().expect("standard input is piped");
        // Fails if the client has ended, which the verdict then shows.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = client.wait_with_output().expect("our own process");
        Verdict::new(&command, output)
    }
}
